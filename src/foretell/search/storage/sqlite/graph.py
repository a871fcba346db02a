"""Nearest neighbours of a collection: graphs of old entries, and an exact scan of new ones.

A graph (HNSW, see `foretell.search.storage.hnsw`) is a file that never changes. It contains the entries of one run of
changes. When there are enough new entries, a successor of the last graph is built beside it and replaces it. A large
graph is left alone, and a new one begins. So the cost of an entry does not depend on their number, and no graph grows
so large that a search misses much. Entries that are in no graph yet lie in memory as int8 and are scanned. Below some
25,000 vectors this is faster than a graph, it is exact, and an insert costs nothing. Graphs and scan only propose
entries. The caller ranks the proposals by their true vectors. So an entry that was deleted or changed is never found.

D width · k proposals
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import filelock
import numpy as np
from jaxtyping import Float32, Int64

from foretell.disk import sync_folder
from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.search.storage.hnsw import EF_CONSTRUCTION, M, ef
from foretell.search.storage.protocol import Removed
from foretell.search.storage.sqlite.database import Database
from foretell.search.storage.sqlite.flat import Exact

if TYPE_CHECKING:
    from usearch.index import Index as Usearch

EXACT = 25_000
"""This many new entries are scanned before they go into a graph."""
LARGE = 250_000
"""A graph with this many entries is left alone."""
SUBSET = 20_000
"""If a filter leaves at most this many entries of the graphs, they are compared one by one."""
CHUNK = 1000  # rows read, and vectors added, at a time
WORN = 0.25  # when this share of a graph's entries was deleted or changed, it is built again

log = logging.getLogger(__name__)


class GraphFile(NamedTuple):
    """The store's row about the file of a graph."""

    seq: int
    """The graph contains the entries that were last written after the graph before it, and up to here."""
    name: str
    entries: int
    bytes: int
    crc: int


class Run(NamedTuple):
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


class Graph:
    """A graph in a file that is mapped into memory. Raises ValueError where the file is missing or damaged."""

    def __init__(self, folder: Path, file: GraphFile) -> None:
        self._hnsw = _restored(folder, file, view=True, enable_key_lookups=False)
        self._lock = threading.Lock()  # searches share the index's scratch space

    def __len__(self) -> int:
        return len(self._hnsw)

    def search(self, query: Float32[np.ndarray, " D"], k: int, ef: int) -> Int64[np.ndarray, " k"]:
        """The ids of the k nearest, approximately, nearest first."""
        with self._lock:
            self._hnsw.expansion_search = max(ef, k)
            return self._hnsw.search(query, k, threads=1).keys.astype(np.int64)


class Index:
    """The index of a collection. It follows the store, also when other processes write.

    Args:
        store: contains the entries.
        number: of the collection.
    """

    def __init__(self, store: Database, number: int) -> None:
        self._store, self._number = store, number
        self._folder = store.folder / "index"
        self._lock = threading.Lock()
        self._seq = -1
        self._files: list[GraphFile] = []
        self._graphs: dict[str, Graph | None] = {}  # by name; None where it could not be read
        self._parts: tuple[list[Graph], Exact] | None = None  # replaced as a whole: a search never sees a mixture

    @property
    def small(self) -> bool:
        """Whether all entries are scanned, in no more time than a search of a graph takes."""
        return self._parts is not None and not self._parts[0] and len(self._parts[1]) <= EXACT

    def refresh(self, c: sqlite3.Connection) -> int | None:
        """Read the changes that the connection sees and this index does not know yet.

        Returns:
            D; None where there is no vector yet.

        Raises:
            Removed: the collection was removed.
        """
        n = self._number
        row = c.execute("SELECT dimension, seq, pruned FROM collection WHERE number = ?", (n,)).fetchone()
        if row is None:
            raise Removed
        dimension, seq, pruned = row
        if dimension is None or seq <= self._seq:
            return dimension
        with self._lock:
            if seq <= self._seq:  # another thread did it
                return dimension
            files = self._listed(c)
            if self._parts is None or files != self._files or self._seq < pruned:
                known = self._graphs
                self._graphs = {f.name: known[f.name] if f.name in known else self._open(f) for f in files}
                self._files, exact = files, Exact(dimension)
                runs = pairwise([0, *(file.seq for file in files), seq])
                new = [run for run, graph in zip(runs, [*self._graphs.values(), None], strict=True) if graph is None]
            else:
                exact, new = self._parts[1], [(self._seq, seq)]
                gone = c.execute(f"SELECT id FROM deleted_{n} WHERE seq > ?", (self._seq,)).fetchall()
                exact.drop(np.array(gone, np.int64).reshape(-1))
            for since, until in new:
                for ids, vectors in changed(c, n, since, until):
                    exact.put(ids, vectors)
            self._parts, self._seq = ([graph for graph in self._graphs.values() if graph], exact), seq
        return dimension

    def propose(
        self, query: Float32[np.ndarray, " D"], k: int, level: int, allowed: Int64[np.ndarray, " m"] | None = None
    ) -> tuple[Int64[np.ndarray, " p"], bool]:
        """Entries that include the k nearest, as of the last `refresh`.

        Returns:
            Their ids, some perhaps twice or deleted; and whether a larger k may give more.
        """
        if self._parts is None:
            return np.empty(0, np.int64), False
        graphs, exact = self._parts
        near = exact.search(query, k, allowed)
        if not graphs:
            return near, len(near) >= k
        if allowed is not None:
            old = allowed[~exact.holds(allowed)]
            if len(old) <= max(SUBSET, k):
                return np.concatenate([near, old]), len(near) >= k
        # twice as many, because bf16 rounds, and because some are deleted, changed or not allowed
        share = 1.0 if allowed is None else len(allowed) / sum(map(len, graphs))
        wanted = int(2 * k / max(share, 1e-9))
        far = np.concatenate([graph.search(query, min(wanted, len(graph)), ef(level)) for graph in graphs])
        if allowed is not None:
            far = far[np.isin(far, allowed)]
        return np.concatenate([near, far]), wanted < max(map(len, graphs)) or len(near) >= k

    def due(self, c: sqlite3.Connection) -> bool:
        """Whether enough entries are new, or a graph is missing, so that one should be built."""
        row = c.execute("SELECT count FROM collection WHERE number = ?", (self._number,)).fetchone()
        if row is None or row[0] <= EXACT:  # removed meanwhile, or small
            return False
        files = self._listed(c)
        since = files[-1].seq if files else 0
        return self._count(c, since, most=EXACT + 1) > EXACT or any(map(self._torn, files))

    def build(self, advance: Callable[[int], None] = lambda n: None, stop: threading.Event | None = None) -> bool:
        """Build graphs of new entries, and build worn, missing and damaged graphs again.

        Args:
            advance: is called with the number of vectors that were added.
            stop: set it to end the work.

        Returns:
            Whether there is a new graph. There is none where another process builds one, or the work was stopped.

        Raises:
            ForetellError: the disk is full or not writable. Searches continue meanwhile.
        """
        lock = filelock.FileLock(self._folder / f"{self._number}.lock")
        stop, built = stop or threading.Event(), False
        try:
            self._folder.mkdir(exist_ok=True)
            with lock.acquire(timeout=0):
                for stale in self._folder.glob(f"{self._number}-*.part"):  # left by a process that was killed
                    stale.unlink(missing_ok=True)
                while (run := self._next()) and self._build(run, advance, stop):
                    built = True
                return built
        except filelock.Timeout:
            return False
        except OSError as error:
            raise ForetellError(
                f"{self._folder}: the index could not be written ({error.strerror or error}); entries "
                "are safe, and searches work without it, more slowly"
            ) from error

    def _next(self) -> Run | None:
        """The first run that needs a graph.

        Runs that need one are joined with their neighbours, up to the size of a large graph.
        """
        n = self._number
        with self._store.read() as c:
            row = c.execute("SELECT seq FROM collection WHERE number = ?", (n,)).fetchone()
            if row is None:  # removed meanwhile
                return None
            runs, since = [], 0
            for file in self._listed(c):
                count = self._count(c, since, file.seq)
                fine = count > (1 - WORN) * file.entries and not self._torn(file)
                runs.append(Run(since, file.seq, count, file if fine else None))
                since = file.seq
            large = f"SELECT seq FROM entry_{n} WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET {LARGE - 1}"
            while cut := c.execute(large, (since,)).fetchone():  # entries of one write stay together
                runs.append(Run(since, cut[0], LARGE, None))
                since = cut[0]
            if (count := self._count(c, since)) > EXACT:
                runs.append(Run(since, row[0], count, None))
        joined: list[Run] = []
        for run in runs:
            last = joined[-1] if joined else None
            if last and last.count + run.count <= LARGE and not (last.done and run.done):
                joined[-1] = Run(last.since, run.until, last.count + run.count, last.graph)
            else:
                joined.append(run)
        return next((run for run in joined if not run.done), None)

    def _build(self, run: Run, advance: Callable[[int], None], stop: threading.Event) -> bool:
        """Build the graph of a run: extend the graph of its beginning, or start a new one."""
        n = self._number
        try:
            hnsw, since = (_restored(self._folder, run.graph), run.graph.seq) if run.graph else (None, run.since)
        except (ValueError, RuntimeError):
            hnsw, since = None, run.since
        for ids, vectors in self._in_turns(since, run.until):
            if stop.is_set():
                return False
            if hnsw is None:
                kind, dimension = needed("usearch.index").Index, vectors.shape[1]
                hnsw = kind(ndim=dimension, metric="cos", dtype="bf16", connectivity=M, expansion_add=EF_CONSTRUCTION)
            hnsw.remove(ids[hnsw.contains(ids)], threads=1)
            hnsw.add(ids, vectors, threads=1)  # more threads leave nodes that no search finds (usearch issue 735)
            advance(len(ids))
        file = None if hnsw is None else self._saved(hnsw, run.until)
        with self._store.write() as c:
            if not c.execute("UPDATE collection SET seq = seq + 1 WHERE number = ?", (n,)).rowcount:
                return False  # removed meanwhile
            c.execute("DELETE FROM graph WHERE collection = ? AND seq > ? AND seq <= ?", (n, run.since, run.until))
            if file:
                c.execute("INSERT INTO graph VALUES (?, ?, ?, ?, ?, ?)", (n, *file))
            kept = {each.name for each in self._listed(c)}
        for path in self._folder.glob(f"{n}-*.usearch"):
            if path.name not in kept:
                path.unlink(missing_ok=True)  # processes that have mapped it keep it
        return True

    def _saved(self, hnsw: Usearch, seq: int) -> GraphFile:
        path = self._folder / f"{self._number}-{uuid.uuid4().hex}.usearch"
        part = path.with_suffix(".part")
        try:
            hnsw.save(part)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            size, crc = part.stat().st_size, _crc(part)
            part.replace(path)
            sync_folder(self._folder)
        finally:
            part.unlink(missing_ok=True)
        return GraphFile(seq, path.name, len(hnsw), size, crc)

    def _listed(self, c: sqlite3.Connection) -> list[GraphFile]:
        rows = c.execute(
            "SELECT seq, name, entries, bytes, crc FROM graph WHERE collection = ? ORDER BY seq", (self._number,)
        )
        return [GraphFile(*row) for row in rows]

    def _count(self, c: sqlite3.Connection, since: int, until: int = 2**63 - 1, most: int = 2**63 - 1) -> int:
        """The number of entries last written after `since`, up to `until`; counting ends at `most`."""
        written = f"SELECT 1 FROM entry_{self._number} WHERE seq > ? AND seq <= ? LIMIT ?"
        return c.execute(f"SELECT count(*) FROM ({written})", (since, until, most)).fetchone()[0]

    def _torn(self, file: GraphFile) -> bool:
        """Whether the file of a graph is missing or damaged."""
        path = self._folder / file.name
        unread = file.name in self._graphs and self._graphs[file.name] is None
        return unread or not path.is_file() or path.stat().st_size != file.bytes

    def _in_turns(self, since: int, until: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`changed`, in short transactions: a long one would let the write-ahead log grow."""
        last = (since, 2**63 - 1)
        while True:
            with self._store.read() as c:
                part = c.execute(
                    f"SELECT seq, id, vector FROM entry_{self._number} WHERE (seq, id) > (?, ?) AND seq <= ? "
                    "ORDER BY seq, id LIMIT ?",
                    (*last, until, CHUNK),
                ).fetchall()
            if not part:
                return
            last = part[-1][:2]
            yield _arrays([row[1:] for row in part])

    def _open(self, file: GraphFile) -> Graph | None:
        try:
            return Graph(self._folder, file)
        except (ValueError, RuntimeError, OSError) as error:
            log.warning("%s; searching without it until it is built again", error)
            return None


def _restored(folder: Path, file: GraphFile, **options: bool) -> Usearch:
    """A graph from its file. Raises ValueError where the file is missing or damaged."""
    path = folder / file.name
    if not path.is_file():
        raise ValueError(f"{path} is not built yet")
    if path.stat().st_size != file.bytes or _crc(path) != file.crc:
        raise ValueError(f"{path} is damaged")
    return needed("usearch.index").Index.restore(path, **options)


def changed(c: sqlite3.Connection, number: int, since: int, until: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and vectors of the entries that were written after `since`, up to `until`."""
    rows = c.execute(f"SELECT id, vector FROM entry_{number} WHERE seq > ? AND seq <= ? ORDER BY seq", (since, until))
    while part := rows.fetchmany(CHUNK):
        yield _arrays(part)


def _arrays(rows: list[tuple[int, bytes]]) -> tuple[np.ndarray, np.ndarray]:
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), "<f4").reshape(len(rows), -1)
    return np.array([id for id, _ in rows], np.int64), vectors


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while part := file.read(2**22):
            crc = zlib.crc32(part, crc)
    return crc
