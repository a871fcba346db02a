"""A knowledge as a Parquet file: for keeping, moving, and other programs."""

from __future__ import annotations

import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretell.errors import ForetellError
from foretell.search import entries
from foretell.search.entries import Draft
from foretell.search.store import Removed, Store

if TYPE_CHECKING:
    from foretell.search.knowledge import Knowledge

ABOUT = b"foretell.knowledge"
KEPT = ("contract_id", "name", "title", "description", "category", "owner", "created", "model", "fingerprint", "public")
GROUP = 4096  # rows written at a time


def export(knowledge: Knowledge, path: Path) -> Path:
    """As `Knowledge.export`: a row an entry; what the knowledge says of itself is in the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = knowledge.number
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with knowledge.store.read() as c:
            row = c.execute(f"SELECT {', '.join(KEPT)}, dimension FROM collection WHERE number = ?", (n,)).fetchone()
            if row is None:
                raise Removed
            about = json.dumps(dict(zip((*KEPT, "dimension"), row, strict=True)))
            schema = pa.schema(
                [
                    ("id", pa.int64()),
                    ("key", pa.string()),
                    ("text", pa.string()),
                    ("page", pa.int64()),
                    ("start", pa.float64()),
                    ("stop", pa.float64()),
                    ("metadata", pa.string()),
                    ("vector", pa.list_(pa.float32(), row[-1] or 1)),
                    ("file", pa.string()),
                    ("file_hash", pa.string()),
                    ("file_kind", pa.string()),
                ],
                metadata={ABOUT: about.encode()},
            )
            rows = c.execute(
                f"SELECT id, key, text, page, start, stop, metadata, vector, path, hash, kind FROM entry_{n} "
                "LEFT JOIN source ON number = source ORDER BY id"
            )
            with pq.ParquetWriter(part, schema, compression="zstd") as writer:
                while some := rows.fetchmany(GROUP):
                    columns: list[Any] = [list(column) for column in zip(*some, strict=True)]
                    numbers = np.frombuffer(b"".join(columns[7]), "<f4")
                    columns[7] = pa.FixedSizeListArray.from_arrays(pa.array(numbers), row[-1])
                    writer.write_table(pa.table(columns, schema=schema))
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, pa.ArrowException) as error:
        raise ForetellError(f"{path} could not be written ({error})") from None
    finally:
        part.unlink(missing_ok=True)
    return path


def import_(store: Store, path: Path, name: str | None) -> int:
    """As `Knowledge.import_`; returns the collection's number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from foretell.search.knowledge import enter

    try:
        with pq.ParquetFile(path) as file:
            about = _about(file, path)
            about["name"] = name or about["name"]
            with store.write() as c:
                if c.execute("SELECT 1 FROM collection WHERE contract_id = ?", (about["contract_id"],)).fetchone():
                    about["contract_id"] = urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
                number = enter(c, about)
                sources: dict[str, int] = {}
                last = -1
                for rows in _rows(file):
                    for row in rows:
                        if not isinstance(row["id"], int) or row["id"] <= last:
                            raise ForetellError(f"{path}: ids do not ascend; was the file changed?")
                        last = row["id"]
                        c.execute("UPDATE collection SET next_id = ? WHERE number = ?", (last, number))
                        draft, source = _draft(row), None
                        if row["file"] is not None:
                            source = sources.get(row["file"])
                            if source is None:
                                values = (number, row["file"], row["file_hash"], row["file_kind"])
                                (source,) = c.execute(
                                    "INSERT INTO source (collection, path, hash, kind) VALUES (?, ?, ?, ?) "
                                    "RETURNING number",
                                    values,
                                ).fetchone()
                                sources[row["file"]] = source
                        entries.put(c, number, [entries.checked(draft)], source=source)
                return number
    except FileNotFoundError:
        raise ForetellError(f"{path} does not exist") from None
    except (OSError, pa.ArrowException) as error:
        raise ForetellError(f"{path} cannot be read as Parquet ({str(error).splitlines()[0]})") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ForetellError(f"{path} is not what `foretell knowledge export` writes ({error!r:.200})") from None


def _about(file: Any, path: Path) -> dict[str, Any]:
    said = (file.schema_arrow.metadata or {}).get(ABOUT)
    if said is None:
        raise ForetellError(f"{path} is a Parquet file, but not one that `foretell knowledge export` wrote")
    about = json.loads(said)
    return {key: about[key] for key in KEPT}


def _rows(file: Any) -> Iterator[list[dict[str, Any]]]:
    for batch in file.iter_batches(GROUP):
        yield batch.to_pylist()


def _draft(row: dict[str, Any]) -> Draft:
    time = None if row["start"] is None else (row["start"], row["stop"])
    vector = np.array(row["vector"], np.float32)
    return Draft(row["text"], vector, row["page"], time, json.loads(row["metadata"]), row["key"])
