"""The random parts of all scenes: colours, bodies, floor, light, camera."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np

from .world import SHAPES, Block, Body, Camera, Colour, Light, Scene, Texture, Vector, box

T = TypeVar("T")
TEXTURES: tuple[Texture, ...] = ("plain", "stripes", "checks", "half")
OUTSIDE = 2.0  # the length of floors and shelves beyond the picture
BACKGROUND: Colour = (0.80, 0.81, 0.83)
GROUND: Colour = (0.55, 0.53, 0.50)


@dataclass(frozen=True)
class Variety:
    """The differences between scenes in their fixed parts.

    A property that is constant within a clip but differs between clips is the easiest to learn, and may be the only one
    learned. So all backgrounds are the same by default.
    """

    background: Literal["constant", "colours", "textures"] = "constant"
    """Walls and floors: all the same, in many pale colours, or also with patterns."""
    textures: bool = False
    """Bodies, blocks and screens with stripes, checks or two halves."""
    lights: bool = True
    """Shading from many sides; False: always from above."""
    cameras: bool = True
    """Nearer or farther, panned, mirrored; False: always the same."""


class Stage:
    """A random generator and the parts drawn from it; every scene has its own."""

    def __init__(self, chance: np.random.Generator, variety: Variety) -> None:
        self.chance, self.variety = chance, variety
        self.floor = self.between(0.10, 0.16)
        """Height of the floor."""

    def between(self, low: float, high: float) -> float:
        """A number, each as likely."""
        return float(self.chance.uniform(low, high))

    def choice(self, among: Sequence[T]) -> T:
        """One of several, each as likely."""
        return among[int(self.chance.integers(len(among)))]

    def maybe(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.chance.random() < probability)

    def colours(self, count: int) -> list[Colour]:
        """Colours of bodies, saturated, of hues that can be told apart."""
        first, turn = self.between(0, 1), self.between(0.28, 0.38)
        return [self._colour((first + number * turn) % 1.0) for number in range(count)]

    def _colour(self, hue: float) -> Colour:
        return colorsys.hsv_to_rgb(hue, self.between(0.75, 0.95), self.between(0.65, 0.9))

    def texture(self) -> Texture:
        """Plain, unless variety asks for more."""
        return self.choice(TEXTURES) if self.variety.textures else "plain"

    def body(self, position: Vector, velocity: Vector = (0.0, 0.0), size: float | None = None, **more: Any) -> Body:
        """A body of any shape, colour and texture, except for the properties in `more`."""
        drawn = Body(
            shape=self.choice(tuple(SHAPES)),
            size=size or self.between(0.08, 0.11),
            colour=self.colours(1)[0],
            position=position,
            velocity=velocity,
            texture=self.texture(),
        )
        return replace(drawn, **more)

    def ground(self, friction: float = 0.0, bounce: float = 1.0) -> Block:
        """The floor."""
        colour = GROUND if self.variety.background == "constant" else self._pale(0.55)
        texture = self.texture() if self.variety.background == "textures" else "plain"
        corners = box(-OUTSIDE, -1.0, 1 + OUTSIDE, self.floor)
        return Block(corners, colour, friction=friction, bounce=bounce, texture=texture)

    def block(self, corners: tuple[Vector, ...], friction: float = 0.0, bounce: float = 1.0) -> Block:
        """A shelf, wall, ramp or table of any colour."""
        return Block(corners, self._dull(0.35, 0.5), friction=friction, bounce=bounce, texture=self.texture())

    def screen(self, corners: tuple[Vector, ...], glide: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Block:
        """An occluder of any colour: bodies pass behind it."""
        colour = self._dull(0.25, 0.6)
        return Block(corners, colour, solid=False, front=True, texture=self.texture(), glide=glide)

    def scene(self, kind: str, bodies: Sequence[Body], blocks: Sequence[Block]) -> Scene:
        """A scene of these things, with a background, a light and a camera."""
        patterned = self.variety.background == "textures"
        wall = BACKGROUND if self.variety.background == "constant" else self._pale(0.85)
        light = Light(self.between(0.2, 2.9), self.between(0.15, 0.35), self.between(0.85, 1.0))
        centre = 0.5 + self.between(-0.02, 0.02), 0.5 + self.between(-0.02, 0.02)
        camera = Camera(centre, self.between(0.94, 1.04), self.maybe(0.5))
        return Scene(
            kind,
            tuple(bodies),
            tuple(blocks),
            wall,
            self.choice(TEXTURES) if patterned else "plain",
            camera if self.variety.cameras else Camera(),
            light if self.variety.lights else Light(),
        )

    def _pale(self, value: float) -> Colour:
        return colorsys.hsv_to_rgb(self.between(0, 1), self.between(0.0, 0.2), value + self.between(-0.1, 0.1))

    def _dull(self, low: float, high: float) -> Colour:
        return colorsys.hsv_to_rgb(self.between(0, 1), self.between(0.05, 0.3), self.between(low, high))
