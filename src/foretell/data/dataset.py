"""What every source becomes: decoded photographs or clips in one array, ready to index."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from foretell.errors import ForetellError

Index: TypeAlias = Tensor | np.ndarray | Sequence[int]


class Skipped(NamedTuple):
    """An image or a video that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Pictures:
    """Decoded pictures with what is known of them; `Images` and `Videos` say of which shape.

    pixels: uint8 [R, ...] in 0..255, usually a read-only memory map, or several.
    labels: int64 [N], or None where the source has no labels.
    classes: names of the classes, `classes[label]`; () without labels.
    skipped: every file of the source that could not be used, with the reason.
    fingerprint: identifies this exact data: pixels, labels and selection, wherever they lie.
    rows: int64 [N], the rows of `pixels` that make up this selection; None means all of them, N = R.
        Read through `take`, which knows about them.
    whole: fingerprint of the data that this is a selection of; None where it is whole itself.
    """

    pixels: "np.ndarray | Chain" = field(repr=False)
    labels: Tensor | None = field(repr=False)
    classes: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    fingerprint: str
    rows: np.ndarray | None = field(default=None, repr=False)
    whole: str | None = None

    def __len__(self) -> int:
        return len(self.pixels) if self.rows is None else len(self.rows)

    def take(self, index: Index) -> Tensor:
        """What is at `index` (integers, or a boolean mask of length N): uint8 [B, ...], a copy.

        Raises IndexError outside -N..N-1.
        """
        index = _positions(index, len(self))
        return torch.from_numpy(self.pixels.take(index if self.rows is None else self.rows[index], axis=0))

    def batch(self, index: Index) -> "Tensor | Moves":
        """What a method's `views` takes: what `take` gives, and of episodes what was done as well."""
        return self.take(index)

    def subset(self: "Kind", index: Index) -> "Kind":
        """What is at `index` in that order, with labels. Shares the memory map; copies no pixel."""
        index = _positions(index, len(self))
        return replace(
            self,
            labels=None if self.labels is None else self.labels[torch.from_numpy(index)],
            fingerprint=hashlib.sha256(self.fingerprint.encode() + index.tobytes()).hexdigest()[:32],
            rows=index if self.rows is None else self.rows[index],
            whole=self.whole or self.fingerprint,
        )


Kind = TypeVar("Kind", bound=Pictures)


class Chain:
    """Arrays [R, ...] alike but for R, read as one behind the other: none is copied."""

    def __init__(self, parts: "Sequence[np.ndarray | Chain]") -> None:
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, rows: int | slice) -> np.ndarray:
        picked = np.arange(len(self))[rows]
        return self.take(np.atleast_1d(picked)).reshape(*picked.shape, *self.shape[1:])

    def take(self, rows: np.ndarray, axis: int = 0) -> np.ndarray:
        """As of an array, along the first axis: a copy."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        of = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(of):
            here, part = of == number, self.parts[number]
            found[here] = part.take(rows[here] - self._ends[number] + len(part), axis=axis)
        return found


@dataclass(frozen=True, eq=False)
class Images(Pictures):
    """Decoded photographs, ready to index: `pixels` is [R, 3, size, size], `take` gives [B, 3, size, size]."""


@dataclass(frozen=True, eq=False)
class Videos(Pictures):
    """Decoded clips, ready to index: `pixels` is [R, T, 3, size, size], a clip after the other."""

    def take(self, index: Index) -> Tensor:
        """The clips at `index` as models take them, channels before time: uint8 [B, 3, T, size, size].

        As `Images.take`. The memory lies frame by frame: a view of it, not contiguous.
        """
        return super().take(index).transpose(1, 2)


class Moves(NamedTuple):
    """Clips, and what was done between their frames."""

    pixels: Tensor
    """uint8 [B, 3, T, size, size]."""
    states: Tensor
    """float32 [B, T − 1, S]: of the one who acts, before each action; S may be 0."""
    actions: Tensor
    """float32 [B, T − 1, A]: what led from a frame to the next."""

    def to(self, device: torch.device | str) -> "Moves":
        """The same on another device."""
        return Moves(*(part.to(device) for part in self))


@dataclass(frozen=True, eq=False)
class Episodes(Videos):
    """Decoded clips with a state and an action a step; `take` gives the pictures, `batch` all of it.

    states: names of their columns.
    actions: names of theirs.
    track: float32 [R, T − 1, S + A], row by row as `pixels`: the state before each step, and its action.
    """

    states: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    track: Tensor = field(default_factory=lambda: torch.empty(0), repr=False)

    def batch(self, index: Index) -> Moves:
        """The clips at `index`, and what was done in them."""
        return Moves(self.take(index), *self.steps(index))

    def steps(self, index: Index) -> tuple[Tensor, Tensor]:
        """What was done in the clips at `index`: states [B, T − 1, S] and actions [B, T − 1, A]."""
        rows = _positions(index, len(self))
        rows = torch.from_numpy(rows if self.rows is None else self.rows[rows])
        states, actions = self.track[rows].split([len(self.states), len(self.actions)], -1)
        return states, actions


def joined(parts: Sequence[Kind]) -> Kind:
    """Several whole sets as one, a set behind the other; one that comes twice counts twice.

    Labels are kept where all sets have the same classes.

    Raises ForetellError where episodes differ in what their states and actions are called.
    """
    first, *others = parts
    if not others:
        return first
    known = [part.labels for part in parts if part.labels is not None and part.classes == first.classes]
    labelled = len(known) == len(parts)
    every = replace(
        first,
        pixels=Chain([part.pixels for part in parts]),
        labels=torch.cat(known) if labelled else None,
        classes=first.classes if labelled else (),
        skipped=tuple(each for part in parts for each in part.skipped),
        fingerprint=hashlib.sha256(" ".join(part.fingerprint for part in parts).encode()).hexdigest()[:32],
    )
    episodes = [part for part in parts if isinstance(part, Episodes)]
    if not episodes:
        return every
    called = [(part.states, part.actions) for part in episodes]
    if len(set(called)) > 1:
        named = " and ".join(f"({', '.join(s + a)})" for s, a in dict.fromkeys(called))
        raise ForetellError(f"these episodes cannot be learned from together: found {named}; expected the same columns")
    return replace(every, track=torch.cat([part.track for part in episodes]))


def _positions(index: Index, n: int) -> np.ndarray:
    """`index` as int64 positions in 0..n-1, so that equal selections have equal fingerprints."""
    index = np.asarray(index.cpu() if isinstance(index, Tensor) else index)
    if index.dtype == bool:
        if index.shape != (n,):
            raise IndexError(f"a mask over {n} items must have shape ({n},), not {index.shape}")
        return np.flatnonzero(index)
    if len(index) and not np.issubdtype(index.dtype, np.integer):
        raise IndexError(f"data is indexed by integers or a boolean mask, not {index.dtype}")
    return np.arange(n)[index.astype(np.int64)]
