"""Vectors in memory, one byte for each number; a search scans all of them.

n entries · D width · k wanted · p proposed
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

from foretell.extras import needed

if TYPE_CHECKING:
    from numkong import PackedMatrix

SPREAD = 5
"""A scan proposes at most this many times k entries, however many rounding cannot tell apart."""
SIGMAS = 6
"""An entry is proposed if its score lies at most this many standard deviations of rounding below the k-th."""
LOWEST = float(np.finfo(np.float32).min)
SHARED = 50_000
"""From so many vectors on, all cores scan. Handing work to a thread takes 0.2 ms, a scan of these 3 ms."""
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
BLOCK = 1024  # vectors that are scanned at once; every insert packs the last block again


class _Rows(NamedTuple):
    """The state that a search reads. It is replaced as a whole, so that a search never sees a mixture."""

    ids: np.ndarray  # −1 for a deleted entry
    codes: np.ndarray
    blocks: tuple[PackedMatrix, ...]  # the codes, packed for a scan
    scales: np.ndarray  # scale of the rounded part, and the exact part, which is −∞ for a deleted entry
    count: int  # rows in use
    widest: float  # largest scale
    longest: float  # largest norm of a row's r


class Exact:
    """Vectors in memory, one byte for each number; a search scans all of them.

    With c a vector near their mean and r = x − c, q·x = q·c + c·r + (q − c)·r. The first term is the same for all, the
    second is exact, and only the third is rounded. So this also separates vectors that differ little.

    Rounding to steps of u adds noise of variance u²/12 to every number. So the third term has an error of standard
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
        """Add entries, or replace their vectors."""
        x = unit(vectors)
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
        # searches see the new vectors before the old ones go
        blocks = _packed(rows.codes, rows.blocks[: start // BLOCK], end)
        self._state = rows._replace(blocks=blocks, count=end, widest=widest, longest=longest)
        self._forget([row for id in ids.tolist() if (row := self._row.get(id)) is not None])
        self._row.update(zip(ids.tolist(), range(start, end), strict=True))

    def drop(self, ids: Int64[np.ndarray, " n"]) -> None:
        """Remove entries; unknown ids are ignored."""
        self._forget([row for id in ids.tolist() if (row := self._row.pop(id, None)) is not None])
        if self._state.count > 1000 and len(self) < self._state.count // 2:
            self._move(2 * len(self))

    def holds(self, ids: Int64[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
        """For each id, whether it is here."""
        return np.isin(ids, self._state.ids[: self._state.count])

    def search(
        self, query: Float32[np.ndarray, " D"], k: int, allowed: Int64[np.ndarray, " m"] | None = None
    ) -> Int64[np.ndarray, " p"]:
        """Ids that include the k nearest, in no order; only `allowed` ones where given.

        There are more than k where rounding may have changed their order.
        """
        ids, _, blocks, scales, count, widest, longest = self._state
        k = min(k, count)
        if not k or self._centre is None:
            return np.empty(0, np.int64)
        q = query / math.sqrt(query @ query) - self._centre
        step = max(float(np.abs(q).max()), 1e-12) / 127
        dots = _dots(np.rint(q / step).astype(np.int8)[None], blocks)
        scores = np.multiply(dots, scales[0, :count], dtype=np.float32) * np.float32(step) + scales[1, :count]
        if allowed is not None:
            scores[~np.isin(ids[:count], allowed)] = -np.inf
        noise = SIGMAS * math.hypot(step * longest, widest * math.sqrt(q @ q)) / math.sqrt(6)
        near = np.flatnonzero(scores >= max(np.partition(scores, count - k)[count - k] - noise, LOWEST))
        if len(near) > SPREAD * k:
            near = near[np.argpartition(scores[near], len(near) - SPREAD * k)[len(near) - SPREAD * k :]]
        found = ids[near]
        return found[found >= 0]

    def _forget(self, rows: list[int]) -> None:
        self._state.ids[rows] = -1
        self._state.scales[1, rows] = -np.inf

    def _move(self, capacity: int) -> None:
        """Copy to arrays of another size, without deleted entries. Running searches keep the old arrays."""
        old = self._state
        kept = np.flatnonzero(old.ids[: old.count] >= 0)
        n, dimension = len(kept), old.codes.shape[1]
        ids, codes = np.full(capacity, -1, np.int64), np.empty((capacity, dimension), np.int8)
        scales = np.empty((2, capacity), np.float32)
        ids[:n], codes[:n], scales[:, :n] = old.ids[kept], old.codes[kept], old.scales[:, kept]
        self._row = dict(zip(ids[:n].tolist(), range(n), strict=True))
        self._state = old._replace(ids=ids, codes=codes, blocks=_packed(codes, (), n), scales=scales, count=n)


def _packed(codes: np.ndarray, blocks: tuple[PackedMatrix, ...], count: int) -> tuple[PackedMatrix, ...]:
    """The first `count` rows in blocks; `blocks` contains the first ones, packed already."""
    pack = needed("numkong", "a search").dots_pack
    starts = range(len(blocks) * BLOCK, count, BLOCK)
    return (*blocks, *(pack(codes[start : min(start + BLOCK, count)]) for start in starts))


def _dots(query: np.ndarray, blocks: tuple[PackedMatrix, ...]) -> np.ndarray:
    """The products of a query [1, D] with all rows; of many rows on all cores."""
    product = needed("numkong", "a search").dots_packed

    def dots(part: tuple[PackedMatrix, ...]) -> np.ndarray:
        return np.concatenate([product(query, block) for block in part], 1)[0]

    if len(blocks) * BLOCK < SHARED or CORES == 1:
        return dots(blocks)
    size = math.ceil(len(blocks) / CORES)
    parts = [blocks[start : start + size] for start in range(0, len(blocks), size)]
    return np.concatenate(list(_threads().map(dots, parts)))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CORES, "foretell-scan")


def unit(x: Float32[np.ndarray, "n D"]) -> Float32[np.ndarray, "n D"]:
    """Vectors of length 1."""
    return x / np.linalg.norm(x, axis=1, keepdims=True)
