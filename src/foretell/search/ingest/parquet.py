"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from foretell.search.passage import Passage

from . import rows
from .block import Options, Report, Unusable

ROWS = 256  # read at once


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """A passage a row; see `rows`. Columns of bytes are left out. Raises Unusable: not a whole Parquet file."""
    yield from rows.passages(_rows(path), options, report)


def _rows(path: Path) -> Iterator[rows.Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            number = 0
            for batch in file.iter_batches(ROWS, use_threads=False):
                for row in batch.to_pylist():
                    yield number, row
                    number += 1
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise Unusable(f"not a whole Parquet file ({str(error).splitlines()[0]})") from None
