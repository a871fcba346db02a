"""Draw captioned scenes by chance: which things, in which colours, where, how large, on which ground."""

from __future__ import annotations

from random import Random
from typing import TypeVar

import numpy as np

from foretell.data.sprites import Sprites

from .factors import COLOURS, GROUND_COLOURS, PHOTOGRAPHS, CaptionedScene, Ground, Placed

VERSION = 1  # raise it when the same seed gives other scenes
SPLITS = ("train", "test", "pictures", "words", "combinations", "things", "single")
"""What scenes are drawn for.

train, test: whatever is not held out.
pictures: all pictures are new, of things that are known.
words: a thing is called by a word that is new.
combinations: every thing is dyed in a colour that it never had.
things: all things are new.
single: one thing a picture, in its natural colours.
"""
DYED = 0.5
"""Chance that a thing is dyed."""
AGAIN = 0.25
"""Chance that a thing is there twice or more often, where there are several."""
SMALL, MEDIUM, LARGE = (0.24, 0.30), (0.33, 0.41), (0.45, 0.54)
"""Sides of things."""
CLOSEST = 0.85
"""Distance of two things, in the sum of half their sides, at least."""
_T = TypeVar("_T")


def chance_of(*parts: object) -> Random:
    """Chance that is a function of `parts`: Python's generator, several times faster than numpy's for a few numbers."""
    return Random(" ".join(map(str, (VERSION, *parts))))


def pick(chance: Random, choices: list[_T] | tuple[_T, ...]) -> _T:
    """One of some, each as likely."""
    return choices[int(chance.random() * len(choices))]


class Drawer:
    """Draws the scenes of a split.

    Args:
        sprites: what they are drawn from.
        split: one of `SPLITS`.
        dyed: chance that a thing is dyed; in `combinations` all are, and in `single` none is.
    """

    def __init__(self, sprites: Sprites, split: str, dyed: float = DYED) -> None:
        self.sprites, self.split = sprites, split
        self.dyed = {"combinations": 1.0, "single": 0.0}.get(split, dyed)
        unknown = np.array([new_thing(number) for number in range(len(sprites.things))])
        wanted = sprites.held_out if split == "pictures" else ~sprites.held_out
        wanted = wanted & (unknown[sprites.thing] == (split == "things"))
        if split == "words":
            wanted &= np.array([bool(thing.held_out_words) for thing in sprites.things])[sprites.thing]
        self.pictures: dict[int, list[int]] = {}
        for picture in np.flatnonzero(wanted).tolist():
            self.pictures.setdefault(int(sprites.thing[picture]), []).append(picture)
        self.numbers = list(self.pictures)

    def scene(self, chance: Random) -> CaptionedScene:
        """One scene."""
        ground = _ground(chance)
        count = 1 if self.split == "single" else chance.choices((1, 2, 3, 4), (10, 30, 40, 20))[0]
        sizes = _sizes(chance, count)
        numbers: list[int] = []
        for _ in sizes:
            again = numbers and chance.random() < AGAIN
            numbers.append(pick(chance, numbers if again else self.numbers))
        placed: dict[Placed, int] = {}
        for number, size in zip(numbers, sizes, strict=True):
            if (place := _place(chance, size, list(placed))) is not None:
                placed[self._thing(chance, number, size, place, ground)] = number
        return CaptionedScene(ground, tuple(placed), tuple(placed.values()))

    def _thing(self, chance: Random, number: int, size: float, place: tuple[float, float], ground: Ground) -> Placed:
        held_out = self.split == "combinations"
        allowed = [colour for colour in COLOURS if new_colour(number, colour) == held_out]
        seen = [colour for colour in allowed if colour not in ground.colours]  # best not in the colour of the ground
        colour = pick(chance, seen or allowed) if chance.random() < self.dyed else None
        thing, picture = self.sprites.things[number], pick(chance, self.pictures[number])
        return Placed(thing, picture, colour, *place, size, chance.random() < 0.5)


def new_thing(number: int) -> bool:
    """Whether a thing is held out of all splits but `things`: every twelfth."""
    return number % 12 == 7


def new_colour(number: int, colour: str) -> bool:
    """Whether a thing has a colour only in the split `combinations`: two of eight."""
    return (number * 5 + list(COLOURS).index(colour) * 3) % 8 in (0, 1)


def _ground(chance: Random) -> Ground:
    kind, seed = chance.random(), int(chance.random() * 2**31)
    if kind < 0.25:
        return Ground(pick(chance, PHOTOGRAPHS), (), seed)
    colours = tuple(chance.sample(list(GROUND_COLOURS), 2))
    if kind < 0.75:
        return Ground("plain", colours[:1], seed)
    return Ground(pick(chance, ("stripes", "checks", "dots")), colours, seed)


def _sizes(chance: Random, count: int) -> list[float]:
    """The sides of things, the smallest last, so that it hides little; with many of them one is large at most."""
    kinds = [
        chance.choices((SMALL, MEDIUM, LARGE), (3, 4, 3 if number == 0 or count < 3 else 0))[0]
        for number in range(count)
    ]
    return sorted((round(chance.uniform(*kind), 4) for kind in kinds), reverse=True)


def _place(chance: Random, size: float, others: list[Placed]) -> tuple[float, float] | None:
    """Somewhere that is free; None where nothing is found."""
    for _ in range(60):
        x, y = (round(chance.uniform(size / 2, 1 - size / 2), 4) for _ in range(2))
        if all((x - o.x) ** 2 + (y - o.y) ** 2 >= (CLOSEST * (size + o.size) / 2) ** 2 for o in others):
            return x, y
    return None
