"""An outline in few points.

    ring = rings(mask)[0]                       # foretell.language.outlines: where pixels meet
    adaptive(along(ring), 16)                   # VistaLLM's: more points where the outline bends
    spread(rings(mask), 32)                     # ours: of all parts and holes together

`adaptive` is gradient-aware adaptive contour sampling (Pramanick et al., "Jack of All Tasks, Master of Many", CVPR
2024, arXiv:2312.12423, §3.2) as its authors' code computes it:

    dᵢ = |(qᵢ₊₁ − qᵢ₋₁) × (qᵢ₋₁ − qᵢ)| / ‖qᵢ₊₁ − qᵢ₋₁‖          the distance of a point from the chord of its neighbours

of every ⌈N/40⌉-th point q; the points with the smallest dᵢ go, all at once. Its scores are not computed anew when a
point has gone, its ends always stay, and it knows one ring. `visvalingam` and `spread` do without these limits;
`douglas_peucker` and `uniform` stand beside them for comparison.

N points of a ring, which does not repeat its first
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from foretell.errors import ForetellError
from foretell.language.outlines import area

Ring = Float64[np.ndarray, "_ 2"]
"""Points (x, y) of a closed outline."""
FEWEST = 3
"""Points of a ring, at least."""
CANDIDATES = 40
"""Points that `adaptive` scores."""


def along(ring: Ring, spacing: float = 1.0) -> Ring:
    """The same ring with its corners, and points between them at most `spacing` apart."""
    ends = np.roll(ring, -1, axis=0)
    parts = np.maximum(np.ceil(np.linalg.norm(ends - ring, axis=1) / spacing), 1).astype(int)
    return np.concatenate([a + np.arange(n)[:, None] / n * (b - a) for a, b, n in zip(ring, ends, parts, strict=True)])


def uniform(ring: Ring, points: int) -> Ring:
    """Every ⌈N/points⌉-th point: the paper's control."""
    _check(points)
    return ring[:: max(-(-len(ring) // points), 1)]


def adaptive(ring: Ring, points: int) -> Ring:
    """Gradient-aware adaptive contour sampling, as its authors' code does it; `points` or fewer."""
    _check(points)
    q = ring[:: max(-(-len(ring) // max(CANDIDATES, points)), 1)]
    chord, back = q[2:] - q[:-2], q[:-2] - q[1:-1]
    with np.errstate(invalid="ignore", divide="ignore"):  # neighbours in one place: not a number, which sorts last
        distance = np.abs(_cross(chord, back)) / np.linalg.norm(chord, axis=1)
    scores = np.concatenate([[np.inf], distance, [np.inf]])
    kept = np.sort(np.argsort(scores, kind="stable")[max(len(q) - points, 0) :])
    return q[kept]


def visvalingam(ring: Ring, points: int) -> Ring:
    """The point whose triangle with its neighbours is smallest goes, again and again (Visvalingam & Whyatt 1993)."""
    return spread([ring], points)[0]


def spread(outline: Sequence[Ring], points: int) -> list[Ring]:
    """Visvalingam's way over all rings of an outline: points are spent where they say most.

    A ring of three points is one candidate more: with it goes its area, and three points are saved. The rings that are
    left keep their order and their direction, by which holes are known.

    Args:
        outline: rings of parts and of holes.
        points: of all rings together, 3 or more.

    Returns:
        At least one ring; fewer rings than there were, where `points` are too few for all.
    """
    _check(points)
    rings = [_Shrinking(ring) for ring in outline]
    while sum(len(ring.points) for ring in rings) > points:
        one = len(rings) == 1
        # a whole ring costs its area for three points, and a point its triangle
        costs = [np.inf if one and len(ring.points) == FEWEST else ring.cost for ring in rings]
        least = int(np.argmin(costs))
        if len(rings[least].points) == FEWEST:
            rings.pop(least)
        else:
            rings[least].shrink()
    return [ring.points for ring in rings]


def douglas_peucker(ring: Ring, points: int) -> Ring:
    """The point farthest from the outline so far is added, again and again (Douglas & Peucker 1973, by count)."""
    _check(points)
    far = int(np.linalg.norm(ring - ring[0], axis=1).argmax())
    kept, N = sorted({0, far}), len(ring)
    while len(kept) < min(points, N):
        spans = [(a, b if b > a else b + N) for a, b in zip(kept, [*kept[1:], kept[0]], strict=True)]
        best, where = -1.0, -1
        for a, b in spans:
            inside = np.arange(a + 1, b) % N
            if len(inside):
                d = _from_segment(ring[inside], ring[a], ring[b % N])
                if d.max() > best:
                    best, where = float(d.max()), int(inside[d.argmax()])
        kept = sorted([*kept, where])
    return ring[kept]


SAMPLERS: dict[str, Callable[[Ring, int], Ring]] = {
    "uniform": uniform,
    "adaptive": adaptive,
    "douglas-peucker": douglas_peucker,
    "visvalingam": visvalingam,
}
"""Name -> from a ring with all its points to one with few."""


class _Shrinking:
    """A ring that loses points one by one."""

    def __init__(self, ring: Ring) -> None:
        self.points = ring
        self._areas = self._triangles(np.arange(len(ring)))

    @property
    def cost(self) -> float:
        """The area that the next loss changes, for each point that it saves."""
        if len(self.points) == FEWEST:
            return abs(area(self.points)) / FEWEST
        return float(self._areas.min())

    def shrink(self) -> None:
        """Lose the point of the smallest triangle."""
        i = int(self._areas.argmin())
        self.points, self._areas = np.delete(self.points, i, 0), np.delete(self._areas, i)
        near = np.array([i - 1, i]) % len(self.points)
        self._areas[near] = self._triangles(near)

    def _triangles(self, index: np.ndarray) -> np.ndarray:
        p, N = self.points, len(self.points)
        a, b, c = p[(index - 1) % N], p[index], p[(index + 1) % N]
        return np.abs(_cross(b - a, c - a)) / 2


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _from_segment(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances of points from the segment a–b."""
    along_it = b - a
    t = ((points - a) @ along_it / max(float(along_it @ along_it), 1e-12)).clip(0, 1)
    return np.linalg.norm(points - a - t[:, None] * along_it, axis=1)


def _check(points: int) -> None:
    if points < FEWEST:
        raise ForetellError(f"points is {points}, expected {FEWEST} or more: fewer enclose nothing")
