"""CrossTask (Zhukov et al. 2019, arXiv:1903.08225): 18 primary tasks, their videos annotated with the tasks' steps.

- `tasks_primary.txt`: five lines a task (its number, title, address, number of steps, and the steps with commas between
  them), and an empty line.
- `annotations/TASK_VIDEO.csv`: a line a step: its number from 1, its start and its end in seconds.
- `videos_val.csv`, where it is there: lines `TASK,VIDEO,address` of the videos to test on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from foretell.errors import ForetellError

from .annotated import Annotated, Layout, Segment, words


def read(root: Path) -> list[Annotated]:
    """All annotated videos of the primary tasks. Raises ForetellError where a file is missing or has another layout."""
    tasks = _tasks(root / "tasks_primary.txt")
    files = sorted((root / "annotations").glob("*.csv"))
    if not files:
        raise ForetellError(f"{root}: no annotations/TASK_VIDEO.csv, expected CrossTask's release")
    held_out = root / "videos_val.csv"
    testing = {(row[0], row[1]) for row in _rows(held_out, 2)} if held_out.is_file() else None
    found = []
    for path in files:
        number, _, video = path.stem.partition("_")
        if number in tasks:
            split = "all" if testing is None else "test" if (number, video) in testing else "train"
            title, steps = tasks[number]
            found.append(Annotated(video, title, split, tuple(_segments(path, steps))))
    return found


def _tasks(path: Path) -> dict[str, tuple[str, list[str]]]:
    """Number -> title and steps."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        raise ForetellError(f"{path}: not found, expected CrossTask's release") from None
    blocks, tasks = [line for line in lines if line], {}
    for number, title, _, count, steps in zip(*(blocks[place::5] for place in range(5)), strict=False):
        named = [step.strip() for step in steps.split(",")]
        if not number.isdecimal() or count != str(len(named)):
            raise ForetellError(f"{path}: task {number!r} has {len(named)} steps, and {count!r} are announced")
        tasks[number] = title.lower(), named
    return tasks


def _segments(path: Path, steps: list[str]) -> Iterator[Segment]:
    for row in _rows(path, 3):
        try:
            number, start, end = int(row[0]), float(row[1]), float(row[2])
        except ValueError:
            raise ForetellError(f"{path}: {row} is not a step, expected its number, start and end") from None
        if not 1 <= number <= len(steps):
            raise ForetellError(f"{path}: step {number} is not one of the task's {len(steps)} steps")
        label = steps[number - 1]
        yield Segment(label, start, end, *words(label))


def _rows(path: Path, least: int) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if short := [row for row in rows if len(row) < least]:
        raise ForetellError(f"{path}: {short[0]} has {len(short[0])} fields, expected {least} or more")
    return rows


LAYOUT = Layout("crosstask", "FOLDER", read)
