"""COIN (Tang et al. 2019, arXiv:1903.02874): 180 tasks of daily life, their videos cut into named steps.

`COIN.json` has a record a video: `class` (the task), `subset`, `duration`, and `annotation`, a list of steps with `id`,
`label` and `segment`, their start and end in seconds.

COIN has no verbs and nouns. A step's verb is the first word of its label, and its noun the last. Where steps of two
tasks have one label, the task stands behind it in brackets: they are different steps.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

from foretell.errors import ForetellError

from .annotated import Annotated, Layout, Segment, field, words

SPLITS = {"training": "train", "testing": "test"}


def read(path: Path) -> list[Annotated]:
    """All videos. Raises ForetellError where the file has another layout."""
    database = field(read_json(path), "database", str(path))
    if not isinstance(database, dict):
        raise ForetellError(f"{path}: 'database' holds other things than videos by name")
    return _apart([_video(name, record, f"{path}: video {name!r}") for name, record in database.items()])


def _apart(videos: list[Annotated]) -> list[Annotated]:
    """The same, where a label tells steps of different tasks apart."""
    tasks = defaultdict(set)
    for video in videos:
        for step in video.steps:
            tasks[step.label].add(video.task)

    def renamed(step: Segment, task: str) -> Segment:
        return step._replace(label=f"{step.label} ({task})") if step.label and len(tasks[step.label]) > 1 else step

    return [video._replace(steps=tuple(renamed(step, video.task) for step in video.steps)) for video in videos]


def _video(name: str, record: Any, where: str) -> Annotated:
    task = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(field(record, "class", where))).lower()
    subset = field(record, "subset", where)
    if subset not in SPLITS:
        raise ForetellError(f"{where}: subset is {subset!r}, expected {' or '.join(SPLITS)}")
    steps = field(record, "annotation", where)
    if not isinstance(steps, list):
        raise ForetellError(f"{where}: annotation is not a list of steps")
    duration = record.get("duration")
    if not isinstance(duration, int | float | None):
        raise ForetellError(f"{where}: duration is {duration!r}, expected seconds")
    ordered = sorted((_segment(step, where) for step in steps), key=lambda segment: segment.start)
    return Annotated(name, task, SPLITS[str(subset)], tuple(ordered), duration)


def _segment(step: Any, where: str) -> Segment:
    label, segment = str(field(step, "label", where) or "").strip(), field(step, "segment", where)
    try:
        start, end = segment  # type: ignore[misc]
        return Segment(label, float(start), float(end), *words(label))
    except (TypeError, ValueError):
        raise ForetellError(f"{where}: segment is {segment!r}, expected [start, end] in seconds") from None


def read_json(path: Path) -> Any:
    """What a JSON file holds, perhaps gzipped. Raises ForetellError where it cannot be read."""
    try:
        data = path.read_bytes()
        return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (OSError, ValueError, EOFError, zlib.error, RecursionError) as error:
        raise ForetellError(f"{path}: cannot be read as JSON ({error}), expected the data set's own file") from None


LAYOUT = Layout("coin", "FILE", read)
