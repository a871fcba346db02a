"""Graphs of nearest neighbours as files that never change.

A graph has two files: `NAME.usearch` with its nodes, and `NAME.npz` with what is known about it. Identical vectors are
one node: many equal neighbours would surround a search, and it would find no others. The second file has the copies of
each node, and how good and how fast searches of the graph are.

n entries · m copies · D width · k proposals
"""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float32, Int64

from foretell.disk import sync_folder
from foretell.extras import needed
from foretell.search.storage.hnsw import EF_CONSTRUCTION, LEVELS, M, ef

if TYPE_CHECKING:
    from usearch.index import Index as Usearch

SAMPLED = 50
"""The number of entries that are searched for, to measure a new graph."""
GOOD = 0.9
"""A graph is not used at a level where it finds less than this share of the ten nearest. Its entries are scanned."""


class GraphFile(NamedTuple):
    """The store's row about the file of a graph."""

    seq: int
    """The graph contains the entries that were last written after the graph before it, and up to here."""
    name: str
    entries: int
    bytes: int
    crc: int


class Measured(NamedTuple):
    """How a search of a graph compares with a scan of its entries: for each level, and then for the scan."""

    recall: Sequence[float]
    """Share of the ten nearest that are found."""
    seconds: Sequence[float]
    """Of a search; the last is of a scan."""

    def scans(self, level: int) -> bool:
        """Whether to scan the entries at this level."""
        return self.recall[level] < GOOD or self.seconds[-1] < self.seconds[level]


class Copies:
    """Entries with the vector of another, which is in the graph for all of them.

    Args:
        pairs: the id in the graph, and the id of its copy.
    """

    def __init__(self, pairs: Int64[np.ndarray, "m 2"]) -> None:
        self.pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]

    def __len__(self) -> int:
        return len(self.pairs)

    def without(self, ids: Int64[np.ndarray, " n"]) -> Copies:
        """The copies that are none of these entries."""
        return Copies(self.pairs[~np.isin(self.pairs[:, 1], ids)]) if len(self) else self

    def of(self, ids: Int64[np.ndarray, " n"], most: int) -> Int64[np.ndarray, " c"]:
        """The copies of entries, up to `most` of each."""
        start, end = (np.searchsorted(self.pairs[:, 0], ids, side) for side in ("left", "right"))
        some = [self.pairs[a : min(a + most, b), 1] for a, b in zip(start.tolist(), end.tolist(), strict=True) if a < b]
        return np.concatenate(some) if some else np.empty(0, np.int64)


class Graph:
    """A graph in a file that is mapped into memory. Raises ValueError where a file is missing or damaged."""

    def __init__(self, folder: Path, file: GraphFile) -> None:
        self._hnsw = restored(folder, file, view=True, enable_key_lookups=False)
        self.copies, self.measured = known(folder, file)
        """The copies that still are what they were: the index takes out the others."""
        self._lock = threading.Lock()  # searches share the index's scratch space

    def __len__(self) -> int:
        return len(self._hnsw) + len(self.copies)

    def search(
        self, query: Float32[np.ndarray, " D"], k: int, ef: int, allowed: Int64[np.ndarray, " a"] | None = None
    ) -> Int64[np.ndarray, " p"]:
        """The ids of the k nearest, approximately, and of their copies; only `allowed` ones where given."""
        with self._lock:
            self._hnsw.expansion_search = max(ef, k)
            near = self._hnsw.search(query, min(k, len(self._hnsw)), threads=1).keys.astype(np.int64)
        near = np.concatenate([near, self.copies.of(near, k if allowed is None else len(self.copies))])
        return near if allowed is None else near[np.isin(near, allowed)]


def empty(dimension: int) -> Usearch:
    """A graph without nodes."""
    kind = needed("usearch.index", "a search").Index
    return kind(ndim=dimension, metric="cos", dtype="bf16", connectivity=M, expansion_add=EF_CONSTRUCTION)


def restored(folder: Path, file: GraphFile, **options: bool) -> Usearch:
    """A graph from its file. Raises ValueError where the file is missing or damaged."""
    path = folder / file.name
    if not path.is_file():
        raise ValueError(f"{path} is not built yet")
    if path.stat().st_size != file.bytes or _crc(path) != file.crc:
        raise ValueError(f"{path} is damaged")
    return needed("usearch.index", "a search").Index.restore(path, **options)


def known(folder: Path, file: GraphFile) -> tuple[Copies, Measured | None]:
    """The copies of a graph's nodes, and its measurement. Raises ValueError where the second file is damaged.

    Earlier versions wrote no second file. Their graphs have a node for every entry.
    """
    path = (folder / file.name).with_suffix(".npz")
    if not _has_facts(file):
        return Copies(np.empty((0, 2), np.int64)), None
    try:
        with np.load(path, allow_pickle=False) as facts:
            return Copies(facts["copies"]), Measured(facts["recall"].tolist(), facts["seconds"].tolist())
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path} is missing or damaged ({error})") from None


def there(folder: Path, file: GraphFile) -> bool:
    """Whether the files of a graph are there, as large as they should be."""
    path = folder / file.name
    facts = not _has_facts(file) or path.with_suffix(".npz").is_file()
    return facts and path.is_file() and path.stat().st_size == file.bytes


def save(path: Path, hnsw: Usearch, copies: Copies, measured: Measured, seq: int) -> GraphFile:
    """Write the files of a graph, and return its row. Raises OSError where the disk does not take them."""
    parts = path.with_suffix(".part"), path.with_suffix(".npz.part")
    try:
        with parts[1].open("wb") as file:
            np.savez(file, copies=copies.pairs, recall=measured.recall, seconds=measured.seconds)
        hnsw.save(parts[0])
        for part in parts:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        size, crc = parts[0].stat().st_size, _crc(parts[0])
        parts[1].replace(path.with_suffix(".npz"))
        parts[0].replace(path)
        sync_folder(path.parent)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return GraphFile(seq, path.name, len(hnsw) + len(copies), size, crc)


def measure(hnsw: Usearch, queries: Float32[np.ndarray, "q D"], nearest: Sequence[set[int]], scan: float) -> Measured:
    """Search a new graph for some of its entries, at every level.

    Args:
        hnsw: the graph.
        queries: vectors.
        nearest: for each, the other nodes that are nearest to it.
        scan: seconds of a scan of the graph's entries.
    """
    recall, seconds = [], []
    for level in LEVELS:
        start = time.thread_time()
        found = []
        for query, right in zip(queries, nearest, strict=True):
            hnsw.expansion_search = ef(level)
            found.append(set(hnsw.search(query, len(right) + 1, threads=1).keys.tolist()))  # and the entry itself
        seconds.append((time.thread_time() - start) / max(len(queries), 1))
        shares = [len(f & right) / len(right) for f, right in zip(found, nearest, strict=True) if right]
        recall.append(float(np.mean(shares)) if shares else 1.0)
    return Measured(recall, [*seconds, scan])


def _has_facts(file: GraphFile) -> bool:
    return file.name.endswith(SUFFIX)


SUFFIX = ".2.usearch"
"""The end of the names of graphs that have a second file."""


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while part := file.read(2**22):
            crc = zlib.crc32(part, crc)
    return crc
