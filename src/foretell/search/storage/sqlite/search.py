"""Search a collection in a folder: by a vector, or by a vector and words.

n entries · D width
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence

import numpy as np

from foretell.extras import needed
from foretell.search.entries import Hit
from foretell.search.storage.filters import Filter
from foretell.search.storage.hnsw import Level
from foretell.search.storage.sqlite import pieces
from foretell.search.storage.sqlite import records as sql
from foretell.search.storage.sqlite.graph import GraphIndex
from foretell.search.storage.sqlite.records import EntryRow

FUSED = 50
"""Reciprocal rank fusion reads at least this many entries of each ranking."""
K = 60  # the constant of reciprocal rank fusion; Cormack, Clarke & Büttcher 2009, SIGIR


def search(
    c: sqlite3.Connection,
    index: GraphIndex,
    number: int,
    vector: np.ndarray,
    top: int,
    level: Level,
    filter: Filter | None,
    words: str | None,
) -> Sequence[Hit]:
    """The best entries of a collection, best first.

    Args:
        c: a connection that reads.
        index: of the collection, refreshed with this connection.
        number: of the collection.
        vector: the query [D].
        top: number of entries to find.
        level: effort of the search, 0 to 4, or "exact".
        filter: conditions on metadata.
        words: also rank entries by these words (BM25), and fuse both rankings.

    Raises:
        ForetellError: the filter has another form.
    """
    allowed = None
    if filter is not None:
        condition, parameters = sql.where(filter, number)
        # one text of all ids: to fetch them as rows takes ten times as long
        (ids,) = c.execute(f"SELECT json_group_array(id) FROM ({condition})", parameters).fetchone()
        allowed = np.array(needed("orjson", "a filter").loads(ids), np.int64)
    wanted = max(FUSED, 2 * top) if words is not None else top
    near = _nearest(c, index, number, vector, wanted, level, allowed)
    rows = {row[0]: row for row, _ in near}
    scores = {row[0]: {"vector": score} for row, score in near}
    order = list(scores)
    if words is not None:
        saying = matching(c, number, words, wanted, allowed)
        for id, score in saying:
            scores.setdefault(id, {})["words"] = score
        fused = fuse([order, [id for id, _ in saying]])
        for id, score in fused.items():
            scores[id]["fused"] = score
        order = sorted(fused, key=lambda id: -fused[id])[:top]
        rows |= {row[0]: row for row in sql.read(c, number, [id for id in order if id not in rows])}
    return [sql.hit(rows[id], scores[id]) for id in order[:top]]


def fuse(rankings: Sequence[Sequence[int]]) -> dict[int, float]:
    """Reciprocal rank fusion: Σ over rankings of 1 / (60 + rank)."""
    fused: dict[int, float] = {}
    for ranking in rankings:
        for rank, id in enumerate(ranking, 1):
            fused[id] = fused.get(id, 0.0) + 1 / (K + rank)
    return fused


def _nearest(
    c: sqlite3.Connection,
    index: GraphIndex,
    number: int,
    query: np.ndarray,
    top: int,
    level: Level,
    allowed: np.ndarray | None,
) -> Sequence[tuple[EntryRow, float]]:
    """The nearest entries and their cosine similarity, nearest first."""
    k, more = top, True
    near: Sequence[tuple[EntryRow, float]] = []
    while more and len(near) < top:
        proposed, more = index.propose(c, query, k, level, allowed)
        near, k = _scored(c, number, query, proposed.tolist(), top), 4 * k
    return near


def _scored(
    c: sqlite3.Connection, number: int, query: np.ndarray, ids: Sequence[int], top: int
) -> Sequence[tuple[EntryRow, float]]:
    rows = sql.read(c, number, ids)
    if not rows:
        return []
    x = np.frombuffer(b"".join([row[-1] for row in rows]), "<f4").reshape(len(rows), -1)
    scores = (x @ query) / (np.sqrt(np.einsum("nd,nd->n", x, x)) * math.sqrt(query @ query))
    best = np.lexsort(([row[0] for row in rows], -scores))[:top]  # ties by id: the same query gives the same order
    return [(rows[place], score) for place, score in zip(best.tolist(), scores[best].tolist(), strict=True)]


def matching(
    c: sqlite3.Connection, number: int, words: str, top: int, allowed: np.ndarray | None
) -> Sequence[tuple[int, float]]:
    """The entries that contain any of the words, and their BM25, best first."""
    terms = {word for word in "".join(ch if ch.isalnum() else " " for ch in words).split()}
    found = dict(_rows(c, f"text_{number}", [f'"{term}"' for term in sorted(terms)], top, allowed))
    if (parts := pieces.asked(words)) and pieces.there(c, number):
        for id, score in _rows(c, f"piece_{number}", parts, top, allowed):
            found[id] = found.get(id, 0.0) + score
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:top]


def _rows(
    c: sqlite3.Connection, table: str, terms: Sequence[str], top: int, allowed: np.ndarray | None
) -> Sequence[tuple[int, float]]:
    """The rows of an index of words that contain any of the terms, and their BM25, best first."""
    if not terms:
        return []
    among, parameters = "", ()
    if allowed is not None:
        among, parameters = "AND rowid IN (SELECT value FROM json_each(?))", (json.dumps(allowed.tolist()),)
    rows = c.execute(
        f"SELECT rowid, -rank FROM {table} WHERE {table} MATCH ? {among} ORDER BY rank LIMIT ?",
        (" OR ".join(terms), *parameters, top),
    )
    return rows.fetchall()
