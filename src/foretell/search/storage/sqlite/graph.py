"""Nearest neighbours of a collection: graphs of old entries, and an exact scan of new ones.

A graph (HNSW, see `foretell.search.storage.hnsw`) is a file that never changes. It contains the entries of one run of
changes. When there are enough new entries, a successor of the last graph is built beside it and replaces it. A large
graph is left alone, and a new one begins. So the cost of an entry does not depend on their number, and no graph grows
so large that a search misses much. Entries that are in no graph yet lie in memory as int8 and are scanned. Below some
25,000 vectors this is faster than a graph, it is exact, and an insert costs nothing. Graphs and scan only propose
entries. The caller ranks the proposals by their true vectors. So an entry that was deleted or changed is never found.

The entries of a graph are scanned, too, where somebody asks for an exact search, where too many of them were deleted,
and where the graph was measured to find too few or to take longer (`graph_file.Measured`). Their codes are then read
into memory.

D width · k proposals
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from itertools import pairwise

import filelock
import numpy as np
from jaxtyping import Float32, Int64

from foretell.errors import ForetellError
from foretell.search.storage.hnsw import SCAN, Level, ef
from foretell.search.storage.protocol import Removed
from foretell.search.storage.sqlite import graph_file as files_of
from foretell.search.storage.sqlite.build import Builder, EntryRun
from foretell.search.storage.sqlite.database import Database
from foretell.search.storage.sqlite.flat import Exact
from foretell.search.storage.sqlite.graph_file import Graph, GraphFile

EXACT = 25_000
"""This many new entries are scanned before they go into a graph."""
LARGE = 250_000
"""A graph with this many entries is left alone."""
SUBSET = 20_000
"""If a filter leaves at most this many entries of the graphs, they are compared one by one."""
CHUNK = 1000  # rows read, and vectors added, at a time
NUMBERS = 2**30  # of vectors that are read into memory without being asked for
WORN = 0.25  # when this share of a graph's entries was deleted or changed, it is built again

log = logging.getLogger(__name__)


class GraphIndex:
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
        self._scans: dict[str, Exact] = {}  # by name: the entries of graphs that are scanned
        self._worn = False
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
        row = c.execute("SELECT dimension, seq, pruned, count FROM collection WHERE number = ?", (n,)).fetchone()
        if row is None:
            raise Removed
        dimension, seq, pruned, count = row
        if dimension is None or seq <= self._seq:
            return dimension
        with self._lock:
            if seq <= self._seq:  # another thread did it
                return dimension
            files = self._listed(c) if count > EXACT else []  # of so few, a scan is as fast
            if self._parts is None or files != self._files or self._seq < pruned:
                known = self._graphs
                self._graphs = {f.name: known[f.name] if f.name in known else self._open(f) for f in files}
                for file in files:
                    self._check_copies(c, file)
                self._files, self._scans, exact = files, {}, Exact(dimension)
                runs = pairwise([0, *(file.seq for file in files), seq])
                new = [run for run, graph in zip(runs, [*self._graphs.values(), None], strict=True) if graph is None]
            else:
                exact, new = self._parts[1], [(self._seq, seq)]
                gone = c.execute(f"SELECT id FROM deleted_{n} WHERE seq > ?", (self._seq,)).fetchall()
                exact.drop(dead := np.array(gone, np.int64).reshape(-1))
                self._forget(dead)
            for since, until in new:
                for ids, vectors in changed(c, n, since, until):
                    exact.put(ids, vectors)
                    self._forget(ids)
            graphs = [graph for graph in self._graphs.values() if graph]
            had = sum(file.entries for file in self._files if self._graphs[file.name])
            self._worn = count - len(exact) < (1 - WORN) * had
            self._parts, self._seq = (graphs, exact), seq
        return dimension

    def propose(
        self,
        c: sqlite3.Connection,
        query: Float32[np.ndarray, " D"],
        k: int,
        level: Level,
        allowed: Int64[np.ndarray, " m"] | None = None,
    ) -> tuple[Int64[np.ndarray, " p"], bool]:
        """Entries that include the k nearest, as of the last `refresh`, which had the same connection.

        Returns:
            Their ids, some perhaps twice or deleted; and whether a larger k may give more.
        """
        if self._parts is None:
            return np.empty(0, np.int64), False
        graphs, exact = self._parts
        near = exact.search(query, k, allowed)
        if graphs and allowed is not None:
            old = allowed[~exact.holds(allowed)]
            if len(old) <= max(SUBSET, k):
                return np.concatenate([near, old]), len(near) >= k
        scanned = [graph for graph in graphs if self._scanned(graph, level, len(query))]
        near = np.concatenate([near, *(self._scan(c, graph).search(query, k, allowed) for graph in scanned)])
        used = [graph for graph in graphs if graph not in scanned]
        if level == SCAN or not used:
            return near, len(near) >= k
        # twice as many, because bf16 rounds, and because some are deleted, changed or not allowed
        share = 1.0 if allowed is None else len(allowed) / sum(map(len, graphs))
        wanted = int(2 * k / max(share, 1e-9))
        far = [graph.search(query, min(wanted, len(graph)), ef(level), allowed) for graph in used]
        return np.concatenate([near, *far]), wanted < max(map(len, used)) or len(near) >= k

    def state(self) -> str:
        """How it finds entries, for a person."""
        if self._parts is None or not self._parts[0]:
            return "no graph: every entry is scanned"
        graphs, exact = self._parts
        many = f"{len(graphs)} graphs" if len(graphs) > 1 else "a graph"
        said = [f"{many} of {sum(map(len, graphs)):,} entries; {len(exact):,} new ones are scanned"]
        if self._worn:
            said.append("too many entries of the graph were deleted: until it is built again, all are scanned")
        for number, graph in enumerate(graphs, 1):
            if measured := graph.measured:
                which = f"graph {number}: " if len(graphs) > 1 else ""
                found = " ".join(f"{share:.2f}" for share in measured.recall)
                scans = [str(level) for level in range(len(measured.recall)) if measured.scans(level)]
                instead = f"; a scan serves levels {' '.join(scans)}" if scans else ""
                said.append(f"{which}recall@10 {found} at levels 0 to 4{instead}")
        return "; ".join(said)

    def _check_copies(self, c: sqlite3.Connection, file: GraphFile) -> None:
        """Take out the copies that were deleted or changed since a graph was built."""
        graph = self._graphs[file.name]
        if graph is None or not len(graph.copies):
            return
        ids = graph.copies.pairs[:, 1]
        query = f"SELECT id FROM entry_{self._number} WHERE id IN (SELECT value FROM json_each(?)) AND seq <= ?"
        left = np.array(c.execute(query, (json.dumps(ids.tolist()), file.seq)).fetchall(), np.int64).reshape(-1)
        graph.copies = graph.copies.without(np.setdiff1d(ids, left))

    def _forget(self, ids: Int64[np.ndarray, " n"]) -> None:
        """Take entries that were deleted or changed out of what is known of graphs."""
        for scan in self._scans.values():
            scan.drop(ids)
        for graph in filter(None, self._graphs.values()):
            graph.copies = graph.copies.without(ids)

    def _scanned(self, graph: Graph, level: Level, dimension: int) -> bool:
        """Whether the entries of a graph are scanned instead."""
        if level == SCAN:
            return True
        poor = self._worn or (graph.measured is not None and graph.measured.scans(level))
        return poor and len(graph) * dimension <= NUMBERS

    def _scan(self, c: sqlite3.Connection, graph: Graph) -> Exact:
        """The entries of a graph in memory."""
        with self._lock:
            name = next((name for name, each in self._graphs.items() if each is graph), "")
            if name in self._scans:
                return self._scans[name]
            place = [file.name for file in self._files].index(name) if name else -1
            row = "SELECT dimension, seq FROM collection WHERE number = ?"
            dimension, seq = c.execute(row, (self._number,)).fetchone()
            scan = Exact(dimension)
            if place < 0:  # another thread has replaced the graph; what it contained is proposed by this search alone
                since, until = 0, seq
            else:
                since, until = self._files[place - 1].seq if place else 0, self._files[place].seq
            for ids, vectors in changed(c, self._number, since, until):
                scan.put(ids, vectors)
            if name and seq == self._seq:  # an older connection does not see what was deleted since
                self._scans[name] = scan
            return scan

    def due(self, c: sqlite3.Connection) -> bool:
        """Whether to build: enough entries are new, a graph is missing, or many of the entries in graphs are gone."""
        row = c.execute("SELECT count FROM collection WHERE number = ?", (self._number,)).fetchone()
        files = self._listed(c)
        if row is None or (row[0] <= EXACT and not files):  # removed meanwhile, or small
            return False
        new = self._count(c, files[-1].seq if files else 0, most=EXACT + 1)
        left, had = row[0] - new, sum(file.entries for file in files)
        return new > EXACT or left < (1 - WORN) * had or any(map(self._torn, files))

    def worn(self, c: sqlite3.Connection) -> bool:
        """Whether many of the entries of one graph are gone. It counts them, which takes longer than `due`."""
        since, found = 0, False
        for file in self._listed(c):
            found |= self._count(c, since, file.seq) < (1 - WORN) * file.entries
            since = file.seq
        return found

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

    def _next(self) -> EntryRun | None:
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
                fine = count >= (1 - WORN) * file.entries and not self._torn(file)
                runs.append(EntryRun(since, file.seq, count, file if fine else None))
                since = file.seq
            large = f"SELECT seq FROM entry_{n} WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET {LARGE - 1}"
            while cut := c.execute(large, (since,)).fetchone():  # entries of one write stay together
                runs.append(EntryRun(since, cut[0], LARGE, None))
                since = cut[0]
            if (count := self._count(c, since)) > EXACT:
                runs.append(EntryRun(since, row[0], count, None))
        joined: list[EntryRun] = []
        for run in runs:
            last = joined[-1] if joined else None
            if last and last.count + run.count <= LARGE and not (last.done and run.done):
                joined[-1] = EntryRun(last.since, run.until, last.count + run.count, last.graph)
            else:
                joined.append(run)
        return next((run for run in joined if not run.done), None)

    def _build(self, run: EntryRun, advance: Callable[[int], None], stop: threading.Event) -> bool:
        """Build the graph of a run: extend the graph of its beginning, or start a new one.

        The last run needs none where few entries are left in it: they are scanned.
        """
        n = self._number
        with self._store.read() as c:
            last = not c.execute("SELECT 1 FROM graph WHERE collection = ? AND seq > ?", (n, run.until)).fetchone()
        file = None
        if run.count > EXACT or not last:
            built = Builder(run, self._in_turns, advance, stop).build(self._folder)
            if stop.is_set():
                return False
            if built:
                path = self._folder / f"{n}-{uuid.uuid4().hex}{files_of.SUFFIX}"
                file = files_of.save(path, *built, run.until)
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
                path.with_suffix(".npz").unlink(missing_ok=True)
        return True

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
        unread = file.name in self._graphs and self._graphs[file.name] is None
        return unread or not files_of.there(self._folder, file)

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


def changed(c: sqlite3.Connection, number: int, since: int, until: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and vectors of the entries that were written after `since`, up to `until`."""
    rows = c.execute(f"SELECT id, vector FROM entry_{number} WHERE seq > ? AND seq <= ? ORDER BY seq", (since, until))
    while part := rows.fetchmany(CHUNK):
        yield _arrays(part)


def _arrays(rows: list[tuple[int, bytes]]) -> tuple[np.ndarray, np.ndarray]:
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), "<f4").reshape(len(rows), -1)
    return np.array([id for id, _ in rows], np.int64), vectors
