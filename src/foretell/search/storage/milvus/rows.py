"""Entries as rows of Milvus, and filters as its expressions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foretell.errors import ForetellError
from foretell.search.entries import Draft, Entry, Hit
from foretell.search.storage import filters
from foretell.search.storage.filters import Filter, Value
from foretell.search.storage.milvus.client import MilvusRow, original, plain
from foretell.search.storage.milvus.records import LARGEST

TEXT = 65_535  # bytes
IDS = 2**53


def expression(filter: Filter) -> str:
    """A filter as a Milvus expression over the field `fields`.

    The field contains numbers under `n` and their name, and texts under `s`. Names and texts are hexadecimal. `!=`
    becomes `<` or `>`, which a missing field does not fulfil.

    Raises:
        ForetellError: the filter is empty, or has another form.
    """
    said = []
    for field, operator, values in filters.conditions(filter):
        any_of = []
        for kind in (str, (int, float)):
            if not (some := [value for value in values if isinstance(value, kind)]):
                continue
            name = f'fields["{_named(field, some[0])}"]'
            if operator == "=":
                parts: dict[type, list[str]] = {}  # Milvus wants one type in a list
                for value in some:
                    if isinstance(value, float) and float(value).is_integer() and abs(value) < 2**63:
                        value = int(value)
                    parts.setdefault(float if isinstance(value, float) else int, []).append(_literal(value))
                any_of += [f"{name} in [{', '.join(part)}]" for part in parts.values()]
            elif operator == "!=":
                any_of += [" and ".join(f"({name} < {each} or {name} > {each})" for each in map(_literal, some))]
            else:
                any_of += [f"{name} {operator} {_literal(some[0])}"]
        said.append(f"({' or '.join(any_of)})")
    return " and ".join(said)


def _named(field: str, value: Value) -> str:
    return f"{'s' if isinstance(value, str) else 'n'}{plain(field)}"


def _literal(value: Value) -> str:
    return f'"{plain(value)}"' if isinstance(value, str) else repr(int(value) if isinstance(value, bool) else value)


def hashed(key: str, turn: int) -> int:
    """The id of a key at a turn."""
    digest = hashlib.blake2b(f"{turn} {key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % IDS


def file_of(place: str | None) -> str:
    """The name of a file in rows; empty where there is none."""
    return hashlib.blake2b(place.encode(), digest_size=16).hexdigest() if place is not None else ""


def numbers_of(ids: Sequence[int]) -> list[int]:
    """The ids that a row can have."""
    return [id for id in ids if isinstance(id, int) and 0 <= id < 2**63]


def row_of(id: int, draft: Draft, key: str, place: str | None, old: str = "", has: bool = False) -> MilvusRow:
    """An entry as a row.

    Args:
        id: of the entry.
        draft: the entry.
        key: of the entry.
        place: of its file.
        old: the file that had it, and still has it where `place` is None.
        has: whether it had a thumbnail, and still has it where the draft brings none.
    """
    has = has or draft.thumbnail is not None
    entry = {"page": draft.page, "time": draft.time, "metadata": dict(draft.metadata), "thumbnail": has}
    indexed = filters.indexed(draft.metadata, draft.page)
    fields = {
        _named(k, v): plain(v) if isinstance(v, str) else int(v) if isinstance(v, bool) else v
        for k, v in indexed.items()
    }
    if len(draft.text.encode()) > TEXT:
        raise ForetellError(f"a text has {len(draft.text.encode()):,} bytes; a Milvus server takes {TEXT:,}: split it")
    if max(len(json.dumps(part).encode()) for part in (entry, fields)) > LARGEST:
        raise ForetellError(
            f"the metadata of an entry takes more than the {LARGEST:,} bytes that a Milvus server takes"
        )
    return {
        "id": id,
        "key": plain(key),
        "file": file_of(place) if place is not None else old,
        "text": draft.text,
        "entry": entry,
        "fields": fields,
        "vector": draft.vector.astype(np.float32).tolist(),
    }


def entry_of(row: MilvusRow) -> Entry:
    """A row, with its vector, as an entry."""
    page, time, metadata = _parts(row["entry"])
    vector = np.asarray(row["vector"], np.float32)
    return Entry(row["id"], original(row["key"]), row["text"], page, time, metadata, vector, has_thumbnail(row))


def hit_of(id: int, row: MilvusRow, score: float) -> Hit:
    """A row as a result."""
    page, time, metadata = _parts(row["entry"])
    key = original(row["key"])
    return Hit(id, key, score, row["text"], page, time, metadata, {"vector": score}, has_thumbnail(row))


def has_thumbnail(row: MilvusRow) -> bool:
    """Whether the entry of a row has a thumbnail."""
    return row["entry"].get("thumbnail", False)


def _parts(entry: Mapping[str, Any]) -> tuple[int | None, tuple[float, float] | None, dict[str, Value]]:
    time = None if entry["time"] is None else (entry["time"][0], entry["time"][1])
    return entry["page"], time, entry["metadata"]
