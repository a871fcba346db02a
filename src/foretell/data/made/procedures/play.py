"""One step at the bench: its clock, how things and tools come, and what is worked on.

T frames
"""

from __future__ import annotations

from math import pi

import numpy as np

from .bench import LOOKS, TOOL, Bench
from .sprites import Number, SpriteGroup, last

OUTSIDE = 1.35  # beyond the picture's edge


class Play:
    """One step at a bench: the clock, and what several verbs do.

    Args:
        bench: where.
        frames: T, of the step.
    """

    def __init__(self, bench: Bench, frames: int) -> None:
        self.bench, draw = bench, bench.stage.between
        start, stop = draw(0.0, 0.1), draw(0.85, 1.0)
        self.clock = np.clip((np.linspace(0, 1, frames) - start) / (stop - start), 0, 1)

    def through(self, *keys: tuple[float, float]) -> np.ndarray:
        """A number that passes through (moment, value) pairs, moments 0 to 1 and slower near each: [T]."""
        moments, values = zip(*keys, strict=True)
        place = np.interp(self.clock, moments, np.arange(len(keys)))
        whole = np.floor(place)
        rest = place - whole
        return np.interp(whole + rest * rest * (3 - 2 * rest), np.arange(len(keys)), values)

    def wave(self, start: float, stop: float, cycles: float) -> np.ndarray:
        """A sine from one moment to another, 0 outside: [T]."""
        share = np.clip((self.clock - start) / (stop - start), 0, 1)
        return np.sin(2 * pi * cycles * share)

    def enter(
        self, noun: str, x: float, y: float, start: float = 0.0, stop: float = 0.9, above: bool = False
    ) -> SpriteGroup:
        """A new thing comes from outside to a place: over the side in an arc, or straight from above."""
        thing = self.bench.make(noun, x, y)
        side = self.bench.stage.choice((-0.75, 0.75))
        high = max(y + 0.3, 0.62)
        if above:
            thing.move(x, self.through((start, OUTSIDE), (stop, y)))
        else:
            middle = (start + stop) / 2
            across = self.through((start, x + side), (middle, x + side / 3), (stop, x))
            thing.move(across, self.through((start, high), (middle, high), (stop, y)))
        return thing

    def tool(self, name: str, x: Number, y: Number, layer: int = TOOL) -> SpriteGroup:
        """A tool that is there for this step."""
        tool = self.bench.make(name, 0.0, 0.0, layer)
        tool.move(x, y)
        self.bench.tools.append(tool)
        return tool

    def work(self, noun: str) -> SpriteGroup:
        """The thing to be worked on: at the station, or ready beside it; else it comes there now."""
        bench = self.bench
        found = bench.prepared.get(noun) or bench.latest(noun)
        if found is None:
            found = self.enter(noun, bench.side, bench.floor + LOOKS[noun][0][4] / 2, stop=0.3, above=True)
            bench.prepared[noun] = found
        return found

    def bring(self, noun: str, x: float, y: float, above: bool = False) -> SpriteGroup:
        """A thing comes to its place at the station: from beside it where it lies ready, else as `enter` does."""
        thing = self.bench.prepared.pop(noun, None)
        if thing is None:
            thing = self.enter(noun, x, y, above=above)
        else:
            a, b = last(thing.body.x), last(thing.body.y)
            high = OUTSIDE - 0.3 if above else max(self.bench.rim, y) + 0.3
            thing.move(
                self.through((0, a), (0.4, a), (0.7, x), (0.9, x)),
                self.through((0, b), (0.4, high), (0.7, high), (0.95, y)),
            )
        self.bench.things.append(thing)
        return thing
