"""Data sets: columns of one length, in memory or in memory maps, from which batches are taken.

`Dataset` is what training asks of one. `Columns` is how all of ours do it; `Images`, `Videos` and `Episodes` add names
for the columns that they always have, and `Records` has any.

N samples of a data set · B of a batch · R rows of the stored columns, of which a selection has N · T frames
S state columns · A action columns
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from foretell.errors import ForetellError

from .batch import Batch
from .columns import Chain, Column, ColumnType, chained, several_texts, tensor, type_of

Index: TypeAlias = Tensor | np.ndarray | Sequence[int]


class Skipped(NamedTuple):
    """A file or a row that could not be used, and why."""

    name: str
    reason: str


@runtime_checkable
class Dataset(Protocol):
    """The data that training needs.

    Samples are numbered, and `batch` gives any of them. So the order of a run is a function of (seed, step) alone, and
    a resumed run sees the same samples.

    A source that streams from shards satisfies the same protocol. It says how many samples each shard has, so that its
    length is known before anything is read. The trainer asks for batches in the order of the steps, some steps ahead,
    from one thread (see `foretell.train.prefetch`). Therefore such a source may keep the shards of the last few batches
    open, and fetch the next ones while it serves. Reading shards from end to end needs another order: it shuffles
    shards, and then samples within a few of them. That order is another function of (seed, step), beside
    `foretell.train.loop.batch_index`.
    """

    @property
    def fingerprint(self) -> str:
        """Identifies this exact data, in every place."""
        ...

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that could not be used, with the reason."""
        ...

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns of `batch`: name -> type of the column, and shape of one sample."""
        ...

    @property
    def labels(self) -> Tensor | None:
        """int64 [N]; None where the data has no labels."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, `classes[label]`; () without labels."""
        ...

    def __len__(self) -> int: ...

    def batch(self, index: Index) -> Batch:
        """The samples at `index` (integers, or a boolean mask of length N), in that order."""
        ...

    def subset(self: D, index: Index) -> D:
        """The samples at `index`, in that order, as a data set of its own."""
        ...


D = TypeVar("D", bound=Dataset)


class Columns:
    """A `Dataset` of stored columns. A subclass is a frozen dataclass with the fields that are listed here, and says in
    `stored` which columns it has.
    """

    if TYPE_CHECKING:  # read-only, as the fields of a frozen dataclass are

        @property
        def labels(self) -> Tensor | None:
            """int64 [N], or None."""
            ...

        @property
        def classes(self) -> tuple[str, ...]:
            """Names of the classes."""
            ...

        @property
        def skipped(self) -> tuple[Skipped, ...]:
            """The files that could not be used, with the reason."""
            ...

        @property
        def fingerprint(self) -> str:
            """Identifies this exact data."""
            ...

        @property
        def rows(self) -> np.ndarray | None:
            """int64 [N], the stored rows of this selection; None means all."""
            ...

        @property
        def whole(self) -> str | None:
            """Fingerprint of the data that this is a selection of."""
            ...

    @property
    def stored(self) -> dict[str, Column]:
        """The columns by name, of R rows, without labels."""
        raise NotImplementedError

    def with_columns(self: K, columns: dict[str, Column], **facts: Any) -> K:
        """The same with other columns of the same names, and other facts."""
        return self._with(**columns, **facts)

    def __len__(self) -> int:
        return len(next(iter(self.stored.values()))) if self.rows is None else len(self.rows)

    @property
    def columns(self) -> dict[str, ColumnType]:
        """The columns of `batch`: name -> type of the column, and shape of one sample."""
        labels = {} if self.labels is None else {"labels": ColumnType("int64", ())}
        return {name: type_of(column) for name, column in self.stored.items()} | labels

    def batch(self, index: Index) -> Batch:
        """The samples at `index` (integers, or a boolean mask of length N): all columns, copied.

        Raises IndexError outside -N..N-1.
        """
        places = positions(index, len(self))
        taken = {name: self._taken(name, places) for name in self.stored}
        if self.labels is not None:
            taken["labels"] = self.labels[torch.from_numpy(places)]
        return Batch(**taken)

    def subset(self: K, index: Index) -> K:
        """The samples at `index` in that order, with labels. Shares the memory map; copies no column."""
        places = positions(index, len(self))
        return self._with(
            labels=None if self.labels is None else self.labels[torch.from_numpy(places)],
            fingerprint=hashlib.sha256(self.fingerprint.encode() + places.tobytes()).hexdigest()[:32],
            rows=self.at(places),
            whole=self.whole or self.fingerprint,
        )

    def at(self, places: np.ndarray) -> np.ndarray:
        """The stored rows at these places of the selection."""
        return places if self.rows is None else self.rows[places]

    def _with(self: K, **changes: Any) -> K:
        whole: Any = self  # a dataclass, as every subclass is
        return replace(whole, **changes)

    def _taken(self, name: str, places: np.ndarray) -> Any:
        return tensor(self.stored[name].take(self.at(places), axis=0))


K = TypeVar("K", bound=Columns)


@dataclass(frozen=True, eq=False)
class Pictures(Columns):
    """Decoded pictures with their labels and other columns. `Images` and `Videos` give their shape.

    pixels: uint8 [R, ...] in 0..255, usually a read-only memory map, or several.
    labels: int64 [N], or None where the source has no labels.
    classes: names of the classes, `classes[label]`; () without labels.
    skipped: every file of the source that could not be used, with the reason.
    fingerprint: identifies this exact data: pixels, labels and selection, in every place.
    rows: int64 [N], the rows of `pixels` that make up this selection; None means all of them, N = R.
        Read through `take` and `batch`, which know about them.
    whole: fingerprint of the data that this is a selection of; None where it is whole itself.
    """

    pixels: np.ndarray | Chain = field(repr=False)
    labels: Tensor | None = field(repr=False)
    classes: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    fingerprint: str
    rows: np.ndarray | None = field(default=None, repr=False)
    whole: str | None = None

    @property
    def stored(self) -> dict[str, Column]:
        """The pixels."""
        return {"pixels": self.pixels}

    def take(self, index: Index) -> Tensor:
        """The pixels at `index` (integers, or a boolean mask of length N): uint8 [B, ...], a copy.

        Raises IndexError outside -N..N-1.
        """
        return self._taken("pixels", positions(index, len(self)))


Kind = TypeVar("Kind", bound=Pictures)


@dataclass(frozen=True, eq=False)
class Images(Pictures):
    """Decoded photographs, ready to index: `pixels` is [R, 3, size, size], `take` gives [B, 3, size, size]."""

    @staticmethod
    def of(
        data: Any,
        labels: Any = None,
        *,
        classes: Sequence[str] | None = None,
        size: int | None = None,
    ) -> Images:
        """Images that are in memory already, or in a torch data set; see `foretell.data.images.arrays.of`."""
        from .images.arrays import of

        return of(data, labels, classes=classes, size=size)


@dataclass(frozen=True, eq=False)
class Captioned(Images):
    """Images with captions, at least one each.

    captions: texts, several a row; `texts` gives them as strings.
    others: further columns by name, such as the factors of scenes that are made.
    """

    captions: Column = field(default_factory=lambda: several_texts([]), repr=False)
    others: dict[str, Column] = field(default_factory=dict, repr=False)

    @property
    def stored(self) -> dict[str, Column]:
        """The pixels, the captions and the other columns."""
        return {"pixels": self.pixels, "captions": self.captions, **self.others}

    def with_columns(self, columns: dict[str, Column], **facts: Any) -> Captioned:
        """The same with other columns, and other facts."""
        own = {name: columns[name] for name in ("pixels", "captions")}
        others = {name: column for name, column in columns.items() if name not in own}
        return replace(self, **own, others=others, **facts)

    def texts(self, index: Index) -> list[list[str]]:
        """The captions at `index`: a list of strings for each."""
        return self._taken("captions", positions(index, len(self))).texts()


@dataclass(frozen=True, eq=False)
class Videos(Pictures):
    """Decoded clips, ready to index: `pixels` is [R, T, 3, size, size], a clip after the other.

    `take` and `batch` give them as models take them, channels before time: uint8 [B, 3, T, size, size]. The memory lies
    frame by frame: that is a view of it, not contiguous.
    """

    @property
    def columns(self) -> dict[str, ColumnType]:
        """The columns of `batch`: pixels [3, T, size, size]."""
        dtype, (T, *frame) = (known := super().columns)["pixels"]
        return known | {"pixels": ColumnType(dtype, (frame[0], T, *frame[1:]))}

    def _taken(self, name: str, places: np.ndarray) -> Any:
        found = super()._taken(name, places)
        return found.transpose(1, 2) if name == "pixels" else found


@dataclass(frozen=True, eq=False)
class Episodes(Videos):
    """Decoded clips with a state and an action a step. `take` gives the pictures, and `batch` all of it.

    states: float32 [R, T − 1, S]: the state before each action; S may be 0.
    actions: float32 [R, T − 1, A]: the action between a frame and the next.
    state_names, action_names: what their numbers are called.
    """

    states: np.ndarray | Chain = field(default_factory=lambda: np.empty((0, 0, 0), np.float32), repr=False)
    actions: np.ndarray | Chain = field(default_factory=lambda: np.empty((0, 0, 0), np.float32), repr=False)
    state_names: tuple[str, ...] = ()
    action_names: tuple[str, ...] = ()

    @property
    def stored(self) -> dict[str, Column]:
        """The pixels, the states and the actions."""
        return {"pixels": self.pixels, "states": self.states, "actions": self.actions}

    def steps(self, index: Index) -> tuple[Tensor, Tensor]:
        """States [B, T − 1, S] and actions [B, T − 1, A] of the clips at `index`."""
        places = positions(index, len(self))
        return self._taken("states", places), self._taken("actions", places)


@dataclass(frozen=True, eq=False)
class Records(Columns):
    """A data set of any columns: `foretell.data.table` reads feature vectors with labels and groups into one.

    arrays: the columns by name, of R rows.
    names: the names of a column's numbers, by column: `names["groups"][group]`.
    Other fields are as of `Pictures`.
    """

    arrays: dict[str, Column] = field(repr=False)
    labels: Tensor | None = field(default=None, repr=False)
    classes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    fingerprint: str = ""
    rows: np.ndarray | None = field(default=None, repr=False)
    whole: str | None = None
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def stored(self) -> dict[str, Column]:
        """The columns."""
        return self.arrays

    def with_columns(self, columns: dict[str, Column], **facts: Any) -> Records:
        """The same with other columns, and other facts."""
        return replace(self, arrays=columns, **facts)


def joined(parts: Sequence[K]) -> K:
    """Several whole sets as one, a set behind the other; one that comes twice counts twice.

    Labels are kept where all sets have the same classes.

    Raises ForetellError where the sets have other columns, or where episodes call their states and actions otherwise.
    """
    first, *others = parts
    if not others:
        return first
    episodes = [(part.state_names, part.action_names) for part in parts if isinstance(part, Episodes)]
    if len(set(episodes)) > 1:
        named = " and ".join(f"({', '.join(s + a)})" for s, a in dict.fromkeys(episodes))
        raise ForetellError(f"these episodes cannot be learned from together: found {named}; expected the same columns")
    parts = _in_common(parts)
    first = parts[0]
    if len(called := {tuple(sorted(part.stored)) for part in parts}) > 1:
        named = " and ".join(f"({', '.join(names)})" for names in sorted(called))
        raise ForetellError(f"these sets cannot be joined: found columns {named}; expected the same in each")
    known = [part.labels for part in parts if part.labels is not None and part.classes == first.classes]
    labelled = len(known) == len(parts)
    return first.with_columns(
        {name: chained([part.stored[name] for part in parts]) for name in first.stored},
        labels=torch.cat(known) if labelled else None,
        classes=first.classes if labelled else (),
        skipped=tuple(each for part in parts for each in part.skipped),
        fingerprint=hashlib.sha256(" ".join(part.fingerprint for part in parts).encode()).hexdigest()[:32],
    )


def _in_common(parts: Sequence[K]) -> Sequence[K]:
    """Captioned sets with the columns that all of them have: scenes that are made have more than photographs."""
    found = [part for part in parts if isinstance(part, Captioned)]
    if len(found) < len(parts):
        return parts
    shared = set.intersection(*({*part.stored} for part in found))
    cut = ({name: column for name, column in part.stored.items() if name in shared} for part in parts)
    return [part.with_columns(columns) for part, columns in zip(parts, cut, strict=True)]


def positions(index: Index, n: int) -> np.ndarray:
    """`index` as int64 positions in 0..n-1, so that equal selections have equal fingerprints."""
    index = np.asarray(index.cpu() if isinstance(index, Tensor) else index)
    if index.dtype == bool:
        if index.shape != (n,):
            raise IndexError(f"a mask over {n} items must have shape ({n},), not {index.shape}")
        return np.flatnonzero(index)
    if len(index) and not np.issubdtype(index.dtype, np.integer):
        raise IndexError(f"data is indexed by integers or a boolean mask, not {index.dtype}")
    return np.arange(n)[index.astype(np.int64)]
