"""Stored columns: arrays of any type and shape with a row for each sample, and lists of any length.

N rows of a column
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from foretell.errors import ForetellError

from .batch import Ragged


class ColumnType(NamedTuple):
    """Type and shape of one sample in a column."""

    dtype: str
    """As numpy names it, such as "uint8"."""
    shape: tuple[int | None, ...]
    """Shape of one sample; None for an axis whose length differs from sample to sample."""


class Chain:
    """Arrays [N, ...] that differ in N alone, read as one behind the other: none is copied."""

    def __init__(self, parts: Sequence[np.ndarray | Chain]) -> None:
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
        """As for an array, along the first axis: a copy."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        of = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(of):
            here, part = of == number, self.parts[number]
            found[here] = part.take(rows[here] - self._ends[number] + len(part), axis=axis)
        return found


@dataclass(frozen=True, eq=False)
class Lists:
    """A list a row, each of its own length: row i has `values[offsets[i] : offsets[i + 1]]`.

    Values may be lists themselves: the captions of an image are a list of texts, and a text is a list of bytes.
    """

    values: Column
    offsets: np.ndarray
    """int64 [N + 1], from 0 to the number of values."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: np.ndarray, axis: int = 0) -> Lists:
        """The lists of some rows, in that order: a copy."""
        starts, ends = self.offsets[:-1].take(rows), self.offsets[1:].take(rows)
        offsets = _offsets(ends - starts)
        within = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], ends - starts)
        return Lists(self.values.take(within, axis=axis), offsets)


Column: TypeAlias = np.ndarray | Chain | Lists


def lists(rows: Sequence[np.ndarray]) -> Lists:
    """Arrays [L, ...] that differ in L alone, at least one of them, as a column."""
    return Lists(np.concatenate(rows), _offsets([len(row) for row in rows]))


def texts(rows: Sequence[str]) -> Lists:
    """A text a row, kept as UTF-8."""
    encoded = [row.encode() for row in rows]
    values = np.frombuffer(bytearray().join(encoded), np.uint8)
    return Lists(values, _offsets([len(row) for row in encoded]))


def several_texts(rows: Sequence[Sequence[str]]) -> Lists:
    """Any number of texts a row: captions."""
    return Lists(texts([text for row in rows for text in row]), _offsets([len(row) for row in rows]))


def _offsets(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def type_of(column: Column) -> ColumnType:
    """Type and shape of one row of a column."""
    if isinstance(column, Lists):
        inner = type_of(column.values)
        return ColumnType(inner.dtype, (None, *inner.shape))
    return ColumnType(column.dtype.name, tuple(column.shape[1:]))


def chained(columns: Sequence[Column]) -> Column:
    """Columns of one type, one behind the other; no value is copied.

    Raises ForetellError where they differ in their type.
    """
    kinds = {type_of(column) for column in columns}
    if len(kinds) > 1:
        raise ForetellError(f"these columns cannot be joined: found {' and '.join(map(str, sorted(kinds, key=str)))}.")
    if found := [column for column in columns if isinstance(column, Lists)]:
        lengths = np.concatenate([np.diff(column.offsets) for column in found])
        return Lists(chained([column.values for column in found]), _offsets(lengths))
    return Chain([column for column in columns if not isinstance(column, Lists)])


def tensor(column: Column) -> Tensor | Ragged:
    """The result of a column's `take`, in the form of a batch; it shares the memory."""
    if isinstance(column, Lists):
        return Ragged(tensor(column.values), torch.from_numpy(column.offsets))
    return torch.from_numpy(column if isinstance(column, np.ndarray) else column[:])
