"""Matched scenes for each physical property: two possible clips, and the two impossible ones their halves make.

A quad is two possible stories, p and q, that can be told apart before the violation and after it. Most are swapped:

    possible p, q        impossible p until frame f and then q, q until f and then p

so every past and every future is in one possible and in one impossible clip, pixel for pixel. Only the joint differs.
If the cause stays in view (a shelf that ends or continues), a swap would change it too. Those quads are crossed: they
have two causes and two courses of motion. A cause with its own course is possible; with the other's it is not. Every
cause and every course is in one possible and in one impossible clip.

A hidden quad is joined while a screen hides all differences: frame f is the same in p and q.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from .stage import Stage
from .world import GRAVITY, SHAPES, Block, Body, Scene, Vector, box

MARGIN = 0.05  # beyond a body that a screen covers: more than a pixel at 32 × 32


@dataclass(frozen=True)
class Quad:
    """Two possible scenes and how their halves are joined."""

    possible: tuple[Scene, Scene]
    frame: int
    """The first frame after the joint."""
    directions: tuple[str, str]
    """The names of p's past with q's future, and of q's past with p's."""
    crossed: bool = False


@dataclass(frozen=True)
class Clock:
    """Frames and seconds."""

    frames: int
    dt: float

    def middle(self, stage: Stage, low: float = 0.375, high: float = 0.6) -> int:
        """A frame for the violation, even where there is a choice, so that tubelets of two frames stay whole."""
        choices = range(int(np.ceil(low * self.frames)), int(high * self.frames) + 1)
        return stage.choice([f for f in choices if f % 2 == 0] or [max(1, self.frames // 2)])


Build: TypeAlias = Callable[[Stage, Clock, bool], Quad]


def _before(position: Vector, velocity: Vector, time: float, gravity: float = 0.0) -> tuple[Vector, Vector]:
    """The start and its velocity that lead to a position and velocity at a time."""
    (x, y), (vx, vy) = position, velocity
    return (x - vx * time, y - vy * time - gravity * time**2 / 2), (vx, vy + gravity * time)


def _pillar(stage: Stage, x: float, half: float, top: float = 1.6) -> Block:
    """A screen around x that stands on the lower edge of the picture."""
    return stage.screen(box(x - half, -0.6, x + half, top))


# One body that passes, whatever it looks like -------------------------------------------------------------------


def _passing(stage: Stage, clock: Clock, hidden: bool, looks: list[dict[str, Any]]) -> tuple[list[Scene], int]:
    """The same course for bodies of several looks: slide, fly or drop past a place at the violation.

    None for a look: the body is not there.
    """
    frame = clock.middle(stage)
    course = stage.choice(["slide", "fly", "drop"])
    time = frame * clock.dt
    place = stage.between(0.45, 0.55), 0.0
    first = stage.body((0.0, 0.0), texture=stage.texture())
    reach = max(replace(first, **look).reach for look in looks or [{}])
    shelf = stage.floor
    blocks = [stage.ground(bounce=0.6)]
    if course == "slide":
        velocity = stage.between(0.28, 0.42), 0.0
        if stage.maybe(0.4):
            shelf = stage.between(0.35, 0.55)
            blocks.append(stage.block(box(-1.0, shelf - 0.05, 2.0, shelf)))
    elif course == "fly":
        place = place[0], stage.between(0.6, 0.7)
        # no steeper than lets it start above the floor
        steepest = (place[1] - stage.floor - reach - 0.02 - GRAVITY * time**2 / 2) / time
        velocity = stage.between(0.26, 0.38), min(stage.between(-0.3, 0.15), steepest)
    else:
        # fast enough to have been seen above a screen
        velocity = stage.between(-0.03, 0.03), stage.between(-0.8, -0.62)
        place = place[0], stage.between(0.48, 0.54)
    if hidden:
        # Covered are two frames, the one before the joint and the one after it.
        x, y = place[0] - velocity[0] * clock.dt / 2, place[1] - velocity[1] * clock.dt / 2
        half = reach + abs(velocity[0]) * clock.dt / 2 + MARGIN
        if course == "drop":
            high = reach + abs(velocity[1]) * clock.dt / 2 + MARGIN
            blocks.append(stage.screen(box(x - half - 0.08, y - high, x + half + 0.08, y + high)))
        elif course == "slide" and stage.maybe(0.5):
            blocks.append(_pillar(stage, x, half, shelf + 2 * reach + MARGIN))
        else:
            blocks.append(_pillar(stage, x, half))
    gravity = 0.0 if course == "slide" else GRAVITY
    scenes = []
    kind = "occlude" if hidden else "slide" if course == "slide" else "fall"
    frozen = stage.scene(kind, [], blocks)
    for look in looks:
        body = replace(first, friction=0.0, bounce=0.6, **look)
        at = (place[0], shelf + body.below) if course == "slide" else place
        start, speed = _before(at, velocity, time, gravity)
        scenes.append(replace(frozen, bodies=(replace(body, position=start, velocity=speed),)))
    return scenes, frame


def permanence(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """A body, or none."""
    (present,), frame = _passing(stage, clock, hidden, [{}])
    return Quad((present, replace(present, bodies=())), frame, ("vanishes", "appears"))


def shape(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """A body of one shape or of another."""
    a, b = stage.chance.permutation(list(SHAPES))[:2]
    (p, q), frame = _passing(stage, clock, hidden, [{"shape": str(a)}, {"shape": str(b)}])
    return Quad((p, q), frame, (f"{a} to {b}", f"{b} to {a}"))


def colour(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """A body of one colour or of another."""
    a, b = stage.colours(2)
    (p, q), frame = _passing(stage, clock, hidden, [{"colour": a}, {"colour": b}])
    return Quad((p, q), frame, ("changes", "changes back"))


# One body, two courses ------------------------------------------------------------------------------------------


def continuity(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """A body here, or at the same time there: on two shelves, or ahead of itself on one."""
    frame = clock.middle(stage)
    time = frame * clock.dt
    body = stage.body((0.0, 0.0))
    speed = stage.between(0.28, 0.4)
    blocks = [stage.ground()]
    lanes = hidden or stage.maybe(0.5)
    x = stage.between(0.45, 0.55)
    if lanes:
        shelf = stage.between(0.5, 0.58)
        blocks.append(stage.block(box(-1.0, shelf - 0.05, 2.0, shelf)))
        places = [(x, shelf + body.below), (x, stage.floor + body.below)]
        directions = "drops a level", "rises a level"
    else:
        apart = stage.between(0.15, 0.19)
        places = [(x - apart, stage.floor + body.below), (x + apart, stage.floor + body.below)]
        directions = "jumps ahead", "jumps back"
    if hidden:
        half = body.reach + speed * clock.dt / 2 + MARGIN
        blocks.append(_pillar(stage, x - speed * clock.dt / 2, half))
    empty = stage.scene("occlude" if hidden else "slide", [], blocks)
    p, q = (_with(empty, body, place, (speed, 0.0), time) for place in places)
    return Quad((p, q), frame, directions)


def _with(scene: Scene, body: Body, place: Vector, velocity: Vector, time: float, gravity: float = 0.0) -> Scene:
    """The scene with a body more, at a place with a velocity at a time."""
    start, speed = _before(place, velocity, time, gravity)
    return replace(scene, bodies=(*scene.bodies, replace(body, position=start, velocity=speed)))


def gravity(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """A thrown body that sinks, or one that still rises."""
    # early, for the rising one must not have been under the floor; later, if it must have been seen before the screen
    frame = clock.middle(stage, 0.375 if hidden else 0.25, 0.45)
    time = (frame - 0.5) * clock.dt
    body = stage.body((0.0, 0.0), bounce=0.7)
    across = stage.between(0.4, 0.48) if hidden else stage.between(0.24, 0.34)
    place = stage.between(0.38, 0.44), 0.0
    rise = stage.between(0.32, 0.42)
    # high enough for the rising one to have left the floor
    lowest = stage.floor + body.reach + rise * time + GRAVITY * time**2 / 2 + 0.02
    place = place[0], max(stage.between(0.58, 0.66), lowest)
    blocks = [stage.ground(bounce=0.7)]
    if hidden:
        half = body.reach + across * clock.dt / 2 + MARGIN
        blocks.append(_pillar(stage, place[0], half))
    empty = stage.scene("fall", [], blocks)
    p, q = (_with(empty, body, place, (across, up), time, GRAVITY) for up in (-rise, rise))
    return Quad((p, q), frame, ("falls up", "turns down"))


def inertia(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """A body that slides on, or one that comes from the other side, or (in view) one that rests."""
    frame = clock.middle(stage)
    time = (frame - 0.5) * clock.dt
    body = stage.body((0.0, 0.0))
    speed = stage.between(0.3, 0.42)
    x = stage.between(0.45, 0.55)
    blocks = [stage.ground()]
    if hidden:
        half = body.reach + speed * clock.dt / 2 + MARGIN
        top = stage.choice([1.6, stage.floor + body.below + body.above + MARGIN])
        blocks.append(_pillar(stage, x, half, top))
    empty = stage.scene("occlude" if hidden else "slide", [], blocks)
    place = x, stage.floor + body.below
    rests = not hidden and stage.maybe(0.5)
    p, q = (_with(empty, body, place, (v, 0.0), time) for v in (speed, 0.0 if rests else -speed))
    return Quad((p, q), frame, ("stops", "starts") if rests else ("turns back", "turns back, mirrored"))


# Bodies and what is in their way -------------------------------------------------------------------------------


def solidity(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """A body that bounces off a wall; hidden: off the one side or the other."""
    frame = clock.middle(stage)
    time = (frame - 0.5) * clock.dt
    # flat or round towards the wall: a triangle would be turned over
    look = stage.choice(["circle", "square", "bar"])
    body = stage.body((0.0, 0.0), size=stage.between(0.07, 0.09), shape=look, bounce=1.0, turns=False)
    speed = stage.between(0.34, 0.44)
    x, half = stage.between(0.46, 0.54), 0.03
    y = stage.floor + body.below
    high = y + body.above + stage.between(0.15, 0.25)
    wall = stage.block(box(x - half, stage.floor, x + half, high))
    if hidden:
        # wide enough for the body on either side, and low enough that the wall looks over it
        wide = half + 2 * body.beside + speed * clock.dt / 2 + MARGIN
        screen = _pillar(stage, x, wide, y + body.above + MARGIN)
        empty = stage.scene("bounce", [], [stage.ground(), wall, screen])
        touch = half + body.beside
        p = _with(empty, body, (x - touch, y), (speed, 0.0), time)
        q = _with(empty, body, (x + touch, y), (-speed, 0.0), time)
        return Quad((p, q), frame, ("passes through", "passes through, mirrored"))
    gap = y + body.above + 0.05  # the wall of q is raised like a gate
    raised = replace(wall, corners=box(x - half, gap, x + half, gap + high - stage.floor))
    empty = stage.scene("bounce", [], [stage.ground(), wall])
    p = _with(empty, body, (x - half - body.beside, y), (speed, 0.0), time)
    q = replace(p, blocks=(p.blocks[0], raised))
    return Quad((p, q), frame, ("passes through", "bounces off nothing"), crossed=True)


def support(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """In view: a body slides on a shelf that ends, or on one that continues. Hidden: it drops behind a screen that
    has risen before a table, or before none.
    """
    if hidden:
        return _table(stage, clock)
    frame = clock.middle(stage)
    time = (frame - 0.5) * clock.dt
    body = stage.body((0.0, 0.0), shape=stage.choice(["circle", "square", "bar"]))
    speed = stage.between(0.28, 0.4)
    x, shelf = stage.between(0.38, 0.46), stage.between(0.5, 0.6)
    short = stage.block(box(-1.0, shelf - 0.06, x, shelf))
    long = replace(short, corners=box(-1.0, shelf - 0.06, 2.0, shelf))
    empty = stage.scene("rest", [], [stage.ground(bounce=0.3), short])
    p = _with(empty, body, (x, shelf + body.below), (speed, 0.0), time)
    return Quad((p, replace(p, blocks=(p.blocks[0], long))), frame, ("hovers", "sinks"), crossed=True)


def _table(stage: Stage, clock: Clock) -> Quad:
    total = clock.frames * clock.dt
    frame = clock.middle(stage)
    look = stage.choice(["circle", "square", "triangle"])
    body = stage.body((0.0, 0.0), size=stage.between(0.09, 0.11), shape=look, friction=0.8)
    x, floor = stage.between(0.4, 0.6), stage.floor
    table = floor + stage.between(0.27, 0.33)
    wide = body.reach + 0.06
    # hides the table, and a body on the floor; not one on the table
    top = max(table + MARGIN, floor + body.below + body.above + MARGIN)
    covered = (frame - 1) * clock.dt
    glide = (max(0.1 * total, clock.dt), covered, -top)
    screen = stage.screen(box(x - wide - 0.05, -0.6, x + wide + 0.05, top), glide)
    block = stage.block(box(x - wide, floor, x + wide, table), friction=0.8, bounce=0.0)
    # down on the table four tenths of a second or more after the screen is up, in view above it until then
    landing = covered + 0.25 * total
    # so fast that it was thrown from above the table, and not from inside it
    fast = max(stage.between(0.6, 0.8), GRAVITY * landing / 2)
    empty = stage.scene("rest", [], [stage.ground(friction=0.8, bounce=0.0), block, screen])
    p = _with(empty, body, (x, table + body.below), (0.0, -fast), landing, GRAVITY)
    q = replace(p, blocks=(p.blocks[0], p.blocks[2]))
    return Quad((p, q), frame, ("sinks", "hovers"))


def collision(stage: Stage, clock: Clock, hidden: bool) -> Quad:
    """A body that another of its mass hits, so that it takes over its motion, or a body that is not hit."""
    frame = clock.middle(stage)
    time = (frame + 0.5 if hidden else frame - 0.5) * clock.dt
    look = stage.choice(["circle", "square", "bar"])
    size, (a, b) = stage.between(0.075, 0.095), stage.colours(2)
    texture = stage.texture()
    speed = stage.between(0.36, 0.46)
    resting = stage.body((0.0, 0.0), size=size, shape=look, colour=b, texture=texture, bounce=1.0, turns=False)
    y, gap = stage.floor + resting.below, 0.004
    x = stage.between(0.58, 0.66)
    hit = x - 2 * resting.beside - gap
    resting = replace(resting, position=(x, y))
    hitter = replace(resting, colour=a)
    blocks = [stage.ground()]
    if hidden:
        # hides the hitter from the frame before the joint on, and half of the resting body
        left = hit - resting.reach - 2 * speed * clock.dt - MARGIN
        blocks.append(stage.screen(box(left, -0.6, x, y + resting.above + stage.between(0.1, 0.3))))
    empty = stage.scene("collide", [resting], blocks)
    p = _with(empty, hitter, (hit, y), (speed, 0.0), time)
    q = empty if hidden else _with(empty, hitter, (hit, y), (0.0, 0.0), time)
    return Quad((p, q), frame, ("has no effect", "moves unprompted"))


PROPERTIES: dict[str, Build] = {
    "permanence": permanence,
    "shape": shape,
    "colour": colour,
    "continuity": continuity,
    "solidity": solidity,
    "gravity": gravity,
    "support": support,
    "inertia": inertia,
    "collision": collision,
}
"""By name, how a quad of scenes is drawn: stage, clock, whether the joint is hidden."""
