"""Nearest neighbours of a collection: graphs over what is old, an exact scan over what is new.

A graph (HNSW; Malkov & Yashunin 2016, arXiv:1603.09320) is a file that is never changed, of what was written in one run
of changes. When enough new entries have come, the last graph's successor is built beside it and takes its place; one
that is large is left alone, and another begun: so an entry costs the same however many there are, and no graph grows so
large that a search misses much of it. What is in no graph yet lies in memory as int8 and is scanned, which below some
25,000 vectors is faster than a graph, exact, and costs an insert nothing. All only propose: whoever asks ranks the
proposals by their true vectors, so what was deleted or changed since is never found.

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
from foretell.search.backend import Removed
from foretell.search.database import Database
from foretell.search.exact import Exact

if TYPE_CHECKING:
    from usearch.index import Index as Usearch

EXACT = 25_000
"""New entries that are scanned before they go into a graph."""
LARGE = 250_000
"""Entries of a graph that is left alone."""
SUBSET = 20_000
"""Entries of the graphs left by a filter that are compared one by one rather than searched for."""
M = 16
EF_CONSTRUCTION = 128
LEVELS = range(5)
CHUNK = 1000  # rows read, and vectors added, at a time
WORN = 0.25  # share of a graph's entries that are deleted or changed, from where it is built afresh

log = logging.getLogger(__name__)


def ef(level: int) -> int:
    """How many neighbours a search of a graph keeps in sight: 20 + 30·level, for a level of 0 to 4."""
    return 20 + 30 * level


class File(NamedTuple):
    """A graph on the disk: the store's row of it."""

    seq: int
    """It holds what was last written after the graph before it, and up to here."""
    name: str
    entries: int
    bytes: int
    crc: int


class Run(NamedTuple):
    """Changes one after the other: in a graph, or to be."""

    since: int
    until: int
    count: int
    """Entries that were last written in it."""
    graph: File | None
    """Of all of it, or of its beginning."""

    @property
    def done(self) -> bool:
        """Whether the graph is of all of it."""
        return self.graph is not None and self.graph.seq == self.until


class Graph:
    """A file of HNSW, mapped into memory and never changed. Raises ValueError where it is not the file it should be."""

    def __init__(self, folder: Path, file: File) -> None:
        self._hnsw = _restored(folder, file, view=True, enable_key_lookups=False)
        self._lock = threading.Lock()  # a search works in the index's own scratch space

    def __len__(self) -> int:
        return len(self._hnsw)

    def search(self, query: Float32[np.ndarray, " D"], k: int, ef: int) -> Int64[np.ndarray, " k"]:
        """The ids of about the k nearest, nearest first."""
        with self._lock:
            self._hnsw.expansion_search = max(ef, k)
            return self._hnsw.search(query, k, threads=1).keys.astype(np.int64)


class Index:
    """What a collection's entries are found by: follows the store, whoever writes to it.

    Args:
        store: where the truth is.
        number: of the collection.
    """

    def __init__(self, store: Database, number: int) -> None:
        self._store, self._number = store, number
        self._folder = store.folder / "index"
        self._lock = threading.Lock()
        self._seq = -1
        self._files: list[File] = []
        self._graphs: dict[str, Graph | None] = {}  # by name; None where it could not be read
        self._parts: tuple[list[Graph], Exact] | None = None  # replaced as a whole: a search sees no halves of two

    @property
    def small(self) -> bool:
        """Whether all is scanned, and that takes no longer than a search of a graph would."""
        return self._parts is not None and not self._parts[0] and len(self._parts[1]) <= EXACT

    def refresh(self, c: sqlite3.Connection) -> int | None:
        """Take in what the connection sees and this index does not yet know.

        Returns:
            D, or None where there is no vector yet.

        Raises:
            Removed: the collection is no longer there.
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
        """Entries that the k nearest are among, as of the last `refresh`.

        Returns:
            Their ids, some perhaps twice or no longer there, and whether asking for more may give more.
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
        """Whether so much is new, or lost, that a graph should be built."""
        row = c.execute("SELECT count FROM collection WHERE number = ?", (self._number,)).fetchone()
        if row is None or row[0] <= EXACT:  # removed meanwhile, or small
            return False
        files = self._listed(c)
        since = files[-1].seq if files else 0
        return self._count(c, since, most=EXACT + 1) > EXACT or any(map(self._torn, files))

    def build(self, advance: Callable[[int], None] = lambda n: None, stop: threading.Event | None = None) -> bool:
        """Build graphs of what was committed and is in none yet, and of what is worn or torn.

        Args:
            advance: is told how many more vectors are in.
            stop: set it, and the work is given up.

        Returns:
            Whether there is a new graph; no where another process is building one, or it was stopped.

        Raises:
            ForetellError: the disk is full or not writable. Searches go on as before.
        """
        lock = filelock.FileLock(self._folder / f"{self._number}.lock")
        stop, built = stop or threading.Event(), False
        try:
            self._folder.mkdir(exist_ok=True)
            with lock.acquire(timeout=0):
                for stale in self._folder.glob(f"{self._number}-*.part"):  # of a process that was killed
                    stale.unlink(missing_ok=True)
                while (run := self._next()) and self._build(run, advance, stop):
                    built = True
                return built
        except filelock.Timeout:
            return False
        except OSError as error:
            raise ForetellError(
                f"{self._folder}: the index could not be written ({error.strerror or error}); "
                "entries are safe, and searches go on without it, more slowly"
            ) from error

    def _next(self) -> Run | None:
        """The first run that needs a graph.

        Runs that are in need are joined with what comes before and after, up to a large graph.
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
            while cut := c.execute(large, (since,)).fetchone():  # what was written at once stays together
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
        """Give a run a graph of its own: that of its beginning, and more, or a new one."""
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
            hnsw.add(ids, vectors, threads=1)  # more threads leave nodes that nobody finds (usearch issue 735)
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
                path.unlink(missing_ok=True)  # who has it mapped keeps it
        return True

    def _saved(self, hnsw: Usearch, seq: int) -> File:
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
        return File(seq, path.name, len(hnsw), size, crc)

    def _listed(self, c: sqlite3.Connection) -> list[File]:
        rows = c.execute(
            "SELECT seq, name, entries, bytes, crc FROM graph WHERE collection = ? ORDER BY seq", (self._number,)
        )
        return [File(*row) for row in rows]

    def _count(self, c: sqlite3.Connection, since: int, until: int = 2**63 - 1, most: int = 2**63 - 1) -> int:
        """Entries that were last written after `since`, up to `until`; no more than `most` are counted."""
        written = f"SELECT 1 FROM entry_{self._number} WHERE seq > ? AND seq <= ? LIMIT ?"
        return c.execute(f"SELECT count(*) FROM ({written})", (since, until, most)).fetchone()[0]

    def _torn(self, file: File) -> bool:
        """Whether a graph is known to be missing or damaged."""
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

    def _open(self, file: File) -> Graph | None:
        try:
            return Graph(self._folder, file)
        except (ValueError, RuntimeError, OSError) as error:
            log.warning("%s; searching without it until it is built again", error)
            return None


def _restored(folder: Path, file: File, **options: bool) -> Usearch:
    """A graph from its file. Raises ValueError where it is not the file it should be."""
    path = folder / file.name
    if not path.is_file():
        raise ValueError(f"{path} is not built yet")
    if path.stat().st_size != file.bytes or _crc(path) != file.crc:
        raise ValueError(f"{path} is damaged")
    return needed("usearch.index").Index.restore(path, **options)


def changed(c: sqlite3.Connection, number: int, since: int, until: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and vectors of a collection's entries that were written after `since`, up to `until`."""
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
