"""What all layouts of annotations give, and how it becomes procedures.

S steps · P latents a clip · D width
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from foretell.data.items import Unusable
from foretell.data.procedures import ClipOf, Names, Procedure, Step, contents
from foretell.data.source import Contents, Source, Splits, file_at, files_below, identity, options_after, place_of
from foretell.errors import ForetellError

from .features import Features
from .simulate import SIMULATED, Simulated

VERSION = 1  # raise it when the same files give other procedures


class Segment(NamedTuple):
    """A step and when it is done, in seconds."""

    label: str
    start: float
    end: float
    verb: str = ""
    noun: str = ""


class Annotated(NamedTuple):
    """A video and what is done in it."""

    video: str
    """Its name: that of its features' file, and of its file."""
    task: str
    split: str
    """`train` or `test`; `all` where the annotations name no splits."""
    steps: tuple[Segment, ...]
    duration: float | None = None
    """Of the video, in seconds; None where it is not said."""


class Layout(NamedTuple):
    """How one data set publishes its annotations."""

    name: str
    place: str
    """What lies at its place, FILE or FOLDER."""
    read: Callable[[Path], list[Annotated]]
    """All videos. Raises ForetellError where a file is missing or has another layout."""


def words(label: str) -> tuple[str, str]:
    """The verb and the noun of a label such as "pour hot water": its first word, and its last; "" where it has one."""
    first, *rest = label.lower().split() or [""]
    return first, rest[-1] if rest else ""


def sources(layout: Layout, place: str, seed: int) -> Splits:
    """The splits of annotations, with the latents that the options after `#` ask for.

    Raises:
        ForetellError: see `foretell.data.annotations.find`.
    """
    name, root, given = place_of(layout.name, place, layout.place)
    options = options_of(name, given)
    source = Features.of(options) if "features" in options else Simulated.of(options, seed)
    files = [file_at(root)] if root.is_file() else files_below(root)
    told = source.identity if isinstance(source, Features) else source
    note = "" if isinstance(source, Features) else SIMULATED
    return splits(name, layout.read(root), source, note, (VERSION, root, files, told))


def splits(
    name: str, found: list[Annotated], source: Features | Simulated, note: str, parts: tuple[object, ...]
) -> Splits:
    """The splits of annotated videos.

    Args:
        name: what messages call them.
        found: the videos.
        source: where the latents of their steps come from.
        note: what every table of this data says of it.
        parts: whatever the data depends on.

    Raises:
        ForetellError: there is no video to train on.
    """
    named = sorted({annotated.split for annotated in found})
    if not found or named == ["test"]:
        raise ForetellError(f"{name}: found {len(found)} annotated videos, expected some to train on")
    names, layout = Names.of(found), name.partition(":")[0]
    return {
        split: Source(
            f"{layout} {split}",
            identity(layout, *parts, split),
            partial(_contents, [a for a in found if a.split == split], names, source, note),
        )
        for split in named
    }


def options_of(where: str, given: str, more: tuple[str, ...] = ()) -> dict[str, str]:
    """Options by name, as they stand after `#`; `more` are known beside those of latents. Raises ForetellError."""
    options = options_after(where, given)
    known = (*(Features.OPTIONS if "features" in options else Simulated.OPTIONS), *more)
    if foreign := [name for name in options if name not in known]:
        raise ForetellError(f"{where}: {foreign[0]!r} is not an option here; there are {', '.join(known)}")
    return options


def _contents(found: list[Annotated], names: Names, source: Features | Simulated, note: str) -> Contents:
    return contents(((a.video, partial(_procedure, a, source)) for a in found), len(found), names, note)


def _procedure(annotated: Annotated, source: Features | Simulated) -> Procedure:
    """The steps of a video with their latents. Raises Unusable where there are no features for them."""
    video, task, _, segments, duration = annotated
    spans = np.array([(s.start, s.end) for s in segments], np.float64).reshape(-1, 2)
    if duration and (late := [place for place, start in enumerate(spans[:, 0], 1) if start >= duration]):
        raise Unusable(f"step {late[0]} starts at {spans[late[0] - 1, 0]:g} s, and the video is {duration:g} s long")
    if not segments:
        raise Unusable("it has no steps")
    for place, (start, end) in enumerate(spans.tolist(), 1):
        if not end > start:
            raise Unusable(f"step {place} is from {start:g} to {end:g} s, expected an end after its start")
    if isinstance(source, Features):
        latents = source.of_steps(video, spans, duration)
    else:
        latents = source.latents(video, task, [s.label for s in segments])
    clips = [ClipOf(video, s.start, s.end) for s in segments]
    return Procedure(
        [Step(s.label, z, verb=s.verb, noun=s.noun, clip=c) for s, z, c in zip(segments, latents, clips, strict=True)],
        task,
    )


def field(record: Any, name: str, where: str) -> Any:
    """A field of a JSON record. Raises ForetellError where it is missing."""
    if not isinstance(record, Mapping) or name not in record:
        raise ForetellError(f"{where}: found no field {name!r}, expected it, as the data set is published")
    return record[name]
