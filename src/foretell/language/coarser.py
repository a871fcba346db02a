"""Texts with places as data keeps them, rewritten as a model says them: in fewer bins, and outlines in few points.

    as_said("outline: <m_st><bin_1250><bin_625>…<m_ed>", Places(96), Outlining(12, "spread"), 48)

Ours, beside the paper's: places in a picture are said from left to right, and a ring begins at its uppermost point. So
the picture alone decides what comes first, and a model can learn it. `spread` keeps parts and holes; the other ways
keep the ring around the largest part, as the paper does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from foretell.errors import Range, within
from foretell.language.contours import FEWEST, SAMPLERS, Ring, along, spread
from foretell.language.outlines import area
from foretell.language.places import FINE, Places, Spot

Sampling: TypeAlias = Literal["adaptive", "uniform", "douglas-peucker", "visvalingam", "spread"]

_SAID = re.compile(r"<([bpm])_st>.*?<\1_ed>", re.DOTALL)


@dataclass(frozen=True)
class Outlining:
    """How outlines are said in few points (see `foretell.language.contours`)."""

    points: int = 16
    """Of an outline, at most. The paper's final models use 32, the released code 16."""
    way: Sampling = "adaptive"
    """Which points: the paper's, every n-th, or a better one. `spread` has parts and holes, the others one ring."""

    def __post_init__(self) -> None:
        within(self, "outlines", points=Range(FEWEST, 10_000, whole=True))

    def few(self, rings: Sequence[Ring], size: int) -> list[Ring]:
        """The rings of an outline in few points.

        Args:
            rings: of parts and holes, 0 to 1.
            size: pixels a side of the picture: rings are sampled a pixel apart first.
        """
        dense = [along(ring * size) for ring in rings]
        if self.way == "spread":
            found = spread(dense, self.points)
        else:
            found = [SAMPLERS[self.way](max(dense, key=area), self.points)]
        return [_from_the_top(ring) / size for ring in found]


def as_said(text: str, places: Places, outlining: Outlining, size: int) -> str:
    """A text with its places in the bins of a model.

    Args:
        text: words, and places in `FINE` bins.
        places: the model's bins.
        outlining: how outlines are said.
        size: pixels a side of the picture.
    """

    def said(found: re.Match[str]) -> str:
        spots = [
            Spot(spot.kind, tuple(outlining.few(spot.rings, size)) if spot.kind == "mask" else spot.rings)
            for spot in FINE.read(found[0]).spots
        ]
        return places.say(sorted(spots, key=lambda spot: spot.box))

    return _SAID.sub(said, text)


def _from_the_top(ring: Ring) -> Ring:
    """The same ring, from its uppermost point on; of several the leftmost."""
    return np.roll(ring, -int(np.lexsort(ring.T)[0]), axis=0)
