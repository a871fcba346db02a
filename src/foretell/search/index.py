"""Nearest neighbours of a collection: a graph over what is old, an exact scan over what is new.

The graph (HNSW; Malkov & Yashunin 2016, arXiv:1603.09320) is a file that is never changed: when enough new entries
have come, its successor is built beside it and takes its place. What changed since then lies in memory as int8 and is
scanned, which below some 25,000 vectors is faster than a graph, exact, and costs an insert nothing. Both only
propose: whoever asks ranks the proposals by their true vectors, so what was deleted or changed since is never found.

n entries · D width · k proposals
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import filelock
import numpy as np
from jaxtyping import Bool, Float32, Int64

from foretell.errors import ForetellError
from foretell.search.backend import Removed
from foretell.search.database import Database, sync_folder
from foretell.search.extra import needed

if TYPE_CHECKING:
    from numkong import PackedMatrix
    from usearch.index import Index as Usearch

EXACT = 25_000
"""New entries that are scanned before they go into the graph."""
SUBSET = 20_000
"""Entries of the graph left by a filter that are compared one by one rather than searched for."""
SPREAD = 5
"""How many times the entries asked for a scan proposes at most, however many lie as near as rounding can tell."""
SIGMAS = 6
"""Standard deviations of rounding that an entry may lie behind the last one asked for, and still be proposed."""
M = 16
EF_CONSTRUCTION = 128
LEVELS = range(5)
LOWEST = float(np.finfo(np.float32).min)
CHUNK = 1000  # rows read, and vectors added, at a time
BLOCK = 1024  # vectors that are scanned at once; the last block is packed anew for every insert
WORN = 0.25  # share of a graph's entries that are deleted or changed, from where it is built afresh

log = logging.getLogger(__name__)


def ef(level: int) -> int:
    """How many neighbours a search of the graph keeps in sight: 20 + 30·level, for a level of 0 to 4."""
    return 20 + 30 * level


class _Rows(NamedTuple):
    """What a search looks at: replaced as a whole, so that it never sees halves of two."""

    ids: np.ndarray  # −1 where an entry was
    codes: np.ndarray
    blocks: tuple[PackedMatrix, ...]  # the same, as a scan wants them
    scales: np.ndarray  # of the rounded part, and the exact one: −∞ where an entry was
    count: int  # rows in use
    widest: float  # largest scale
    longest: float  # largest norm of a row's r


class Exact:
    """Vectors in memory, a byte a number, scanned whole.

    With c a vector near their mean and r = x − c, q·x = q·c + c·r + (q − c)·r: the first is the same for all, the
    second is kept exactly, and only the third is rounded. So vectors that are all alike are told apart, too.

    Rounding to steps of u adds noise of variance u²/12 to every number, so the third has an error of standard
    deviation √((u_q |r|)² + (u_r |q − c|)²) / √12, and the difference of two √2 times that.

    One thread may change it while others search.
    """

    def __init__(self, dimension: int) -> None:
        ids, codes, scales = np.empty(0, np.int64), np.empty((0, dimension), np.int8), np.empty((2, 0), np.float32)
        self._state = _Rows(ids, codes, (), scales, 0, 0.0, 0.0)
        self._centre: np.ndarray | None = None
        self._row: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._row)

    def put(self, ids: Int64[np.ndarray, " n"], vectors: Float32[np.ndarray, "n D"]) -> None:
        """Add entries, or give them other vectors."""
        x = _unit(vectors)
        if self._centre is None:
            self._centre = x.mean(0)
        rest = x - self._centre
        scale = np.maximum(np.abs(rest).max(1), 1e-12) / 127
        if self._state.count + len(ids) > len(self._state.ids):
            self._move(2 * (len(self) + len(ids)))
        rows = self._state
        start, end = rows.count, rows.count + len(ids)
        rows.codes[start:end] = np.rint(rest / scale[:, None])
        rows.scales[:, start:end] = scale, rest @ self._centre
        rows.ids[start:end] = ids
        widest = max(rows.widest, float(scale.max()))
        longest = max(rows.longest, float(np.linalg.norm(rest, axis=1).max()))
        # others see the new vectors before the old ones go
        blocks = _packed(rows.codes, rows.blocks[: start // BLOCK], end)
        self._state = rows._replace(blocks=blocks, count=end, widest=widest, longest=longest)
        self._forget([row for id in ids.tolist() if (row := self._row.get(id)) is not None])
        self._row.update(zip(ids.tolist(), range(start, end), strict=True))

    def drop(self, ids: Int64[np.ndarray, " n"]) -> None:
        """Forget entries; those that are not here are passed over."""
        self._forget([row for id in ids.tolist() if (row := self._row.pop(id, None)) is not None])
        if self._state.count > 1000 and len(self) < self._state.count // 2:
            self._move(2 * len(self))

    def holds(self, ids: Int64[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
        """Which of them are here."""
        return np.fromiter((id in self._row for id in ids.tolist()), bool, len(ids))

    def search(
        self, query: Float32[np.ndarray, " D"], k: int, allowed: Int64[np.ndarray, " m"] | None = None
    ) -> Int64[np.ndarray, " p"]:
        """The ids that the k nearest are among, in no order; only `allowed` ones where given.

        Fewer than k where there are fewer, and more where rounding may have changed their order.
        """
        ids, _, blocks, scales, count, widest, longest = self._state
        k = min(k, count)
        if not k or self._centre is None:
            return np.empty(0, np.int64)
        q = query / math.sqrt(query @ query) - self._centre
        unit = max(float(np.abs(q).max()), 1e-12) / 127
        rounded, numkong = np.rint(q / unit).astype(np.int8)[None], needed("numkong")
        dots = np.concatenate([numkong.dots_packed(rounded, block) for block in blocks], 1)[0]
        scores = np.multiply(dots, scales[0, :count], dtype=np.float32) * np.float32(unit) + scales[1, :count]
        if allowed is not None:
            scores[~np.isin(ids[:count], allowed)] = -np.inf
        noise = SIGMAS * math.hypot(unit * longest, widest * math.sqrt(q @ q)) / math.sqrt(6)
        near = np.flatnonzero(scores >= max(np.partition(scores, count - k)[count - k] - noise, LOWEST))
        if len(near) > SPREAD * k:
            near = near[np.argpartition(scores[near], len(near) - SPREAD * k)[len(near) - SPREAD * k :]]
        found = ids[near]
        return found[found >= 0]

    def _forget(self, rows: list[int]) -> None:
        self._state.ids[rows] = -1
        self._state.scales[1, rows] = -np.inf

    def _move(self, capacity: int) -> None:
        """Go to arrays of another size, without what was forgotten; who searches keeps the old ones."""
        old = self._state
        kept = np.flatnonzero(old.ids[: old.count] >= 0)
        n, dimension = len(kept), old.codes.shape[1]
        ids, codes = np.full(capacity, -1, np.int64), np.empty((capacity, dimension), np.int8)
        scales = np.empty((2, capacity), np.float32)
        ids[:n], codes[:n], scales[:, :n] = old.ids[kept], old.codes[kept], old.scales[:, kept]
        self._row = dict(zip(ids[:n].tolist(), range(n), strict=True))
        self._state = old._replace(ids=ids, codes=codes, blocks=_packed(codes, (), n), scales=scales, count=n)


class Graph:
    """A file of HNSW, mapped into memory and never changed. Raises ValueError where it is not the file it should be."""

    def __init__(self, path: Path, size: int, crc: int) -> None:
        if not path.is_file() or path.stat().st_size != size or _crc(path) != crc:
            raise ValueError(f"{path} is missing or damaged")
        self._hnsw: Usearch = needed("usearch.index").Index.restore(path, view=True, enable_key_lookups=False)
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
        self._name: str | None = None
        self._torn: str | None = None  # a graph that could not be read
        self._parts: tuple[Graph | None, Exact] | None = None

    @property
    def small(self) -> bool:
        """Whether all is scanned, and that takes no longer than a search of a graph would."""
        return self._parts is not None and self._parts[0] is None and len(self._parts[1]) <= EXACT

    def refresh(self, c: sqlite3.Connection) -> int | None:
        """Take in what the connection sees and this index does not yet know.

        Returns:
            D, or None where there is no vector yet.

        Raises:
            Removed: the collection is no longer there.
        """
        n = self._number
        row = c.execute(
            "SELECT dimension, seq, pruned, graph, graph_seq, graph_bytes, graph_crc FROM collection WHERE number = ?",
            (n,),
        ).fetchone()
        if row is None:
            raise Removed
        dimension, seq, pruned, name, since, size, crc = row
        if dimension is None or seq <= self._seq:
            return dimension
        with self._lock:
            if seq <= self._seq:  # another thread did it
                return dimension
            if self._parts is None or name != self._name or self._seq < pruned:
                graph = self._open(name, size, crc)
                exact, since = Exact(dimension), since if graph else 0
                self._torn = None if graph else name
            else:
                (graph, exact), since = self._parts, self._seq
            gone = c.execute(f"SELECT id FROM deleted_{n} WHERE seq > ?", (since,)).fetchall()
            exact.drop(np.array(gone, np.int64).reshape(-1))
            for ids, vectors in changed(c, n, since, seq):
                exact.put(ids, vectors)
            self._parts, self._seq, self._name = (graph, exact), seq, name
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
        graph, exact = self._parts
        near = exact.search(query, k, allowed)
        if graph is None:
            return near, len(near) >= k
        if allowed is not None:
            old = allowed[~exact.holds(allowed)]
            if len(old) <= max(SUBSET, k):
                return np.concatenate([near, old]), len(near) >= k
        # twice as many, because bf16 rounds, and because some are deleted, changed or not allowed
        share = 1.0 if allowed is None else len(allowed) / len(graph)
        wanted = min(len(graph), int(2 * k / max(share, 1e-9)))
        far = graph.search(query, wanted, ef(level))
        if allowed is not None:
            far = far[np.isin(far, allowed)]
        return np.concatenate([near, far]), wanted < len(graph) or len(near) >= k

    def due(self, c: sqlite3.Connection) -> bool:
        """Whether so much is new that the graph should be built."""
        row = c.execute("SELECT count, graph_seq, graph FROM collection WHERE number = ?", (self._number,)).fetchone()
        if row is None or row[0] <= EXACT:  # removed meanwhile, or small
            return False
        _, since, name = row
        new = f"SELECT count(*) FROM (SELECT 1 FROM entry_{self._number} WHERE seq > ? LIMIT {EXACT + 1})"
        return c.execute(new, (since,)).fetchone()[0] > EXACT or (name is not None and name == self._torn)

    def build(self, advance: Callable[[int], None] = lambda n: None, stop: threading.Event | None = None) -> bool:
        """Build the graph's successor from all that was committed, and put it in its place.

        Args:
            advance: is told how many more vectors are in.
            stop: set it, and the work is given up.

        Returns:
            Whether there is a new graph; no where another process is building it, or it was stopped.

        Raises:
            ForetellError: the disk is full or not writable. Searches go on as before.
        """
        lock = filelock.FileLock(self._folder / f"{self._number}.lock")
        try:
            self._folder.mkdir(exist_ok=True)
            with lock.acquire(timeout=0):
                for stale in self._folder.glob(f"{self._number}-*.part"):  # of a process that was killed
                    stale.unlink(missing_ok=True)
                return self._build(advance, stop or threading.Event())
        except filelock.Timeout:
            return False
        except OSError as error:
            raise ForetellError(
                f"{self._folder}: the index could not be written ({error.strerror or error}); "
                "entries are safe, and searches go on without it, more slowly"
            ) from error

    def _build(self, advance: Callable[[int], None], stop: threading.Event) -> bool:
        n = self._number
        with self._store.read() as c:
            row = c.execute("SELECT seq, dimension FROM collection WHERE number = ?", (n,)).fetchone()
            if row is None or row[1] is None:  # removed meanwhile, or empty
                return False
            seq, dimension = row
            hnsw, since = self._base(c, dimension)
        for ids, vectors in self._in_turns(since, seq):
            if stop.is_set():
                return False
            hnsw.remove(ids[hnsw.contains(ids)], threads=1)
            hnsw.add(ids, vectors, threads=1)  # more threads leave nodes that nobody finds (usearch issue 735)
            advance(len(ids))
        path = self._folder / f"{n}-{uuid.uuid4().hex}.usearch"
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
        with self._store.write() as c:
            c.execute(
                "UPDATE collection SET seq = seq + 1, graph = ?, graph_seq = ?, graph_bytes = ?, graph_crc = ?, "
                "pruned = max(pruned, ?) WHERE number = ?",
                (path.name, seq, size, crc, seq, n),
            )
            c.execute(f"DELETE FROM deleted_{n} WHERE seq <= ?", (seq,))
        for old in self._folder.glob(f"{n}-*.usearch"):
            if old != path:
                old.unlink(missing_ok=True)  # who has it mapped keeps it
        return True

    def _base(self, c: sqlite3.Connection, dimension: int) -> tuple[Usearch, int]:
        """What to add to, and since when: the graph there is, unless too much of it is gone, or a new one."""
        kind = needed("usearch.index").Index
        name, since, size, crc, pruned = c.execute(
            "SELECT graph, graph_seq, graph_bytes, graph_crc, pruned FROM collection WHERE number = ?", (self._number,)
        ).fetchone()
        if name and since >= pruned and self._open(name, size, crc):
            hnsw = kind.restore(self._folder / name)
            (alive,) = c.execute(f"SELECT count(*) FROM entry_{self._number} WHERE seq <= ?", (since,)).fetchone()
            if alive > (1 - WORN) * len(hnsw):
                gone = c.execute(f"SELECT id FROM deleted_{self._number} WHERE seq > ?", (since,)).fetchall()
                ids = np.array(gone, np.int64).reshape(-1)
                hnsw.remove(ids[hnsw.contains(ids)], threads=1)
                return hnsw, since
        return kind(ndim=dimension, metric="cos", dtype="bf16", connectivity=M, expansion_add=EF_CONSTRUCTION), 0

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

    def _open(self, name: str | None, size: int | None, crc: int | None) -> Graph | None:
        if name is None or size is None or crc is None:
            return None
        try:
            return Graph(self._folder / name, size, crc)
        except (ValueError, RuntimeError, OSError) as error:
            log.warning("%s; searching without it until it is built again", error)
            return None


def changed(c: sqlite3.Connection, number: int, since: int, until: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and vectors of a collection's entries that were written after `since`, up to `until`."""
    rows = c.execute(f"SELECT id, vector FROM entry_{number} WHERE seq > ? AND seq <= ? ORDER BY seq", (since, until))
    while part := rows.fetchmany(CHUNK):
        yield _arrays(part)


def _arrays(rows: list[tuple[int, bytes]]) -> tuple[np.ndarray, np.ndarray]:
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), "<f4").reshape(len(rows), -1)
    return np.array([id for id, _ in rows], np.int64), vectors


def _packed(codes: np.ndarray, blocks: tuple[PackedMatrix, ...], count: int) -> tuple[PackedMatrix, ...]:
    """The first `count` rows in blocks, of which the first are packed already."""
    pack = needed("numkong").dots_pack
    starts = range(len(blocks) * BLOCK, count, BLOCK)
    return (*blocks, *(pack(codes[start : min(start + BLOCK, count)]) for start in starts))


def _unit(x: Float32[np.ndarray, "n D"]) -> Float32[np.ndarray, "n D"]:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while part := file.read(2**22):
            crc = zlib.crc32(part, crc)
    return crc
