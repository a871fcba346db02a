"""A knowledge as a Parquet file: to keep it, to move it, and for other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.search.entries import Entry
from foretell.search.storage.protocol import Collection, Origin, StoredEntry

ABOUT = b"foretell.knowledge"
KEPT = ("contract_id", "name", "title", "description", "category", "owner", "created", "model", "fingerprint", "public")
GROUP = 4096  # rows written at a time


def export(collection: Collection, path: Path) -> Path:
    """Write a collection to a Parquet file, one row for each entry. The file's metadata hold its description.

    Raises:
        ForetellError: the file cannot be written. A file that was there before stays as it was.
    """
    needed("pyarrow", "exporting")
    import pyarrow as pa
    import pyarrow.parquet as pq

    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        said = asdict(collection.about()) | {"fingerprint": collection.record().fingerprint}
        about = json.dumps({name: said[name] for name in (*KEPT, "dimension")})
        schema = pa.schema(
            [
                ("id", pa.int64()),
                ("key", pa.string()),
                ("text", pa.string()),
                ("page", pa.int64()),
                ("start", pa.float64()),
                ("stop", pa.float64()),
                ("metadata", pa.string()),
                ("vector", pa.list_(pa.float32(), said["dimension"] or 1)),
                ("file", pa.string()),
                ("file_hash", pa.string()),
                ("file_kind", pa.string()),
                ("copies", pa.list_(pa.struct([("file", pa.string()), ("file_kind", pa.string())]))),
                ("thumbnail", pa.binary()),
            ],
            metadata={ABOUT: about.encode()},
        )
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for some in collection.rows(GROUP):
                columns: list[Any] = [list(column) for column in zip(*map(_row, some), strict=True)]
                vectors = np.stack(columns[7]).astype(np.float32)
                columns[7] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
                writer.write_table(pa.table(columns, schema=schema))
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, pa.ArrowException) as error:
        raise ForetellError(f"{path} could not be written ({error})") from None
    finally:
        part.unlink(missing_ok=True)
    return path


@contextmanager
def exported(path: Path) -> Iterator[tuple[dict[str, Any], Iterator[Sequence[StoredEntry]]]]:
    """Open a file that `export` wrote: the description of the knowledge (`KEPT`), and its entries as they are read.

    Raises:
        ForetellError: the file is missing, damaged or of another kind. Reading the entries may raise it too.
    """
    needed("pyarrow", "importing")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield _about(file, path), _rows(file, path)
    except FileNotFoundError:
        raise ForetellError(f"{path} does not exist") from None
    except (OSError, pa.ArrowException) as error:
        raise ForetellError(f"{path} cannot be read as Parquet ({str(error).splitlines()[0]})") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ForetellError(f"{path} is not what `foretell knowledge export` writes ({error!r:.200})") from None


def _row(stored: StoredEntry) -> tuple[Any, ...]:
    e, origins, small = stored
    start, stop = e.time or (None, None)
    metadata = json.dumps(e.metadata, ensure_ascii=False, allow_nan=False)
    file = origins[0] if origins else (None, None, None)
    copies = [{"file": other.place, "file_kind": other.kind} for other in origins[1:]]
    return (e.id, e.key, e.text, e.page, start, stop, metadata, e.vector, *file, copies, small)


def _about(file: Any, path: Path) -> dict[str, Any]:
    said = (file.schema_arrow.metadata or {}).get(ABOUT)
    if said is None:
        raise ForetellError(f"{path} is a Parquet file, but not one that `foretell knowledge export` wrote")
    about = json.loads(said)
    return {key: about[key] for key in KEPT}


def _rows(file: Any, path: Path) -> Iterator[Sequence[StoredEntry]]:
    last = -1
    for batch in file.iter_batches(GROUP):
        some = []
        for row in batch.to_pylist():
            if not isinstance(row["id"], int) or row["id"] <= last:
                raise ForetellError(f"{path}: ids do not ascend; was the file changed?")
            last = row["id"]
            time = None if row["start"] is None else (row["start"], row["stop"])
            vector, metadata = np.array(row["vector"], np.float32), json.loads(row["metadata"])
            entry = Entry(last, row["key"], row["text"], row["page"], time, metadata, vector)
            files = [] if row["file"] is None else [row, *(row.get("copies") or [])]
            origins = [Origin(f["file"], row["file_hash"], f["file_kind"]) for f in files]
            some.append(StoredEntry(entry, origins, row.get("thumbnail")))
        yield some
