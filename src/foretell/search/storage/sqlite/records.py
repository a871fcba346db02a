"""Entries as rows of SQLite: write, delete, read and filter them inside a transaction.

n entries · D width
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from foretell.extras import needed
from foretell.search.entries import Draft, Entry, Hit
from foretell.search.storage import filters
from foretell.search.storage.checks import check_model, check_widths
from foretell.search.storage.filters import Filter, Value
from foretell.search.storage.protocol import Removed
from foretell.search.storage.sqlite import pieces, thumbnails

REMEMBERED = 10_000  # deletions that are kept for open indexes, which follow the store
EntryRow: TypeAlias = tuple[Any, ...]
"""The values of `columns`."""


def columns(c: sqlite3.Connection, number: int) -> str:
    """What is read of each entry. The vector comes last."""
    return f"entry_{number}.id, key, text, page, start, stop, metadata, {thumbnails.told(c, number)}, vector"


def hit(row: EntryRow, scores: dict[str, float]) -> Hit:
    """A row of `read` as a result."""
    id, key, text, page, start, stop, metadata, small, _ = row
    time = None if start is None else (start, stop)
    return Hit(
        id,
        key,
        list(scores.values())[-1],
        text,
        page,
        time,
        needed("orjson", "reading entries").loads(metadata),
        scores,
        bool(small),
    )


def entry(row: EntryRow) -> Entry:
    """A row of `read`, with its vector, as an entry."""
    id, key, text, page, start, stop, metadata, small, vector = row
    time = None if start is None else (start, stop)
    fields = needed("orjson", "reading entries").loads(metadata)
    return Entry(id, key, text, page, time, fields, np.frombuffer(vector, "<f4"), bool(small))


def read(c: sqlite3.Connection, number: int, ids: Sequence[int]) -> Sequence[EntryRow]:
    """Entries as `columns`, in no order; unknown ids are ignored."""
    asked = json.dumps([id for id in ids if isinstance(id, int) and 0 <= id < 2**63])
    return c.execute(
        f"SELECT {columns(c, number)} FROM entry_{number} WHERE id IN (SELECT value FROM json_each(?))", (asked,)
    ).fetchall()


def put(
    c: sqlite3.Connection,
    number: int,
    drafts: Sequence[Draft],
    fingerprint: str | None = None,
    source: int | None = None,
) -> list[int]:
    """Write checked entries, and return their ids. A draft with the key of an entry replaces that entry."""
    found = c.execute(
        "SELECT dimension, fingerprint, next_id, seq + 1 FROM collection WHERE number = ?", (number,)
    ).fetchone()
    if found is None:
        raise Removed
    dimension, embedded, next_id, seq = found
    first = next_id
    if not drafts:
        return []
    pieces.lay(c, number)
    check_model(fingerprint, embedded)
    dimension = dimension or len(drafts[0].vector)
    check_widths(drafts, dimension)
    ids = []
    for draft in drafts:
        key = draft.key or secrets.token_hex(16)
        old = c.execute(f"SELECT id, text, page, metadata, source FROM entry_{number} WHERE key = ?", (key,)).fetchone()
        if old:
            id, kept = old[0], old[4] if source is None else source
            _unlist(c, number, *old[:4])
        else:
            id, kept, next_id = next_id, source, next_id + 1
        start, stop = draft.time or (None, None)
        metadata = json.dumps(dict(draft.metadata), ensure_ascii=False, allow_nan=False)
        c.execute(
            f"INSERT OR REPLACE INTO entry_{number} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (id, key, seq, kept, draft.page, start, stop, draft.text, metadata, draft.vector.astype("<f4").tobytes()),
        )
        c.execute(f"INSERT INTO text_{number} (rowid, text) VALUES (?, ?)", (id, draft.text))
        pieces.put(c, number, [(id, draft.text)])
        if draft.thumbnail is not None:
            thumbnails.put(c, number, id, draft.thumbnail)
        c.executemany(
            f"INSERT INTO field_{number} VALUES (?, ?, ?)",
            [(name, value, id) for name, value in filters.indexed(draft.metadata, draft.page).items()],
        )
        ids.append(id)
    c.execute(
        "UPDATE collection SET seq = ?, next_id = ?, dimension = ?, fingerprint = coalesce(fingerprint, ?), "
        "count = count + ? WHERE number = ?",
        (seq, next_id, dimension, fingerprint, next_id - first, number),
    )
    return ids


def drop(c: sqlite3.Connection, number: int, ids: Sequence[int]) -> int:
    """Delete entries; returns how many were deleted."""
    rows = c.execute(
        f"SELECT id, text, page, metadata FROM entry_{number} WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    ).fetchall()
    if not rows:
        return 0
    pieces.lay(c, number)
    thumbnails.drop(c, number, [row[0] for row in rows])
    (seq,) = c.execute(
        "UPDATE collection SET seq = seq + 1, count = count - ? WHERE number = ? RETURNING seq", (len(rows), number)
    ).fetchone()
    for row in rows:
        _unlist(c, number, *row)
        c.execute(f"DELETE FROM entry_{number} WHERE id = ?", (row[0],))
        c.execute(f"INSERT INTO deleted_{number} VALUES (?, ?)", (seq, row[0]))
    logged = f"SELECT count(*) FROM (SELECT 1 FROM deleted_{number} LIMIT {REMEMBERED + 1})"
    if c.execute(logged).fetchone()[0] > REMEMBERED:  # an index that has not followed them is read again
        c.execute(f"DELETE FROM deleted_{number}")
        c.execute("UPDATE collection SET pruned = seq WHERE number = ?", (number,))
    return len(rows)


def _unlist(c: sqlite3.Connection, number: int, id: int, text: str, page: int | None, metadata: str) -> None:
    """Remove an entry from the indexes of words and the table of fields."""
    pieces.drop(c, number, id)
    c.execute(f"INSERT INTO text_{number} (text_{number}, rowid, text) VALUES ('delete', ?, ?)", (id, text))
    c.executemany(
        f"DELETE FROM field_{number} WHERE key = ? AND value = ? AND id = ?",
        [(name, value, id) for name, value in filters.indexed(json.loads(metadata), page).items()],
    )


def where(filter: Filter, number: int) -> tuple[str, list[Value]]:
    """A query for the ids of the entries that fulfil a filter, and its parameters. Raises ForetellError."""
    queries: list[str] = []
    parameters: list[Value] = []
    for field, operator, values in filters.conditions(filter):
        places = f"({', '.join('?' * len(values))})"
        test = f"value {'NOT ' * (operator == '!=')}IN {places}" if len(values) > 1 else f"value {operator} ?"
        queries.append(f"SELECT id FROM field_{number} WHERE key = ? AND {test} AND {_kind(values)}")
        parameters += [field, *values]
    return " INTERSECT ".join(queries), parameters


def _kind(values: Sequence[Value]) -> str:
    """A condition on the type of a field: numbers are compared with numbers, texts with texts."""
    kinds = {kind for value in values for kind in (["text"] if isinstance(value, str) else ["integer", "real"])}
    return f"typeof(value) IN ({', '.join(repr(kind) for kind in sorted(kinds))})"
