"""Scenes with physics: short clips of things that fall, roll, bounce, collide, rest and pass behind screens, and
matched pairs of possible and impossible clips. Made, not recorded: nothing to download, every factor known.

    videos = clips(1000, seed=0)                      # Videos; take([0]) is uint8 [1, 3, 16, 32, 32]
    test = pairs("permanence", 100, seed=1, hidden=True)
    test.possible.take([0]), test.impossible.take([0]), test.violation[0], test.direction[0]

Clip i is a function of (seed, i) alone, and so is pair i. Any subset, in any order, is the same bit for bit in every
process of the same machine and versions.

Read on in this order: world (the parts of a scene), violations (the pairs), kinds (other scenes), stage, physics,
    render.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foretell.data.dataset import Videos
from foretell.errors import ForetellError, Range, check_range

from .kinds import KINDS
from .physics import simulate
from .render import render
from .stage import Stage, Variety
from .violations import PROPERTIES, Clock, Quad
from .world import Block, Body, Camera, Light, Scene

__all__ = [
    "KINDS",
    "PROPERTIES",
    "Block",
    "Body",
    "Camera",
    "Light",
    "Pairs",
    "Scene",
    "Variety",
    "clips",
    "film",
    "pairs",
    "scene",
]

VERSION = 1  # raise it when the same seed gives other pixels
_CLIPS, _PAIRS = 0, 1  # so that clips and pairs of one seed have nothing in common
TRIES = 100  # quads drawn until one can be told apart; of eight frames, some five in a hundred cannot


def scene(seed: int, index: int, frames: int = 16, variety: Variety | None = None) -> Scene:
    """The scene of a clip: every factor that it was made of.

    Half of the scenes have no plot (see `KINDS`). The other half are possible scenes, drawn like those of pairs, so
    that a model knows such scenes before it is tested on them.

    Args:
        seed: of the data set.
        index: of the clip.
        frames: those of the clip. They only round the timing of scenes drawn as for pairs.
        variety: the differences between scenes.
    """
    stage = Stage(np.random.default_rng([VERSION, _CLIPS, seed, index]), variety or Variety())
    if stage.maybe(0.5):
        return KINDS[stage.choice(tuple(KINDS))](stage)
    build, hidden, side = PROPERTIES[stage.choice(tuple(PROPERTIES))], stage.maybe(0.5), int(stage.maybe(0.5))
    return build(stage, _clock(frames), hidden).possible[side]


def film(scene: Scene, size: int = 32, frames: int = 16) -> np.ndarray:
    """A scene as a clip: uint8 [T, 3, size, size]."""
    return render(scene, simulate(scene, frames), size)


def clips(
    n: int, seed: int = 0, *, size: int = 32, frames: int = 16, variety: Variety | None = None, start: int = 0
) -> Videos:
    """Possible clips number `start` to `start + n - 1`, in memory: 3·frames·size² bytes each.

    Their labels are their kinds. `load("scenes", Clips(32))` keeps as many as the disk holds instead.

    Raises ForetellError: a number is out of range.
    """
    _check(n=(n, 1), seed=(seed, 0), size=(size, 8), frames=(frames, 8), start=(start, 0))
    pixels = np.empty((n, frames, 3, size, size), np.uint8)
    labels = torch.empty(n, dtype=torch.int64)
    for number in range(n):
        drawn = scene(seed, start + number, frames, variety)
        pixels[number] = film(drawn, size, frames)
        labels[number] = tuple(KINDS).index(drawn.kind)
    return Videos(pixels, labels, tuple(KINDS), (), _fingerprint("clips", n, seed, size, frames, variety, start))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Possible and impossible clips, `n` of each: those of a pair are equal, frame for frame, before the violation.

    Two pairs make a quad. Pairs 2j and 2j + 1 have the same two pasts and the same two futures, joined in the two
    possible ways. So possible 2j also has the future of impossible 2j + 1. A measure that only knows pasts, or only
    futures, is right in half of the pairs.
    """

    property: str
    hidden: bool
    """Whether a screen hides what changes while it changes."""
    crossed: bool
    """Whether cause and course are balanced, not past and future. See `foretell.data.made.scenes.violations`."""
    possible: Videos = field(repr=False)
    impossible: Videos = field(repr=False)
    violation: Tensor = field(repr=False)
    """int64 [n], the first frame that does not follow from those before."""
    revealed: Tensor = field(repr=False)
    """int64 [n], the first frame that looks different: the violation itself, or later where it is hidden."""
    direction: tuple[str, ...] = field(repr=False)
    """The event, one of two for each property (shapes: for each two shapes)."""
    scenes: tuple[Scene, ...] = field(repr=False)
    """Those of the possible clips; of impossible 2j the past is that of scene 2j, and the future of scene 2j + 1."""

    def __len__(self) -> int:
        return len(self.scenes)

    def records(self) -> Iterator[dict[str, Any]]:
        """For each pair everything that is known of it, as JSON types."""
        for number, scene in enumerate(self.scenes):
            yield {
                "property": self.property,
                "hidden": self.hidden,
                "crossed": self.crossed,
                "quad": number // 2,
                "direction": self.direction[number],
                "violation": int(self.violation[number]),
                "revealed": int(self.revealed[number]),
                "scene": scene.record(),
            }


def pairs(
    property: str,
    n: int,
    seed: int = 0,
    *,
    hidden: bool = False,
    size: int = 32,
    frames: int = 16,
    variety: Variety | None = None,
    start: int = 0,
) -> Pairs:
    """Matched pairs number `start` to `start + n - 1`, possible and impossible, for a physical property.

    Args:
        property: permanence, shape, colour, continuity, solidity, gravity, support, inertia or collision.
        n: pairs; an even number, because two make a quad.
        seed: draws them.
        hidden: behind a screen, or in view.
        size: side of the picture in pixels, 16 or more.
        frames: those of a clip, 8 or more, over two seconds.
        variety: the differences between scenes in their fixed parts.
        start: number of the first; even.

    Raises:
        ForetellError: no such property, or a number is out of range.
    """
    if property not in PROPERTIES:
        raise ForetellError(f"property: found {property!r}; expected one of {', '.join(PROPERTIES)}.")
    _check(n=(n, 2), seed=(seed, 0), size=(size, 16), frames=(frames, 8), start=(start, 0))
    for name, value in (("n", n), ("start", start)):
        if value % 2:
            raise ForetellError(f"{name}: found {value}; expected an even number, because two pairs make a quad.")
    pixels = np.empty((2, n, frames, 3, size, size), np.uint8)
    violation, direction, scenes, crossed = torch.empty(n, dtype=torch.int64), [], [], False
    for place in range(0, n, 2):
        key = [VERSION, _PAIRS, seed, list(PROPERTIES).index(property), int(hidden), (start + place) // 2]
        stage = Stage(np.random.default_rng(key), variety or Variety())
        for _ in range(TRIES):
            quad = PROPERTIES[property](stage, _clock(frames), hidden)
            pixels[:, place : place + 2] = made = _join(quad, size, frames)
            if (made[0, 0, : quad.frame] != made[0, 1, : quad.frame]).any():
                break  # else nothing is seen, before the joint, of what tells the two pasts apart
        violation[place : place + 2] = quad.frame
        direction += quad.directions
        scenes += quad.possible
        crossed = quad.crossed
    differs = (pixels[0] != pixels[1]).any((2, 3, 4))
    mark = _fingerprint("pairs", property, hidden, n, seed, size, frames, variety, start)
    return Pairs(
        property,
        hidden,
        crossed,
        Videos(pixels[0], None, (), (), f"{mark}-possible"),
        Videos(pixels[1], None, (), (), f"{mark}-impossible"),
        violation,
        torch.from_numpy(differs.argmax(1)),
        tuple(direction),
        tuple(scenes),
    )


def _join(quad: Quad, size: int, frames: int) -> np.ndarray:
    """[possible and impossible, p and q, T, 3, size, size]."""
    frame = quad.frame
    paths = [simulate(scene, frames) for scene in quad.possible]
    possible = np.stack([render(scene, path, size) for scene, path in zip(quad.possible, paths, strict=True)])
    if quad.crossed:
        futures = np.stack([render(quad.possible[a], paths[b], size) for a, b in ((0, 1), (1, 0))])
    else:
        futures = possible[::-1]
    return np.stack([possible, np.concatenate([possible[:, :frame], futures[:, frame:]], axis=1)])


def _clock(frames: int) -> Clock:
    return Clock(frames, Scene.seconds / frames)


def _fingerprint(*parts: object) -> str:
    return hashlib.sha256(repr((VERSION, *parts)).encode()).hexdigest()[:32]


def _check(**given: tuple[int, int]) -> None:
    for name, (value, least) in given.items():
        check_range(name, value, Range(least, whole=True))
