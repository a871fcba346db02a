"""Scenes without a plot: things fall, roll, bounce, collide, rest and pass behind screens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import atan2, cos, sin
from typing import Any, TypeAlias

from .stage import Stage
from .world import Block, Body, Colour, Scene, Vector, box

Draw: TypeAlias = Callable[[Stage], Scene]


def fall(stage: Stage) -> Scene:
    """One to three bodies drop, onto the floor or a shelf."""
    bodies = []
    for x, colour in _spread(stage, stage.choice([1, 2, 3])):
        height, drift = stage.between(0.6, 1.0), stage.between(-0.08, 0.08)
        bodies.append(_free(stage, (x, height), (drift, stage.between(-0.2, 0.3)), colour))
    blocks = [stage.ground(friction=0.6)]
    if stage.maybe(0.4):
        left, shelf = stage.between(-0.1, 0.6), stage.between(0.3, 0.42)
        blocks.append(stage.block(box(left, shelf - 0.05, left + stage.between(0.3, 0.6), shelf), friction=0.6))
    return stage.scene("fall", bodies, blocks + _screens(stage, 0.3))


def roll(stage: Stage) -> Scene:
    """A ball rolls down a ramp and along the floor; half of it is darker, so that one sees it turn."""
    top, end = stage.between(0.4, 0.6), stage.between(0.35, 0.6)
    floor = stage.floor
    ramp = stage.block(((-0.3, floor), (end, floor), (-0.3, top + 0.3 * (top - floor) / end)), friction=1.0)
    slope = atan2(top - floor, end)
    size = stage.between(0.075, 0.1)
    along = stage.between(0.05, 0.2)
    # on the slope's surface, one radius away from it
    position = along + size * sin(slope), top - along * (top - floor) / end + size * cos(slope)
    ball = stage.body(position, size=size, shape="circle", friction=1.0, bounce=0.2, texture="half")
    bodies = [ball]
    if stage.maybe(0.3):
        bodies.append(_resting(stage, stage.between(0.75, 0.9), stage.floor, stage.colours(1)[0]))
    return stage.scene("roll", bodies, [stage.ground(friction=1.0), ramp, *_screens(stage, 0.3)])


def bounce(stage: Stage) -> Scene:
    """A body is thrown and bounces off the floor, and perhaps off a wall."""
    start = stage.between(-0.1, 0.2), stage.between(0.4, 0.8)
    speed = stage.between(0.25, 0.55), stage.between(-0.2, 0.5)
    body = _free(stage, start, speed, stage.colours(1)[0], bounce=stage.between(0.7, 0.95))
    blocks = [stage.ground(friction=0.3)]
    if stage.maybe(0.5):
        x = stage.between(0.6, 0.85)
        blocks.append(stage.block(box(x, stage.floor, x + 0.07, stage.between(0.5, 0.9)), friction=0.3))
    return stage.scene("bounce", [body], blocks + _screens(stage, 0.3))


def slide(stage: Stage) -> Scene:
    """A body slides along the floor or a shelf."""
    shelf = stage.between(0.35, 0.55)
    level = stage.choice([stage.floor, shelf])
    blocks = [stage.ground()]
    if level == shelf:
        blocks.append(stage.block(box(-1.0, shelf - 0.05, 2.0, shelf)))
    body = _resting(stage, stage.between(-0.1, 0.3), level, stage.colours(1)[0], friction=0.0)
    return stage.scene("slide", [replace(body, velocity=(stage.between(0.2, 0.5), 0.0))], blocks)


def collide(stage: Stage) -> Scene:
    """Two bodies slide into each other, or one into one that rests."""
    a, b = stage.colours(2)
    left = _resting(stage, stage.between(-0.05, 0.15), stage.floor, a, bounce=stage.between(0.6, 1.0), friction=0.0)
    right = _resting(stage, stage.between(0.6, 0.85), stage.floor, b, bounce=1.0, friction=0.0)
    fast = stage.between(0.3, 0.5), 0.0
    slow = 0.0 if stage.maybe(0.5) else -stage.between(0.1, 0.4), 0.0
    bodies = [replace(left, velocity=fast), replace(right, velocity=slow)]
    return stage.scene("collide", bodies, [stage.ground(), *_screens(stage, 0.3)])


def rest(stage: Stage) -> Scene:
    """Bodies rest on the floor, a table or each other, and perhaps another one drops beside or on them."""
    x, high = stage.between(0.25, 0.6), stage.floor + stage.between(0.1, 0.35)
    table = stage.block(box(x - 0.17, stage.floor, x + 0.17, high), friction=0.8, bounce=0.3)
    a, b, c = stage.colours(3)
    below = _resting(stage, x, high, a, shape=stage.choice(["square", "bar"]), friction=0.8)
    bodies = [below]
    if stage.maybe(0.5):
        bodies.append(_resting(stage, x, high + below.below + below.above, b, friction=0.8))
    if stage.maybe(0.7):
        bodies.append(_free(stage, (stage.between(0.1, 0.9), stage.between(1.0, 1.3)), (0.0, -0.2), c, bounce=0.4))
    return stage.scene("rest", bodies, [stage.ground(friction=0.8, bounce=0.5), table, *_screens(stage, 0.2)])


def occlude(stage: Stage) -> Scene:
    """Bodies slide behind one or two screens and out again, each on its own level and at its own speed."""
    shelf = stage.between(0.5, 0.6)
    levels = stage.choice([[stage.floor], [shelf], [stage.floor, shelf]])
    blocks = [stage.ground()]
    if shelf in levels:
        blocks.append(stage.block(box(-1.0, shelf - 0.05, 2.0, shelf)))
    bodies = []
    for level, colour in zip(levels, stage.colours(2), strict=False):
        right = stage.maybe(0.5)
        start, speed = stage.between(-0.1, 0.25), stage.between(0.25, 0.5)
        body = _resting(stage, start if right else 1 - start, level, colour, friction=0.0)
        bodies.append(replace(body, velocity=(speed if right else -speed, 0.0)))
    return stage.scene("occlude", bodies, blocks + _screens(stage, 1.0))


def _spread(stage: Stage, count: int) -> list[tuple[float, Colour]]:
    """Places side by side that do not touch, with a colour each."""
    share = 0.9 / count
    play = max(share / 2 - 0.14, 0.0)
    places = [0.05 + share * (n + 0.5) + stage.between(-play, play) for n in range(count)]
    return list(zip(places, stage.colours(count), strict=True))


def _free(stage: Stage, position: Vector, velocity: Vector, colour: Colour, bounce: float | None = None) -> Body:
    """A body in the air, at any angle."""
    return stage.body(
        position,
        velocity,
        colour=colour,
        angle=stage.between(-3.1, 3.1),
        spin=stage.between(-1.5, 1.5),
        friction=0.5,
        bounce=stage.between(0.3, 0.85) if bounce is None else bounce,
    )


def _resting(stage: Stage, x: float, level: float, colour: Colour, **more: Any) -> Body:
    """A body that stands upright on a level."""
    standing: dict[str, Any] = {"bounce": 0.2, "friction": 0.6, "colour": colour} | more
    body = stage.body((0.0, 0.0), **standing)
    return replace(body, position=(x, level + body.below))


def _screens(stage: Stage, probability: float) -> list[Block]:
    """With a probability one screen, or two."""
    if not stage.maybe(probability):
        return []
    count = stage.choice([1, 1, 2])
    screens = []
    for number in range(count):
        x = (number + stage.between(0.35, 0.65)) / count
        half, top = stage.between(0.1, 0.18) / count**0.5, stage.choice([1.6, stage.between(0.35, 0.8)])
        screens.append(stage.screen(box(x - half, -0.6, x + half, top)))
    return screens


KINDS: dict[str, Draw] = {
    "fall": fall,
    "roll": roll,
    "bounce": bounce,
    "collide": collide,
    "rest": rest,
    "slide": slide,
    "occlude": occlude,
}
"""By name, how a scene is drawn."""
