"""Read Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretell.search.passage import Passage

from . import tables
from .block import Options, Report, Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 256  # read at once


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """One passage for each row; see `tables`. Columns of bytes are left out.

    Raises Unreadable where it is not a whole Parquet file.
    """
    yield from tables.passages(_rows(path, report), options, report)


def _rows(path: Path, report: Report) -> Iterator[tables.TableRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wrong: list[str] = []
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            number = 0
            for batch in file.iter_batches(ROWS, use_threads=False):
                names = tables.distinct(batch.schema.names)
                columns = [_values(column, name, wrong) for name, column in zip(names, batch.columns, strict=True)]
                for row in zip(*columns, strict=True):
                    yield number, dict(zip(names, row, strict=True))
                    number += 1
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"not a whole Parquet file ({str(error).splitlines()[0]})") from None
    if wrong:
        report(
            f"{len(wrong):,} values are out of range, as dates are after the year 9999; the first is in {wrong[0]!r}"
        )


def _values(column: pa.Array, name: str, wrong: list[str]) -> list[Any]:
    """The values of a column; None for values that Python does not have."""
    try:
        return column.to_pylist()
    except (OverflowError, ValueError):
        found: list[Any] = []
        for value in column:
            try:
                found.append(value.as_py())
            except (OverflowError, ValueError):
                found.append(None)
                wrong.append(name)
        return found
