"""Columns on disk: `NAME.npy`, read through a memory map.

A column of lists is two columns: `NAME.offsets.npy`, and its values as `NAME.values`, which may be lists again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from .columns import Chain, Column, ColumnType, Lists, type_of

PIECE = 64 * 2**20  # bytes that are read at once


class ColumnWriter:
    """Writes one column, some rows at a time.

    Through a file and not through a map: on a full disk a write raises, but a map kills the process.

    Args:
        folder: the folder of the files.
        name: of the column.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path, self._count = folder / f"{name}.npy", 0
        self._file: BinaryIO | None = None
        self._type: tuple[str, tuple[int, ...]] = ("", ())
        self._lists = (folder, name)
        self._parts: tuple[ColumnWriter, ColumnWriter] | None = None

    def write(self, rows: Column) -> None:
        """Append rows. They have the type and shape of the first ones."""
        if isinstance(rows, Lists):
            if self._parts is None:
                folder, name = self._lists
                self._parts = ColumnWriter(folder, f"{name}.offsets"), ColumnWriter(folder, f"{name}.values")
                self._parts[0].write(np.zeros(1, np.int64))
            self._parts[0].write(rows.offsets[1:] + self._parts[1].total)
            self._parts[1].write(rows.values)
        else:
            self._append(rows[:] if isinstance(rows, Chain) else rows)
        self._count += len(rows)

    @property
    def total(self) -> int:
        """Rows so far."""
        return self._count

    @property
    def type(self) -> ColumnType:
        """Type and shape of a row, once there is one."""
        if self._parts:
            values = self._parts[1].type
            return ColumnType(values.dtype, (None, *values.shape))
        return ColumnType(*self._type)

    def _append(self, rows: np.ndarray) -> None:
        kind = (rows.dtype.name, rows.shape[1:])
        if self._file is None:
            self._file, self._type = self._path.open("wb"), kind
            self._header(0)
        if kind != self._type:
            raise ValueError(f"{self._path.name}: rows are {kind}, and the first ones were {self._type}")
        self._file.write(np.ascontiguousarray(rows).data)

    def _header(self, count: int) -> None:
        """As long for every `count`: numpy pads the header so that arrays can grow."""
        if self._file:
            dtype, shape = self._type
            descr = npy.dtype_to_descr(np.dtype(dtype))
            npy.write_array_header_1_0(self._file, {"descr": descr, "fortran_order": False, "shape": (count, *shape)})

    def finish(self) -> None:
        """Say how many rows there are, and see to it that all of them are on the disk."""
        for part in self._parts or ():
            part.finish()
        if self._file:
            self._file.seek(0)
            self._header(self._count)
            self._file.flush()
            os.fsync(self._file.fileno())  # before the rename: a power cut cannot leave a named cache without its data

    def close(self) -> None:
        """Let go of the files, finished or not."""
        for part in self._parts or ():
            part.close()
        if self._file:
            self._file.close()


def open_column(folder: Path, name: str, kind: ColumnType) -> Column:
    """A column as it was written. Raises OSError or ValueError where it is missing, damaged, or of another type."""
    if kind.shape[:1] == (None,):
        offsets = np.load(folder / f"{name}.offsets.npy")
        found: Column = Lists(open_column(folder, f"{name}.values", ColumnType(kind.dtype, kind.shape[1:])), offsets)
    else:
        found = _mapped(folder / f"{name}.npy")
    if type_of(found) != kind:
        raise ValueError(f"{name}: found {type_of(found)}, expected {kind}")
    return found


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r")
    except ValueError:  # an array without numbers cannot be mapped
        if (found := np.load(path)).size:
            raise
        return found


def pieces(column: Column) -> Iterator[memoryview]:
    """The contents of a column in a fixed order, for a digest. Only one piece at a time is in memory."""
    column = column[:] if isinstance(column, Chain) else column
    if isinstance(column, Lists):
        yield from pieces(column.values)
        yield from pieces(column.offsets)
        return
    step = max(PIECE * len(column) // max(column.nbytes, 1), 1)
    for start in range(0, len(column), step):
        yield np.ascontiguousarray(column[start : start + step]).data
