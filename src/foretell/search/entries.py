"""Entries as rows: written, deleted and read inside a transaction.

n entries · D width
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float32

from foretell.errors import ForetellError
from foretell.search import filters
from foretell.search.extra import needed
from foretell.search.filters import Value
from foretell.search.store import Removed

REMEMBERED = 10_000  # deletions that an open index may yet have to hear of


@dataclass(frozen=True)
class Hit:
    """An entry that a search found."""

    id: int
    key: str
    """32 hexadecimal digits: stays while the passage stays the same, when its file is changed or exported."""
    score: float
    """What the results are sorted by, highest first: the last of the scores below that was asked for."""
    text: str
    page: int | None
    time: tuple[float, float] | None
    metadata: dict[str, Value]
    scores: dict[str, float] = field(default_factory=dict)
    """`vector`: cosine similarity, −1 to 1. `words`: BM25. `fused`: reciprocal rank fusion. `rerank`: 0 to 1."""


@dataclass(frozen=True)
class Entry:
    """All that is stored of an entry."""

    id: int
    key: str
    text: str
    page: int | None
    time: tuple[float, float] | None
    metadata: dict[str, Value]
    vector: Float32[np.ndarray, " D"]


@dataclass(frozen=True)
class Draft:
    """An entry to be written."""

    text: str
    vector: Float32[np.ndarray, " D"]
    page: int | None = None
    time: tuple[float, float] | None = None
    metadata: Mapping[str, Value] = field(default_factory=dict)
    key: str | None = None
    """Made up where it is None."""


COLUMNS = "id, key, text, page, start, stop, metadata, vector"
Row: TypeAlias = tuple[Any, ...]
"""Of `COLUMNS`."""


def hit(row: Row, scores: dict[str, float]) -> Hit:
    """A row of `read` as a result."""
    id, key, text, page, start, stop, metadata, _ = row
    time = None if start is None else (start, stop)
    return Hit(id, key, list(scores.values())[-1], text, page, time, needed("orjson").loads(metadata), scores)


def entry(row: Row) -> Entry:
    """A row of `read`, with its vector, as an entry."""
    id, key, text, page, start, stop, metadata, vector = row
    time = None if start is None else (start, stop)
    return Entry(id, key, text, page, time, needed("orjson").loads(metadata), np.frombuffer(vector, "<f4"))


def read(c: sqlite3.Connection, number: int, ids: Sequence[int]) -> Sequence[Row]:
    """Entries as `COLUMNS`, in no order; without those that are not there."""
    asked = json.dumps([id for id in ids if isinstance(id, int) and 0 <= id < 2**63])
    return c.execute(
        f"SELECT {COLUMNS} FROM entry_{number} WHERE id IN (SELECT value FROM json_each(?))", (asked,)
    ).fetchall()


def put(
    c: sqlite3.Connection,
    number: int,
    drafts: Sequence[Draft],
    fingerprint: str | None = None,
    source: int | None = None,
) -> list[int]:
    """Write checked entries inside a transaction; returns their ids. One with a known key takes that entry's place."""
    found = c.execute(
        "SELECT dimension, fingerprint, next_id, seq + 1 FROM collection WHERE number = ?", (number,)
    ).fetchone()
    if found is None:
        raise Removed
    dimension, embedded, next_id, seq = found
    first = next_id
    if not drafts:
        return []
    if fingerprint and embedded not in (None, fingerprint):
        raise ForetellError("this knowledge was embedded by another model: its vectors mean other things")
    dimension = dimension or len(drafts[0].vector)
    ids = []
    for place, draft in enumerate(drafts):
        if len(draft.vector) != dimension:
            raise ForetellError(f"vector {place} has {len(draft.vector)} numbers, expected {dimension}")
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
    """Delete entries inside a transaction; returns how many were there."""
    rows = c.execute(
        f"SELECT id, text, page, metadata FROM entry_{number} WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    ).fetchall()
    if not rows:
        return 0
    (seq,) = c.execute(
        "UPDATE collection SET seq = seq + 1, count = count - ? WHERE number = ? RETURNING seq", (len(rows), number)
    ).fetchone()
    for row in rows:
        _unlist(c, number, *row)
        c.execute(f"DELETE FROM entry_{number} WHERE id = ?", (row[0],))
        c.execute(f"INSERT INTO deleted_{number} VALUES (?, ?)", (seq, row[0]))
    logged = f"SELECT count(*) FROM (SELECT 1 FROM deleted_{number} LIMIT {REMEMBERED + 1})"
    if c.execute(logged).fetchone()[0] > REMEMBERED:  # an index that has not heard of these is read anew
        c.execute(f"DELETE FROM deleted_{number}")
        c.execute("UPDATE collection SET pruned = seq WHERE number = ?", (number,))
    return len(rows)


def _unlist(c: sqlite3.Connection, number: int, id: int, text: str, page: int | None, metadata: str) -> None:
    """Take an entry out of the word index and the table of fields."""
    c.execute(f"INSERT INTO text_{number} (text_{number}, rowid, text) VALUES ('delete', ?, ?)", (id, text))
    c.executemany(
        f"DELETE FROM field_{number} WHERE key = ? AND value = ? AND id = ?",
        [(name, value, id) for name, value in filters.indexed(json.loads(metadata), page).items()],
    )


def as_vectors(values: Any) -> Float32[np.ndarray, "n D"]:
    """Vectors as a matrix.

    Raises:
        ForetellError: they are of different lengths, empty, or hold what is not a finite number, or only zeros.
    """
    try:
        with np.errstate(over="ignore"):  # what overflows is not finite, and told of below
            matrix = np.asarray(values, np.float32)
    except (ValueError, TypeError, OverflowError):
        raise ForetellError("the vectors are not numbers, or not all of one length") from None
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ForetellError(f"the vectors are of shape {matrix.shape}, expected n rows of D numbers")
    norms = np.linalg.norm(matrix, axis=1)
    wrong = np.flatnonzero(~(np.isfinite(norms) & (norms > 1e-30)))
    if not len(wrong):
        return matrix
    row = int(wrong[0])
    if not np.isfinite(matrix[row]).all():
        raise ForetellError(f"vector {row} holds a number that is not finite")
    raise ForetellError(f"vector {row} has length {norms[row]:g}, so it has no direction to compare")


def checked(draft: Draft) -> Draft:
    """See that an entry can be stored and found again. Raises ForetellError."""
    text_of("text", draft.text)
    text_of("key", draft.key or "")
    for name, value in draft.metadata.items():
        text_of("metadata: a name", name)
        if isinstance(value, str):
            text_of(f"metadata: {name}", value)
        elif not isinstance(value, (int, float)) or not np.isfinite(float(value)):
            raise ForetellError(f"metadata: {name} is {value!r:.60}, expected text, a finite number or truth")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ForetellError(f"metadata: {name} is {value}, expected at most 64 bits")
    as_vectors(draft.vector[None])
    return draft


def text_of(what: str, text: object) -> None:
    """See that something is text that can be stored. Raises ForetellError."""
    if not isinstance(text, str):
        raise ForetellError(f"{what} is {text!r:.60}, expected text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ForetellError(f"{what} holds half a character (a lone surrogate), which is not text") from None
