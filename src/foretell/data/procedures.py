"""Procedures: what is done to reach a goal, step by step, each step as the latents of its clip.

    data = load("coin:COIN.json.gz", StepLatents())
    data.steps[data.batch([0]).ragged("step")[0][1]]      # the name of the second step of the first procedure

A source gives `Procedure`s. Its steps have latents already, or pixels that a clip encoder makes latents of. They are
encoded once, into the cache, and are a memory map from then on.

S steps of a procedure · P latents a clip · D width · T frames of a clip
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from foretell.errors import ForetellError

from .cache import Form, Stored
from .columns import Column, Lists, lists, several_texts
from .dataset import Records, Skipped
from .items import MISSING, Decoded, Item, Unusable
from .reads import ClipEncoder, StepLatents
from .source import Contents

VERSION = 1  # raise it when the same source gives other columns
CHUNK = 64  # procedures that are read, and encoded, at a time
NAMES = ("step", "verb", "noun")
NONE = -1
"""In the columns `verb` and `noun`: this step has none."""


class ClipOf(NamedTuple):
    """Where a step's clip is."""

    file: str
    start: float
    """In seconds."""
    end: float


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a procedure."""

    label: str
    """What is done, such as "pour water"."""
    latents: np.ndarray | None = None
    """[P, D]: of its clip; None where `pixels` are given."""
    pixels: np.ndarray | None = None
    """uint8 [T, 3, H, W]: its clip, at the size and length that the clip encoder takes."""
    verb: str = ""
    noun: str = ""
    clip: ClipOf | None = None


@dataclass(frozen=True, eq=False)
class Procedure:
    """What was done in one video, in order."""

    steps: Sequence[Step]
    task: str = ""
    """What it was done for, such as "make coffee"; "" where nobody says."""


@dataclass(frozen=True, eq=False)
class Procedures(Records):
    """Procedures, ready to index. Each row is a procedure; its columns are lists, one entry a step.

    - `latents`: float16 [P, D] a step. `step`, `verb`, `noun`: int64 a step, `NONE` where it has none.
    - `file`: a text a step, "" where it has no clip; `span`: float64 [2], its start and end in seconds.
    - `labels`: int64 [N], the task of each procedure; None where tasks are not known. `classes` names them.
    - `names`: what the numbers are called: `names["step"]`, `names["verb"]`, `names["noun"]`.
    """

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps."""
        return self.names["step"]

    @property
    def note(self) -> str:
        """What every table of this data says of it, such as "latents simulated, sequences real"; "" for nothing."""
        return " ".join(self.names.get("note", ()))

    @property
    def encoded(self) -> bool:
        """Whether an encoder made the latents of clips; otherwise the data came with latents."""
        return "clips" in self.names

    @property
    def lengths(self) -> np.ndarray:
        """S of each procedure, int64 [N]."""
        found = np.diff(self._lists("step").offsets)
        return found if self.rows is None else found[self.rows]

    @property
    def shape(self) -> tuple[int, int]:
        """P and D of a clip."""
        return self._lists("latents").values.shape[1:]  # type: ignore[union-attr, return-value]

    def clip(self, row: int, step: int) -> ClipOf | None:
        """Where the clip of a step is; None where nobody knows."""
        batch = self.batch([row])
        file = batch.ragged("file").texts()[0][step]
        span = batch.ragged("span")[0]
        assert isinstance(span, Tensor)
        start, end = span[step].tolist()
        return ClipOf(file, start, end) if file else None

    def _lists(self, name: str) -> Lists:
        found = self.arrays[name]
        assert isinstance(found, Lists)
        return found


class Names(NamedTuple):
    """What steps, tasks, verbs and nouns are called, over all splits of a data set: their places are their numbers."""

    step: tuple[str, ...]
    task: tuple[str, ...] = ()
    verb: tuple[str, ...] = ()
    noun: tuple[str, ...] = ()

    @staticmethod
    def of(procedures: Iterable[Any]) -> Names:
        """All names that occur, in alphabetical order.

        Args:
            procedures: each has `task`, and `steps` with `label`, `verb` and `noun`.
        """
        procedures = list(procedures)
        steps = {(step.label, step.verb, step.noun) for procedure in procedures for step in procedure.steps}
        label, verb, noun = zip(*steps, strict=True) if steps else ((), (), ())
        found = label, (procedure.task for procedure in procedures), verb, noun
        return Names(*(tuple(sorted({*names} - {""})) for names in found))


def contents(
    procedures: Iterable[tuple[str, Callable[[], Procedure]]],
    count: int,
    names: Names,
    note: str = "",
    clips: bool = False,
) -> Contents:
    """An opened source of procedures, for `foretell.data.source.Source`.

    Args:
        procedures: the name of each for messages, and what reads it; that may raise `Unusable` with the reason.
        count: how many there are.
        names: of all splits, so that a number means the same in each.
        note: see `Procedures.note`.
        clips: whether steps have pixels, which an encoder makes latents of.
    """
    numbers = {kind: {name: number for number, name in enumerate(some)} for kind, some in names._asdict().items()}
    items = (Item(name, lambda read=read: (read(), numbers)) for name, read in procedures)
    said = ({"note": (note,)} if note else {}) | ({"clips": ("encoded",)} if clips else {})
    return Contents(count, names.task, items, {kind: getattr(names, kind) for kind in NAMES} | said)


def form(reads: StepLatents) -> Form[Procedures]:
    """Procedures, for the cache."""
    encoder = reads.encoder
    key = "" if encoder is None else f"{encoder.key} {encoder.size} {encoder.frames} {encoder.fps}"
    return Form(
        "procedures",
        _procedures,
        f"procedures {VERSION} {key}".rstrip(),
        partial(_decode, encoder=encoder, expected=reads.shape),
    )


def _procedures(stored: Stored) -> Procedures:
    return Procedures(
        stored.columns, stored.labels, stored.classes, stored.skipped, stored.fingerprint, names=stored.names
    )


def check_shape(found: Sequence[int], expected: Sequence[int]) -> None:
    """Raise ForetellError where a clip's latents, P of width C, are others than a model expects."""
    if tuple(found) != tuple(expected):
        raise ForetellError(
            f"the data has {found[0]} latents of width {found[1]} a clip, and the model expects {expected[0]} of width "
            f"{expected[1]}: give features of the encoder that it was trained with"
        )


def _decode(
    items: Iterable[Item], encoder: ClipEncoder | None, expected: tuple[int, int] | None
) -> Generator[Decoded, None, None]:
    remaining, shape = iter(items), None
    while chunk := list(islice(remaining, CHUNK)):
        skipped: list[Skipped] = []
        found: list[tuple[str, Procedure, dict[str, dict[str, int]]]] = []
        for item in chunk:
            try:
                procedure, numbers = item.read()
                found.append((item.name, _checked(procedure, numbers), numbers))
            except Unusable as error:
                skipped.append(Skipped(item.name, str(error)))
        kept = []
        for (name, procedure, numbers), latents in zip(found, _latents(found, encoder), strict=True):
            if shape is None:
                shape = latents.shape[1:]
                check_shape(shape, expected or shape)
            if latents.shape[1:] == shape:
                kept.append((procedure, numbers, latents))
            else:
                P, D = latents.shape[1:]
                reason = f"its features are {P} × {D} a step, and those of the first procedure {shape[0]} × {shape[1]}"
                skipped.append(Skipped(name, reason))
        yield Decoded(_columns(kept), skipped, len(chunk))


def _checked(procedure: Procedure, numbers: dict[str, dict[str, int]]) -> Procedure:
    """The procedure. Raises Unusable where it has no steps, or a step without a label or with one nobody named."""
    if not procedure.steps:
        raise Unusable("it has no steps")
    for place, step in enumerate(procedure.steps, 1):
        if not step.label:
            raise Unusable(f"step {place} has no label")
        if step.label not in numbers["step"]:
            raise Unusable(f"step {place} is {step.label!r}, which is not among the names of steps")
        if step.latents is None and step.pixels is None:
            raise Unusable(f"step {place} ({step.label!r}) has neither features nor a clip")
        if step.latents is not None and (step.latents.ndim != 2 or not step.latents.size):
            raise Unusable(f"step {place} has features {list(step.latents.shape)}, expected [latents, width]")
        if step.latents is not None and not np.isfinite(step.latents).all():
            raise Unusable(f"step {place} has features that are not finite numbers")
    if len({step.latents.shape for step in procedure.steps if step.latents is not None}) > 1:
        raise Unusable("its steps have features of different sizes")
    return procedure


def _latents(
    found: Sequence[tuple[str, Procedure, dict[str, dict[str, int]]]], encoder: ClipEncoder | None
) -> list[np.ndarray]:
    """float16 [S, P, D] of each procedure: those that it has, or what the encoder makes of its clips."""
    pending = [step.pixels for _, each, _ in found for step in each.steps if step.pixels is not None]
    encoded = iter(_encoded(pending, encoder) if pending else ())
    return [
        np.stack([next(encoded) if step.latents is None else step.latents for step in each.steps]).astype(np.float16)
        for _, each, _ in found
    ]


def _encoded(pixels: list[np.ndarray], encoder: ClipEncoder | None) -> np.ndarray:
    if encoder is None:
        raise ForetellError(
            "these procedures are clips, and the model has no encoder of clips: train it with --encoder MODEL, such as "
            "the shipped vjepa-deep, or give precomputed features"
        )
    with torch.no_grad():
        parts = [
            encoder.encode(torch.from_numpy(np.stack(pixels[first : first + CHUNK])).transpose(1, 2)).float().cpu()
            for first in range(0, len(pixels), CHUNK)
        ]
    return torch.cat(parts).numpy()


def _columns(kept: Sequence[tuple[Procedure, dict[str, dict[str, int]], np.ndarray]]) -> dict[str, Column]:
    if not kept:
        return {}

    def numbered(kind: str, word: Callable[[Step], str]) -> Lists:
        return lists(
            [
                np.array([numbers[kind].get(word(step), NONE) for step in procedure.steps], np.int64)
                for procedure, numbers, _ in kept
            ]
        )

    clips = [[step.clip or ClipOf("", np.nan, np.nan) for step in procedure.steps] for procedure, _, _ in kept]
    columns: dict[str, Column] = {
        "latents": lists([latents for _, _, latents in kept]),
        "step": numbered("step", lambda step: step.label),
        "verb": numbered("verb", lambda step: step.verb),
        "noun": numbered("noun", lambda step: step.noun),
        "file": several_texts([[clip.file for clip in some] for some in clips]),
        "span": lists([np.array([(clip.start, clip.end) for clip in some], np.float64) for some in clips]),
        "labels": np.array([numbers["task"].get(procedure.task, MISSING) for procedure, numbers, _ in kept], np.int64),
    }
    return columns
