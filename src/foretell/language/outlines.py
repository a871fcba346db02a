"""From a mask to its outline and back, without loss.

    found = rings(mask)                  # float64 [n, 2] each: corners (x, y), in pixels
    filled(found, *mask.shape) == mask   # everywhere

An outline has one ring around each part of the mask and one around each hole. Corners lie where pixels meet, so that a
mask of one pixel has the corners (0, 0), (1, 0), (1, 1), (0, 1). With y down, rings around parts run clockwise, and
rings around holes run counter-clockwise. Parts that touch at a corner alone are several parts.

H rows · W columns · n corners
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # of an edge, by its direction: right, down, left, up


def rings(mask: np.ndarray) -> list[np.ndarray]:
    """The outline of a mask.

    Args:
        mask: bool [H, W].

    Returns:
        Rings float64 [n, 2], n ≥ 4, by their first corner from the top; a ring does not repeat its first corner.
        Corners are where the ring turns. [] for an empty mask.
    """
    leaving = _edges(np.pad(mask.astype(bool), 1))
    found = []
    for start in sorted(leaving, key=lambda corner: (corner[1], corner[0])):
        while leaving[start]:
            found.append(_ring(leaving, start))
    return found


def filled(outline: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """The mask of an outline: bool [H, W]. A pixel is inside if its middle is (even–odd rule)."""
    x, inside = np.arange(width) + 0.5, np.zeros((height, width), bool)
    for ring in outline:
        ends = np.roll(ring, -1, axis=0)
        for (x0, y0), (x1, y1) in zip(ring, ends, strict=True):
            for row in range(max(int(np.ceil(min(y0, y1) - 0.5)), 0), min(int(np.ceil(max(y0, y1) - 0.5)), height)):
                inside[row] ^= x > x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    return inside


def area(ring: np.ndarray) -> float:
    """The area inside a ring, in pixels; negative of a hole."""
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _edges(padded: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """Corner -> directions of the edges that leave it; the mask is on their right."""
    leaving: dict[tuple[int, int], list[int]] = defaultdict(list)
    beyond = (np.roll(padded, 1, 0), np.roll(padded, -1, 1), np.roll(padded, -1, 0), np.roll(padded, 1, 1))
    starts = ((0, 0), (1, 0), (1, 1), (0, 1))  # of the pixel's top, right, bottom and left edge
    for direction, (other, (dx, dy)) in enumerate(zip(beyond, starts, strict=True)):
        for y, x in np.argwhere(padded & ~other).tolist():
            leaving[x - 1 + dx, y - 1 + dy].append(direction)
    return leaving


def _ring(leaving: dict[tuple[int, int], list[int]], start: tuple[int, int]) -> np.ndarray:
    """Follow edges from a corner until they come back, and take them away.

    The corner is the first from the top, so that the ring turns there.
    """
    corners, (x, y) = [start], start
    first = direction = leaving[start].pop()
    while True:
        x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
        for turn in (1, 0, 3):  # to the right first: where two parts touch, around the same one
            following = (direction + turn) % 4
            if (x, y) == start and following == first:
                return np.array(corners, float)
            if following in leaving[x, y]:
                break
        leaving[x, y].remove(following)
        if following != direction:
            corners.append((x, y))
        direction = following
