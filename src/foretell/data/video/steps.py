"""Videos with a table of steps: `steps.csv`, `steps.parquet` or `steps.jsonl` in a folder, or such a file itself.

| column | what it says of a step |
|---|---|
| `video` | file it is in: a path as it is, or relative to the table's folder |
| `start`, `end` | when it is done, in seconds from the video's first frame, or as `mm:ss` or `hh:mm:ss` |
| `label` | what is done |
| `task` | may be missing: what the whole video is for |
| `verb`, `noun` | may be missing: the label in two parts |
| `split` | may be missing: `train` or `test` |

All steps of a video are one procedure, in the order of their starts. Without a column `split`, folders named
`train` and `test` above the videos make the splits.

S steps of a video · T frames of a clip
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from foretell.data.headings import delimited
from foretell.data.items import Unusable
from foretell.data.procedures import ClipOf, Names, Procedure, Step, contents
from foretell.data.reads import ClipEncoder, StepLatents
from foretell.data.source import SPLITS, Contents, Source, Splits, file_at, identity, in_parts, named_splits
from foretell.errors import ForetellError, ForetellWarning
from foretell.extras import needed

from .parts import read_clips

STEM, ENDINGS = "steps", (".csv", ".parquet", ".jsonl")
NEEDED, OPTIONAL = ("video", "start", "end", "label"), ("task", "verb", "noun", "split")
VERSION = 1  # raise it when the same table gives other procedures
PART = 32  # videos encoded between one interruption and what is kept


@dataclass(frozen=True)
class StepRow:
    """A step, as the table has it."""

    label: str
    start: float
    end: float
    verb: str = ""
    noun: str = ""


@dataclass(frozen=True)
class VideoWithSteps:
    """A video with its steps."""

    video: str
    task: str
    split: str
    steps: tuple[StepRow, ...]


def find(root: Path, reads: StepLatents) -> Splits:
    """The splits of a table of steps.

    Args:
        root: the table, or its folder.
        reads: its encoder makes the latents.

    Raises:
        ForetellError: there is no table, it cannot be read, a column is missing, a time is no time, or `reads` has no
            encoder.
    """
    table = _table(root)
    if reads.encoder is None:
        raise ForetellError(
            f"{root}: these procedures are clips, and nothing encodes them; give the model an encoder, such as "
            "--encoder vjepa-deep"
        )
    found = _annotated(table, _rows(table))
    names = Names.of(found)
    if not names.step:
        raise ForetellError(f"{table}: no step has a label, expected a name in column 'label'")
    parts = {split: [each for each in found if each.split == split] for split in dict.fromkeys(a.split for a in found)}
    if "test" in parts and "train" not in parts:
        raise ForetellError(f"{table}: all videos are in split 'test', expected some in 'train', or no column 'split'")
    folder = table.parent
    return {
        split: in_parts(
            folder.name if split == "all" else f"{folder.name} ({split})",
            len(videos),
            lambda name, first, count, videos=videos: Source(
                name,
                identity(STEM, VERSION, names, [_state(folder, each) for each in videos[first : first + count]]),
                partial(_contents, folder, videos[first : first + count], names, reads.encoder),
            ),
            PART,
        )
        for split, videos in parts.items()
    }


def _table(root: Path) -> Path:
    if root.is_file() and root.suffix.lower() in ENDINGS:
        return root
    if not root.is_dir():
        found = "not a table of steps" if root.exists() else "not found"
        raise ForetellError(f"{root}: {found}, expected a folder of videos with steps.csv, .parquet or .jsonl")
    tables = [table for ending in ENDINGS if (table := root / f"{STEM}{ending}").is_file()]
    if len(tables) != 1:
        found = " and ".join(table.name for table in tables) or "no table of steps"
        raise ForetellError(f"{root}: found {found}, expected one of steps.csv, steps.parquet and steps.jsonl")
    return tables[0]


def _rows(table: Path) -> list[dict[str, Any]]:
    """The table's rows. Raises ForetellError where it cannot be read, or lacks a column."""
    try:
        rows = {".csv": _csv, ".parquet": _parquet, ".jsonl": _jsonl}[table.suffix.lower()](table)
    except ForetellError:
        raise
    except Exception as error:  # readers raise whatever their parsing stumbles over
        raise ForetellError(f"{table}: cannot be read as a table ({error}), expected a whole file") from error
    if not rows:
        raise ForetellError(f"{table}: it has no row, expected a step a row")
    columns = dict.fromkeys(name for row in rows for name in row)
    missing = [name for name in NEEDED if name not in columns]
    foreign = [name for name in columns if name not in NEEDED + OPTIONAL]
    if missing:
        raise ForetellError(
            f"{table}: no column {' and '.join(map(repr, missing))}; found {', '.join(columns)}, expected "
            f"{', '.join(NEEDED)}, and perhaps {', '.join(OPTIONAL)}"
        )
    if foreign:
        said = f"{table}: columns that say nothing here are left out: {', '.join(foreign)}"
        warnings.warn(f"{said}; known are {', '.join(NEEDED + OPTIONAL)}", ForetellWarning, stacklevel=2)
    return rows


def _annotated(table: Path, rows: Sequence[Mapping[str, Any]]) -> list[VideoWithSteps]:
    """The videos in the order of the table, each with its steps in the order of their starts."""
    steps: dict[str, list[StepRow]] = {}
    facts: dict[str, dict[str, str]] = {}
    for number, row in enumerate(rows, 1):
        where = f"{table}: row {number}"
        if not (video := _text(row, "video")):
            raise ForetellError(f"{where} names no video, expected a file in column 'video'")
        start, end = (_seconds(row.get(name), name, where) for name in ("start", "end"))
        steps.setdefault(video, []).append(
            StepRow(*[_text(row, "label"), start, end, _text(row, "verb"), _text(row, "noun")])
        )
        said = {name: _text(row, name) for name in ("task", "split")}
        if (before := facts.setdefault(video, said)) != said:
            name = next(name for name in said if before[name] != said[name])
            raise ForetellError(
                f"{where}: {name} is {said[name]!r}, and {before[name]!r} in a row before, expected one {name} a video"
            )
    splits = _splits(table, facts)
    return [
        VideoWithSteps(video, facts[video]["task"], splits[video], tuple(sorted(found, key=lambda step: step.start)))
        for video, found in steps.items()
    ]


def _splits(table: Path, facts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The split of each video: as column `split` says, else by the folder it is in, else "all"."""
    known = {name: split for split, names in SPLITS.items() for name in names}
    said = {video: each["split"].lower() for video, each in facts.items()}
    if any(said.values()):
        for video, split in said.items():
            if split not in known:
                found = f"split {split!r}" if split else "no split"
                raise ForetellError(f"{table}: {video} has {found}, expected train or test for every video")
        return {video: known[split] for video, split in said.items()}
    tops = {video: video.replace("\\", "/").split("/")[0].lower() for video in facts}
    named = {name: split for split, name in named_splits(tops.values()).items()}
    if "test" in named.values() and set(tops.values()) <= set(named):
        return {video: named[top] for video, top in tops.items()}
    return dict.fromkeys(facts, "all")


def _contents(folder: Path, videos: Sequence[VideoWithSteps], names: Names, encoder: ClipEncoder) -> Contents:
    def read(each: VideoWithSteps) -> Procedure:
        _check(each.steps)
        path = folder / each.video
        if not path.is_file():
            raise Unusable("this video is not there")
        spans = [(step.start, step.end) for step in each.steps]
        clips = read_clips(path, spans, encoder.size, encoder.frames, encoder.fps)
        return Procedure(
            [
                Step(s.label, pixels=clip, verb=s.verb, noun=s.noun, clip=ClipOf(str(path), s.start, s.end))
                for s, clip in zip(each.steps, clips, strict=True)
            ],
            each.task,
        )

    items: Iterator[tuple[str, Callable[[], Procedure]]] = ((each.video, partial(read, each)) for each in videos)
    return contents(items, len(videos), names, clips=True)


def _check(steps: Sequence[StepRow]) -> None:
    """Refuse steps without a label, steps whose times cannot be, and a single one, before the video is read."""
    until, before = 0.0, 0
    for number, step in enumerate(steps, 1):
        if not step.label:
            raise Unusable(f"step {number} has no label")
        if step.end <= step.start:
            raise Unusable(f"step {number} ({step.label!r}) ends at {step.end:g} s, and starts at {step.start:g} s")
        if step.start < until - 1e-6:
            raise Unusable(
                f"step {number} ({step.label!r}) starts at {step.start:g} s, before step {before} ends at {until:g} s"
            )
        until, before = step.end, number
    if len(steps) < 2:
        raise Unusable("it has one step; what comes next needs two or more")


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None or value != value else str(value).strip()


def _seconds(value: Any, name: str, where: str) -> float:
    """A time in seconds. Raises ForetellError where it is none."""
    try:
        parts = [float(part) for part in str(value).strip().split(":")]
        found = sum(part * 60**place for place, part in enumerate(reversed(parts)))
        if not 0 <= found < float("inf") or len(parts) > 3:
            raise ValueError
    except ValueError:
        raise ForetellError(f"{where}: {name} is {value!r}, expected seconds, or mm:ss, from 0 on") from None
    return found


def _state(folder: Path, each: VideoWithSteps) -> str:
    path = folder / each.video
    return f"{each} {file_at(path) if os.path.isfile(path) else 'missing'}"


def _csv(table: Path) -> list[dict[str, Any]]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        names, rows = delimited(table, file)
    return [{name: field.strip() for name, field in zip(names, row, strict=True)} for row in rows]


def _parquet(table: Path) -> list[dict[str, Any]]:
    needed("pyarrow", "reading Parquet")
    import pyarrow.parquet as pq

    return pq.read_table(table).to_pylist()


def _jsonl(table: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ForetellError(f"{table}: row {number} is {row!r:.40}, expected an object with fields video, start, …")
    return rows
