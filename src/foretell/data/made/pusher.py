"""A table seen from above, a pusher that moves as it is told, and things that it can push: a world to act in.

    table = Tabletop(start(seed=0, index=7))
    table.step((0.05, -0.02))                  # a displacement; what it touches is pushed
    table.state, table.picture(32)             # where the pusher is, uint8 [3, 32, 32]

Lengths are shares of the picture's side, x to the right and y upwards. These differ from table to table: colours,
light, one or two things, their shapes and places. The pusher is always the same dark disc, and the camera stays where
it is. Everything is a function of (seed, index), bit for bit on the same machine and versions.

T frames · n bodies, the pusher first · S side of the picture in pixels
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from foretell.data.items import Item
from foretell.data.made.scenes.physics import SLOP, made
from foretell.data.made.scenes.render import render
from foretell.data.made.scenes.stage import Stage, Variety
from foretell.data.made.scenes.world import Body, Scene, Vector, box
from foretell.data.made.splits import asked, splits
from foretell.data.reads import Clips
from foretell.data.source import Contents, Splits
from foretell.errors import ForetellError, Range, check_range
from foretell.extras import needed

if TYPE_CHECKING:
    import pymunk

VERSION = 1  # raise it when the same seed gives other pixels
NAMES = {"states": ("state_x", "state_y"), "actions": ("action_x", "action_y")}
LIMIT = 0.15
"""The longest way of the pusher in a step, along each axis."""
SECONDS = 0.25
"""A step lasts: four frames a second, as the paper samples its robots."""
SUBSTEPS = 16
GLIDE = 1e-4
"""Share of its speed that a thing keeps in a second: the table is rough."""
RIM, RADIUS = 0.04, 0.08
_EPISODES, _REACH, _PUSH = 0, 1, 2  # so that episodes and tasks of one seed have nothing in common


class Tabletop:
    """A table that can be acted on.

    Args:
        scene: the start; its first body is the pusher.
    """

    def __init__(self, scene: Scene) -> None:
        needed("pymunk", "making scenes")
        import pymunk

        self.scene = scene
        self.space = pymunk.Space()
        self.space.collision_slop, self.space.iterations, self.space.damping = SLOP, 20, GLIDE
        for block in scene.blocks:
            shape = pymunk.Poly(self.space.static_body, block.corners)
            shape.friction = block.friction
            self.space.add(shape)
        built = [made(body) for body in scene.bodies]
        self.space.add(*(part for pair in built for part in pair))
        self.bodies = [body for body, _ in built]
        self.bodies[0].mass *= 10  # the things that it pushes should not push it
        self.bodies[0].velocity_func = self._drive
        self._goal, self._left = self.state, 0

    @property
    def places(self) -> np.ndarray:
        """Centres and angles of all bodies: float64 [n, 3]."""
        return np.array([(*body.position, body.angle) for body in self.bodies])

    @property
    def state(self) -> np.ndarray:
        """The place of the pusher: float64 [2]."""
        return self.places[0, :2]

    def step(self, action: Sequence[float] | np.ndarray) -> np.ndarray:
        """Move the pusher by an action, at most `LIMIT` along each axis, and the things that it touches.

        Returns:
            The displacement: less than the action if the rim stops it, or a thing at the rim.
        """
        before, self._left = self.state, SUBSTEPS
        self._goal = np.clip(before + np.clip(action, -LIMIT, LIMIT), RIM + RADIUS, 1 - RIM - RADIUS)
        for _ in range(SUBSTEPS):
            self.space.step(SECONDS / SUBSTEPS)
        return self.state - before

    def _drive(self, body: pymunk.Body, gravity: Vector, damping: float, dt: float) -> None:
        """The velocity that takes the pusher to its goal in the steps left; contacts may still slow it down."""
        self._left -= 1
        x, y = (self._goal - np.array(body.position)) / (self._left * dt) if self._left else (0.0, 0.0)
        body.velocity = float(x), float(y)

    def picture(self, size: int) -> np.ndarray:
        """The table as it is: uint8 [3, size, size]."""
        return render(self.scene, self.places[None], size)[0]


def start(seed: int, index: int) -> Scene:
    """The start of episode `index` of a seed: one or two things on the table, and the pusher anywhere."""
    return _start(_chance(_EPISODES, seed, index))


def episode(seed: int, index: int, frames: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An episode: half of its steps go anywhere, the others to places that are kept for a while, often a thing's.

    Returns:
        Pictures uint8 [T, 3, S, S], states float32 [T, 2], actions float32 [T − 1, 2]: as in the paper, by how much
        the state changed.
    """
    chance = _chance(_EPISODES, seed, index)
    table = Tabletop(_start(chance))
    path, aim = [table.places], chance.uniform(0, 1, 2)
    for _ in range(frames - 1):
        if chance.random() < 0.3:
            thing = table.places[chance.integers(1, len(table.bodies)), :2]
            aim = thing if chance.random() < 0.5 else chance.uniform(0, 1, 2)
        anywhere = chance.uniform(-LIMIT, LIMIT, 2)
        table.step(anywhere if chance.random() < 0.5 else aim - table.state)
        path.append(table.places)
    states = np.stack(path)[:, 0, :2].astype(np.float32)
    return render(table.scene, np.stack(path), size), states, np.diff(states, axis=0)


@dataclass(frozen=True)
class PushTask:
    """A table, and how it should become."""

    scene: Scene
    goal: np.ndarray
    """Centres and angles of all bodies, as they should be: float64 [n, 3]."""
    who: int
    """The body that has to get there: the pusher (0), or a thing that it pushes."""

    def distance(self, table: Tabletop) -> float:
        """How far that body is from its goal."""
        return float(np.linalg.norm(table.places[self.who, :2] - self.goal[self.who, :2]))

    def picture(self, size: int) -> np.ndarray:
        """The picture of the goal: uint8 [3, size, size]."""
        return render(self.scene, self.goal[None], size)[0]


def reach(seed: int, index: int) -> PushTask:
    """The pusher should get to a place, 0.25 to 0.5 away, with nothing in the way."""
    chance = _chance(_REACH, seed, index)
    while True:
        scene = _start(chance)
        here, turn, length = np.array(scene.bodies[0].position), chance.uniform(0, 2 * np.pi), chance.uniform(0.25, 0.5)
        there = here + length * np.array([np.cos(turn), np.sin(turn)])
        if _inside(there, RADIUS) and all(_clear(here, there, thing) for thing in scene.bodies[1:]):
            return PushTask(scene, Tabletop(_with(scene, there)).places, 0)


def push(seed: int, index: int, steps: int = 4) -> PushTask:
    """A thing should get to where `steps` of a straight push would bring it; the pusher begins behind it."""
    chance = _chance(_PUSH, seed, index)
    while True:
        scene = _start(chance, things=1)
        thing, turn = scene.bodies[1], chance.uniform(0, 2 * np.pi)
        way = np.array([np.cos(turn), np.sin(turn)])
        here = np.array(thing.position) - (RADIUS + thing.reach + 0.01) * way
        if not _inside(here, RADIUS):
            continue
        table = Tabletop(begun := _with(scene, here))
        for _ in range(steps):
            table.step(0.07 * way)
        goal = table.places
        if np.linalg.norm(goal[1, :2] - thing.position) > 0.15 and _inside(goal[1, :2], thing.reach):
            return PushTask(begun, goal, 1)


def _chance(kind: int, seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng([VERSION, kind, seed, index])


def _start(chance: np.random.Generator, things: int | None = None) -> Scene:
    stage = Stage(chance, Variety("colours", cameras=False))
    rims = (
        (-1, -1, 2, RIM),
        (-1, 1 - RIM, 2, 2),
        (-1, 0, RIM, 1),
        (1 - RIM, 0, 2, 1),
    )  # thick: nothing is squeezed out
    rim = stage.block(box(*rims[0]), friction=0.5)
    bodies = [Body("circle", RADIUS, (0.1, 0.1, 0.12), (0.0, 0.0), friction=0.5, turns=False)]
    bodies += [stage.body((0.0, 0.0), friction=0.5) for _ in range(things or stage.choice((1, 2)))]
    while True:  # until nothing overlaps
        placed = [replace(body, position=_anywhere(chance, body.reach)) for body in bodies]
        gaps = (np.hypot(*np.subtract(a.position, b.position)) - a.reach - b.reach for a, b in combinations(placed, 2))
        if min(gaps) > 0.01:
            turned = [replace(body, angle=stage.between(0, 2 * np.pi)) for body in placed[1:]]
            return stage.scene("pusher", [placed[0], *turned], [replace(rim, corners=box(*each)) for each in rims])


def _anywhere(chance: np.random.Generator, reach: float) -> Vector:
    x, y = chance.uniform(RIM + reach, 1 - RIM - reach, 2)
    return float(x), float(y)


def _inside(place: np.ndarray, reach: float) -> bool:
    """Whether something that reaches so far lies within the rim."""
    return bool((place > RIM + reach).all() and (place < 1 - RIM - reach).all())


def _clear(here: np.ndarray, there: np.ndarray, thing: Body) -> bool:
    """Whether the pusher passes a thing untouched on the straight way."""
    way = there - here
    share = np.clip((np.array(thing.position) - here) @ way / (way @ way), 0, 1)
    return bool(np.linalg.norm(here + share * way - thing.position) > RADIUS + thing.reach + 0.02)


def _with(scene: Scene, place: np.ndarray) -> Scene:
    """The same table, the pusher elsewhere."""
    return replace(
        scene, bodies=(replace(scene.bodies[0], position=(float(place[0]), float(place[1]))), *scene.bodies[1:])
    )


TASKS: dict[str, Callable[[int, int], PushTask]] = {"reach": reach, "push": push}
"""name -> task number `index` of a seed."""


def find(spec: str, cut: Clips, seed: int, steps: bool = True) -> Splits:
    """`pusher`, or `pusher:N` for N episodes, and an eighth as many others for testing; clips alone without `steps`.

    Raises ForetellError if it is not a number.
    """
    train = asked(spec, "episodes")
    if (cut.fps, cut.stride, cut.clips) != (None, 1, 1):
        raise ForetellError(
            f"{spec}: these episodes are made as long as they are asked for, four frames a second: "
            "leave fps, stride and clips as they are"
        )
    check_range(f"{spec}: frames", cut.frames, Range(2))
    check_range(f"{spec}: size", cut.size, Range(8))
    return splits("pusher", train, VERSION, seed, partial(_read, seed, cut, steps))


def _read(seed: int, cut: Clips, steps: bool, first: int, count: int) -> Contents:
    def reader(index: int) -> Callable[[], tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]]:
        def read() -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
            pixels, states, actions = episode(seed, index, cut.frames, cut.size)
            return pixels, (states[:-1], actions) if steps else None

        return read

    items: Iterator[Item] = (Item(f"episode {i}", reader(i)) for i in range(first, first + count))
    return Contents(count, (), items, NAMES if steps else {})
