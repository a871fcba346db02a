"""Flat things on a picture, and how a step's frames are drawn of them.

A number of a sprite is a float, or an array [T] while a step moves it. Places are as in `foretell.data.made.scenes`: x
to the right, y upwards, 0 to 1 over the picture of an untouched camera.

T frames · W side of the picture in pixels
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from math import cos, sin
from typing import Literal, TypeAlias

import numpy as np

from foretell.data.made.scenes.world import Camera, Light

Number: TypeAlias = float | np.ndarray
Shape: TypeAlias = Literal["disc", "box", "triangle"]


def last(value: Number) -> float:
    """A number as it is in a step's last frame."""
    return float(value[-1]) if isinstance(value, np.ndarray) else float(value)


@dataclass(eq=False)
class Sprite:
    """An ellipse, a rectangle or a triangle with its tip upwards."""

    shape: Shape
    x: Number
    y: Number
    """Of its centre."""
    w: Number
    h: Number
    """How wide and how high it is, before it is turned."""
    colour: np.ndarray
    """Red, green, blue in [0, 1]: [3], or [T, 3]."""
    angle: Number = 0.0
    opacity: Number = 1.0
    layer: int = 0
    """Higher ones are drawn over lower ones."""

    def settle(self) -> None:
        """After a step: stay as in its last frame."""
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and value.ndim == (2 if name == "colour" else 1):
                setattr(self, name, value[-1] if name == "colour" else float(value[-1]))


@dataclass(eq=False)
class SpriteGroup:
    """Sprites that move as one."""

    parts: list[Sprite]
    noun: str = ""

    @property
    def body(self) -> Sprite:
        """Its first part, which the others lie on."""
        return self.parts[0]

    def move(self, x: Number, y: Number) -> None:
        """Move it so that its body's centre is there."""
        dx, dy = x - self.body.x, y - self.body.y
        for part in self.parts:
            part.x, part.y = part.x + dx, part.y + dy

    def turn(self, angle: Number) -> None:
        """Turn it by an angle, counter-clockwise, about its body's centre."""
        x, y, c, s = self.body.x, self.body.y, np.cos(angle), np.sin(angle)
        for part in self.parts:
            dx, dy = part.x - x, part.y - y
            part.x, part.y, part.angle = x + c * dx - s * dy, y + s * dx + c * dy, part.angle + angle

    def scale(self, w: Number, h: Number) -> None:
        """Make it wider and higher by these factors, from its body's centre."""
        x, y = self.body.x, self.body.y
        for part in self.parts:
            part.x, part.y = x + w * (part.x - x), y + h * (part.y - y)
            part.w, part.h = part.w * w, part.h * h

    def tint(self, shade: Number) -> None:
        """Make it brighter or darker by a factor."""
        for part in self.parts:
            part.colour = np.clip(part.colour * np.expand_dims(np.asarray(shade), -1), 0, 1)


def render(
    sprites: Iterable[Sprite], wall: Sequence[float], camera: Camera, light: Light, frames: int, size: int
) -> np.ndarray:
    """Draw the frames of a step: uint8 [T, 3, size, size]."""
    pixel = 1 / (size * camera.zoom)
    places = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(pixel)
    x = (places + np.float32(camera.centre[0] - size * pixel / 2))[None, None, :]
    y = (np.float32(camera.centre[1] + size * pixel / 2) - places)[None, :, None]
    canvas = np.broadcast_to(np.asarray(wall, np.float32), (1, size, size, 3)).copy()
    for sprite in sorted(sprites, key=lambda each: each.layer):
        share, shade = _cover(sprite, x, y, pixel, light)
        colour = np.asarray(sprite.colour, np.float32).reshape(-1, 1, 1, 3) * shade[..., None]
        if len(canvas) == 1 and max(len(share), len(colour)) > 1:
            canvas = np.repeat(canvas, frames, 0)  # all before stands still: it was drawn once
        canvas += share[..., None] * (np.minimum(colour, 1) - canvas)
    pixels = np.clip(canvas * np.float32(255 * light.brightness) + np.float32(0.5), 0, 255).astype(np.uint8)
    pixels = np.broadcast_to(pixels, (frames, size, size, 3))
    return np.ascontiguousarray((pixels[:, :, ::-1] if camera.mirrored else pixels).transpose(0, 3, 1, 2))


def _cover(sprite: Sprite, x: np.ndarray, y: np.ndarray, pixel: float, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """How much of each pixel a sprite covers, and how bright it is there: [T or 1, W, W] both."""
    dx, dy = x - _column(sprite.x), y - _column(sprite.y)
    turn = _column(sprite.angle)
    c, s = np.cos(turn), np.sin(turn)
    u, v = c * dx + s * dy, c * dy - s * dx
    a, b = (np.maximum(_column(side) / 2, np.float32(1e-4)) for side in (sprite.w, sprite.h))
    if sprite.shape == "disc":
        distance = (np.sqrt((u / a) ** 2 + (v / b) ** 2) - 1) * np.minimum(a, b)
    elif sprite.shape == "box":
        distance = np.maximum(np.abs(u) - a, np.abs(v) - b)
    else:
        distance = np.maximum((2 * b * np.abs(u) + a * (v - b)) / np.hypot(2 * b, a), -v - b)
    lit = np.float32(light.strength / 2) * (cos(light.angle) * dx + sin(light.angle) * dy) / np.maximum(a, b)
    share = np.clip(np.float32(0.5) - distance / np.float32(pixel), 0, 1) * _column(sprite.opacity)
    return share, 1 + np.clip(lit, -0.4, 0.4)


def _column(value: Number) -> np.ndarray:
    return np.asarray(value, np.float32).reshape(-1, 1, 1)
