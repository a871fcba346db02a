"""What is in a captioned scene: things on a ground. Every factor is recorded, as whole numbers.

n things · places and sizes are shares of the picture's side, x to the right and y down
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretell.data.sprites import Sprites, Thing, load

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 38, 38),
    "orange": (250, 140, 20),
    "yellow": (248, 214, 30),
    "green": (42, 160, 60),
    "blue": (40, 90, 220),
    "purple": (130, 55, 180),
    "pink": (250, 120, 185),
    "grey": (128, 128, 128),
}
"""Colours that things and grounds have, by name."""
GROUND_COLOURS = {**COLOURS, "white": (245, 245, 245), "black": (25, 25, 25)}
PATTERNS = ("plain", "stripes", "checks", "dots")
"""Grounds that are made: of one colour, or of two."""
PHOTOGRAPHS = ("leaves", "wood", "fur", "galaxies")
"""Grounds that are crops of bundled photographs."""
STYLES = (*PATTERNS, *PHOTOGRAPHS)
FACTORS = 8
"""Whole numbers that say what a ground or a thing is."""
_FINE = 10_000  # places and sizes are kept as whole numbers of these


@dataclass(frozen=True)
class Ground:
    """What things lie on."""

    style: str
    """One of `STYLES`."""
    colours: tuple[str, ...]
    """One colour of a plain ground, two of a pattern, none of a photograph."""
    seed: int
    """Draws the width of stripes, the crop of a photograph and the like."""


@dataclass(frozen=True)
class Placed:
    """A thing in a scene."""

    thing: Thing
    picture: int
    """Number of the sprite."""
    colour: str | None
    """What it is dyed in; None: it has its natural colours, of which no caption tells."""
    x: float
    y: float
    """Its centre."""
    size: float
    """Side of the sprite's square."""
    flipped: bool


@dataclass(frozen=True)
class CaptionedScene:
    """Things on a ground, the farthest first: a later one hides what it overlaps."""

    ground: Ground
    things: tuple[Placed, ...]
    number: tuple[int, ...]
    """The number of each thing among those of the sprites."""

    @property
    def largest(self) -> int:
        """The number, among those of the sprites, of the largest thing."""
        return self.number[max(range(len(self.things)), key=lambda i: self.things[i].size)]

    @property
    def rows(self) -> np.ndarray:
        """All factors: int32 [n + 1, 8], the ground first."""
        rows = np.full((len(self.things) + 1, FACTORS), -1, np.int32)
        names = list(GROUND_COLOURS)
        colours = [names.index(colour) for colour in self.ground.colours]
        rows[0, : 2 + len(colours)] = STYLES.index(self.ground.style), self.ground.seed, *colours
        for row, thing, number in zip(rows[1:], self.things, self.number, strict=True):
            colour = -1 if thing.colour is None else names.index(thing.colour)
            place = (round(value * _FINE) for value in (thing.x, thing.y, thing.size))
            row[:7] = number, thing.picture, colour, *place, thing.flipped
        return rows

    @staticmethod
    def of(rows: np.ndarray, sprites: Sprites | None = None) -> CaptionedScene:
        """The scene that `rows` stand for; `sprites` are those that it was drawn from."""
        sprites, names = sprites or load(), list(GROUND_COLOURS)
        style, seed, *colours = (int(value) for value in rows[0])
        ground = Ground(STYLES[style], tuple(names[colour] for colour in colours if colour >= 0), seed)
        things = []
        for number, picture, colour, x, y, size, flipped, _ in rows[1:].tolist():
            dyed = None if colour < 0 else names[colour]
            x, y, size = (value / _FINE for value in (x, y, size))
            things.append(Placed(sprites.things[number], picture, dyed, x, y, size, bool(flipped)))
        return CaptionedScene(ground, tuple(things), tuple(rows[1:, 0].tolist()))
