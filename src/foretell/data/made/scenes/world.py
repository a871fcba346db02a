"""The parts of a scene: plain numbers, so that a scene is its own record and can be written as JSON.

The world is a square seen from the side: x to the right, y upwards, 0 to 1 over the picture of an untouched camera.
Lengths are shares of the picture's side, times are seconds, angles radians (counter-clockwise), colours red, green,
blue in [0, 1].
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import cos, pi, sin, sqrt
from typing import Any, Literal, TypeAlias

Vector: TypeAlias = tuple[float, float]
Colour: TypeAlias = tuple[float, float, float]
Texture: TypeAlias = Literal["plain", "stripes", "checks", "half"]

GRAVITY = 0.8
"""Downwards, sides of the picture per second squared: the same in every scene, so that it can be learned."""

# Corners at unit size, with the area of the unit circle, so that a change of shape is no change of size.
_SQUARE = sqrt(pi) / 2
_LONG, _FLAT = _SQUARE * 1.4, _SQUARE / 1.4
_TRIANGLE = sqrt(pi * 4 / (3 * sqrt(3)))
SHAPES: dict[str, tuple[Vector, ...]] = {
    "circle": (),
    "square": ((-_SQUARE, -_SQUARE), (_SQUARE, -_SQUARE), (_SQUARE, _SQUARE), (-_SQUARE, _SQUARE)),
    "triangle": tuple((_TRIANGLE * cos(a), _TRIANGLE * sin(a)) for a in (-pi * 5 / 6, -pi / 6, pi / 2)),
    "bar": ((-_LONG, -_FLAT), (_LONG, -_FLAT), (_LONG, _FLAT), (-_LONG, _FLAT)),
}
"""Convex, counter-clockwise; no corners: a circle."""


@dataclass(frozen=True)
class Body:
    """A thing that moves, as it is at the first frame."""

    shape: str
    size: float
    """Radius of the circle with the same area."""
    colour: Colour
    position: Vector
    velocity: Vector = (0.0, 0.0)
    angle: float = 0.0
    spin: float = 0.0
    """Radians a second."""
    friction: float = 0.0
    bounce: float = 0.0
    """Elasticity, 0 to 1; that of a contact is the product of both sides'."""
    texture: Texture = "plain"
    turns: bool = True
    """False: it keeps its angle at every contact."""

    @property
    def below(self) -> float:
        """From the centre down to the lowest point, when upright."""
        return -self.size * min((y for _, y in SHAPES[self.shape]), default=-1.0)

    @property
    def above(self) -> float:
        """From the centre up to the highest point, when upright."""
        return self.size * max((y for _, y in SHAPES[self.shape]), default=1.0)

    @property
    def beside(self) -> float:
        """From the centre to the side, when upright."""
        return self.size * max((x for x, _ in SHAPES[self.shape]), default=1.0)

    @property
    def reach(self) -> float:
        """From the centre to the farthest point."""
        return self.size * max((sqrt(x * x + y * y) for x, y in SHAPES[self.shape]), default=1.0)


@dataclass(frozen=True)
class Block:
    """A thing that stays, or glides as it is told: floor, shelf, wall, ramp, screen."""

    corners: tuple[Vector, ...]
    """Convex, counter-clockwise."""
    colour: Colour
    solid: bool = True
    """Whether bodies touch it; a screen is passed behind."""
    front: bool = False
    """Drawn before the bodies: it hides them."""
    friction: float = 0.0
    bounce: float = 1.0
    texture: Texture = "plain"
    glide: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """(start, end, height): moved by `height` along y at first, in its place from `end` on. Not for solid blocks."""


@dataclass(frozen=True)
class Camera:
    """The place and size of the picture."""

    centre: Vector = (0.5, 0.5)
    zoom: float = 1.0
    mirrored: bool = False


@dataclass(frozen=True)
class Light:
    """The shading of bodies: brighter towards `angle`, by `strength`."""

    angle: float = pi * 0.65
    strength: float = 0.25
    brightness: float = 1.0
    """Of the whole picture."""


@dataclass(frozen=True)
class Scene:
    """Everything a clip is made of. `foretell.data.made.scenes.film` makes the clip."""

    kind: str
    bodies: tuple[Body, ...]
    blocks: tuple[Block, ...]
    """Drawn in this order."""
    wall: Colour
    """The background."""
    wall_texture: Texture = "plain"
    camera: Camera = field(default_factory=Camera)
    light: Light = field(default_factory=Light)
    seconds: float = 2.0
    """From the first frame to the end of the last."""

    def record(self) -> dict[str, Any]:
        """All factors as JSON types."""
        return asdict(self)


def box(left: float, bottom: float, right: float, top: float) -> tuple[Vector, ...]:
    """The corners of an upright rectangle."""
    return (left, bottom), (right, bottom), (right, top), (left, top)
