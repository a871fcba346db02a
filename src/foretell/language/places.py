"""Places as tokens: points, boxes and outlines among words (VistaLLM, §3.2; Pix2Seq, arXiv:2109.10852).

    <b_st><bin_12><bin_40><bin_500><bin_618><b_sep><bin_0>…<b_ed>       boxes: left, top, right, bottom
    <p_st><bin_12><bin_40><p_ed>                                        points: x, y
    <m_st><bin_1><bin_7>…<m_sep>…<m_ed>                                 outlines: x, y, x, y, …

A coordinate is a share of the picture's side, and a bin is its nearest multiple of 1 / bins. So a place that is said
and read again is off by half a bin at most.

Ours, beside the paper's: `<m_ring>` begins another ring of the same outline. Rings around holes run counter-clockwise,
as in `foretell.language.outlines`; an outline of one ring is said as the paper says it. `<image_2>` names the picture
that what follows lies in, where there are several.

`read` takes whatever a model says. What is no whole place is left out, and told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float64

from foretell.errors import Range, within

SpotKind = Literal["box", "point", "mask"]
MARKS: dict[SpotKind, str] = {"box": "b", "point": "p", "mask": "m"}
RING = "<m_ring>"
FEWEST = 3
"""Points of a ring, at least."""

_TOKEN = re.compile(r"<(?:[bpm]_(?:st|sep|ed)|m_ring|bin_\d{1,6}|image_\d{1,3})>")
_BY_MARK: dict[str, SpotKind] = {mark: kind for kind, mark in MARKS.items()}

Coordinates = Float64[np.ndarray, "_ 2"]
"""Points (x, y), 0 to 1 from the picture's upper left corner to its lower right one."""


@dataclass(frozen=True)
class Spot:
    """A place in a picture."""

    kind: SpotKind
    rings: tuple[Coordinates, ...]
    """A box's two corners, a point, or the rings of an outline."""
    image: int = 0
    """The number of the picture, from 0."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of all of it; 0 to 1."""
        every = np.concatenate(self.rings)
        (left, top), (right, bottom) = every.min(0).tolist(), every.max(0).tolist()
        return left, top, right, bottom


@dataclass(frozen=True)
class Reply:
    """What a model said, read."""

    words: str
    """Without the tokens of places."""
    spots: tuple[Spot, ...]
    lost: tuple[str, ...] = field(default=())
    """What could not be read, a clause each; () where all could."""


@dataclass(frozen=True)
class Places:
    """Says and reads places in so many bins a side."""

    bins: int = 1000

    def __post_init__(self) -> None:
        within(self, "places", bins=Range(1, 999_999, whole=True))

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens, in a fixed order: bins + 1 of coordinates, then marks."""
        marks = [f"<{mark}_{part}>" for mark in MARKS.values() for part in ("st", "sep", "ed")]
        return (*(f"<bin_{k}>" for k in range(self.bins + 1)), *marks, RING)

    def say(self, spots: Sequence[Spot]) -> str:
        """Places of one kind as text, those of one picture after those of the one before; "" for none.

        Picture numbers are said where a place lies in another picture than the first.
        """
        made, several = [], any(spot.image for spot in spots)
        for image in sorted({spot.image for spot in spots}):
            own = [spot for spot in spots if spot.image == image]
            if several:
                made.append(f"<image_{image + 1}>")
            for kind, mark in MARKS.items():
                if told := [self._rings(spot) for spot in own if spot.kind == kind]:
                    made.append(f"<{mark}_st>{f'<{mark}_sep>'.join(told)}<{mark}_ed>")
        return "".join(made)

    def _rings(self, spot: Spot) -> str:
        return RING.join(self._bins(ring) for ring in spot.rings)

    def _bins(self, points: Coordinates) -> str:
        places = np.rint(np.clip(points, 0, 1) * self.bins).astype(int)
        return "".join(f"<bin_{k}>" for k in places.ravel().tolist())

    def read(self, text: str) -> Reply:
        """The places in a text, and its words. It takes any text."""
        found, lost, image = _Reader(self.bins), [], 0
        for token in _TOKEN.findall(text):
            if token.startswith("<image_"):
                image = max(int(token[7:-1]) - 1, 0)
                found.image = image
            else:
                lost += found.take(token)
        lost += found.end()
        words = " ".join(_TOKEN.sub(" ", text).split())
        return Reply(words, tuple(found.spots), tuple(lost))


FINE = Places(10_000)
"""Places in questions and answers as data keeps them: finer than any model says them."""


class _Reader:
    """Reads tokens one after another, and never fails."""

    def __init__(self, bins: int) -> None:
        self.bins, self.image, self.spots = bins, 0, list[Spot]()
        self._kind: SpotKind | None = None
        self._rings: list[list[float]] = [[]]
        self._wrong = False

    def take(self, token: str) -> list[str]:
        """One token more; what is lost by it."""
        if token == RING:
            if self._kind != "mask":
                return ["a ring outside of an outline"]
            self._rings.append([])
            return []
        if token.startswith("<bin_"):
            number = int(token[5:-1])
            if self._kind is None:
                return [f"{token} outside of a place"]
            self._wrong |= number > self.bins
            self._rings[-1].append(number / self.bins)
            return []
        kind, part = _BY_MARK[token[1]], token[3:-1]
        if part == "st":
            lost = self.end()
            self._kind = kind
            return lost
        if kind != self._kind:
            return [f"{token} without its beginning"]
        lost = self._close(kind)
        if part == "ed":
            self._kind = None
        return lost

    def end(self) -> list[str]:
        """Nothing follows, or another place begins."""
        if self._kind is None:
            return []
        kind, self._kind = self._kind, None
        return self._close(kind) or [f"a {kind} without its end, which was read all the same"]

    def _close(self, kind: SpotKind) -> list[str]:
        rings, wrong = self._rings, self._wrong
        self._rings, self._wrong = [[]], False
        if wrong:
            return [f"a {kind} with a number above <bin_{self.bins}>"]
        sizes = [len(ring) for ring in rings]
        expected = {"box": "4 numbers", "point": "2 numbers", "mask": "pairs of numbers, 3 or more a ring"}[kind]
        right = {
            "box": sizes == [4],
            "point": sizes == [2],
            "mask": all(size >= 2 * FEWEST and size % 2 == 0 for size in sizes),
        }[kind]
        if not right:
            return [f"a {kind} of {' and '.join(map(str, sizes))} numbers, expected {expected}"]
        points = [np.array(ring).reshape(-1, 2) for ring in rings]
        if kind == "box":  # corners in any order
            points = [np.stack([points[0].min(0), points[0].max(0)])]
        self.spots.append(Spot(kind, tuple(points), self.image))
        return []
