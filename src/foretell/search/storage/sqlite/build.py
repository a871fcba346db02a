"""Build the graph of a run of changes, without copies of one vector, and measure it.

n entries · D width
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float32

from foretell.search.storage.hnsw import LEVELS
from foretell.search.storage.sqlite.flat import Exact, unit
from foretell.search.storage.sqlite.graph_file import (
    SAMPLED,
    Copies,
    GraphFile,
    Measured,
    empty,
    known,
    measure,
    restored,
)

if TYPE_CHECKING:
    from usearch.index import Index as Usearch

Turns: TypeAlias = Callable[[int, int], Iterator[tuple[np.ndarray, np.ndarray]]]
"""Ids and vectors of the entries that were last written after one change, up to another, some at a time."""
TOP = 10
TIMED = 20_000  # entries of the scan that is timed


class EntryRun(NamedTuple):
    """Successive changes that are in one graph, or will be."""

    since: int
    until: int
    count: int
    """The number of entries that were last written in it."""
    graph: GraphFile | None
    """The graph of the whole run, or of its beginning."""

    @property
    def done(self) -> bool:
        """Whether the graph contains the whole run."""
        return self.graph is not None and self.graph.seq == self.until


class Builder:
    """Builds the graph of one run.

    Args:
        run: of changes.
        turns: reads the entries of the run.
        advance: is called with the number of vectors that were added.
        stop: set it to end the work. What is built then is not whole.
    """

    def __init__(self, run: EntryRun, turns: Turns, advance: Callable[[int], None], stop: threading.Event) -> None:
        self._run, self._turns, self._advance, self._stop = run, turns, advance, stop
        self._hnsw: Usearch | None = None
        self._copies: dict[int, int] = {}  # copy -> the node that stands for it
        self._nodes: dict[bytes, int] = {}  # the hash of a vector -> its node

    def build(self, folder: Path) -> tuple[Usearch, Copies, Measured] | None:
        """The graph; None if no entry is left, or `stop` is set. It extends that of the run's beginning if it can.

        Args:
            folder: of the files of graphs.
        """
        done = self._run.graph.seq if self._run.graph and self._restore(folder, self._run.graph) else self._run.since
        self._add(done)
        if self._hnsw is None or self._stop.is_set():
            return None
        pairs = np.array([(node, copy) for copy, node in self._copies.items()], np.int64).reshape(-1, 2)
        copies = Copies(pairs)
        return self._hnsw, copies, self._measured(self._hnsw, copies)

    def _restore(self, folder: Path, graph: GraphFile) -> bool:
        """Start from a graph. A graph with a node that has changed, but whose copies have not, cannot be extended."""
        try:
            hnsw, (copies, _) = restored(folder, graph), known(folder, graph)
        except (ValueError, RuntimeError):
            return False
        changed = {id for ids, _ in self._turns(graph.seq, self._run.until) for id in ids.tolist()}
        pairs = [(node, copy) for node, copy in copies.pairs.tolist() if copy not in changed]
        if any(node in changed for node, _ in pairs):
            return False
        self._hnsw, self._copies = hnsw, {copy: node for node, copy in pairs}
        for ids, vectors in self._turns(self._run.since, graph.seq):
            nodes = ((id, vector) for id, vector in zip(ids.tolist(), vectors, strict=True) if id not in self._copies)
            self._nodes |= {_hash(vector): id for id, vector in nodes}
        return True

    def _add(self, since: int) -> None:
        for ids, vectors in self._turns(since, self._run.until):
            if self._stop.is_set():
                return
            if self._hnsw is None:
                self._hnsw = empty(vectors.shape[1])
            nodes = [self._nodes.setdefault(_hash(v), id) for id, v in zip(ids.tolist(), vectors, strict=True)]
            own = np.array(nodes) == ids
            self._copies |= {copy: nodes[place] for place, copy in enumerate(ids.tolist()) if not own[place]}
            self._hnsw.remove(ids[self._hnsw.contains(ids)], threads=1)
            # more threads leave nodes that no search finds (usearch issue 735)
            self._hnsw.add(ids[own], vectors[own], threads=1)
            self._advance(len(ids))

    def _measured(self, hnsw: Usearch, copies: Copies) -> Measured:
        """Search for some entries, and compare with a scan of all."""
        nodes, rng = np.array(list(self._nodes.values()), np.int64), np.random.default_rng(0)
        sample = rng.choice(nodes, min(SAMPLED, len(nodes)), replace=False)
        asked: dict[int, np.ndarray] = {}
        scan: Exact | None = None
        for ids, vectors in self._turns(self._run.since, self._run.until):
            asked |= {int(ids[place]): vectors[place] for place in np.flatnonzero(np.isin(ids, sample)).tolist()}
            scan = scan or Exact(vectors.shape[1])
            if len(scan) < TIMED:
                scan.put(ids, vectors)
        if scan is None or not asked:  # all were deleted meanwhile
            return Measured([1.0] * len(LEVELS), [0.0] * (len(LEVELS) + 1))
        queries = unit(np.stack(list(asked.values())))
        start = time.thread_time()
        for query in queries:
            scan.search(query, TOP)
        seconds = (time.thread_time() - start) / len(queries) * len(nodes) / len(scan)
        return measure(hnsw, queries, self._nearest(np.array(list(asked)), queries, copies), seconds)

    def _nearest(self, asked: np.ndarray, queries: np.ndarray, copies: Copies) -> list[set[int]]:
        """For each query the ids of the nearest other nodes, by comparing it with all."""
        best = np.empty((len(queries), 0), np.float32)
        found = np.empty((len(queries), 0), np.int64)
        for ids, vectors in self._turns(self._run.since, self._run.until):
            scores = queries @ unit(vectors).T
            scores[:, np.isin(ids, copies.pairs[:, 1])] = -np.inf
            scores[asked[:, None] == ids] = -np.inf
            best = np.concatenate([best, scores], 1)
            found = np.concatenate([found, np.broadcast_to(ids, scores.shape)], 1)
            first = np.argsort(-best, 1)[:, :TOP]
            best, found = np.take_along_axis(best, first, 1), np.take_along_axis(found, first, 1)
        return [set(row[np.isfinite(s)].tolist()) for row, s in zip(found, best, strict=True)]


def _hash(vector: Float32[np.ndarray, " D"]) -> bytes:
    return hashlib.blake2b(vector.tobytes(), digest_size=16).digest()
