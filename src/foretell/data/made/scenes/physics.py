"""The place of every body at every frame, by pymunk's 2-D rigid bodies in sub-steps of fixed length.

T frames · n bodies
"""

from __future__ import annotations

from functools import cache
from math import ceil, inf
from typing import TYPE_CHECKING

import numpy as np

from foretell.extras import needed

from .world import GRAVITY, SHAPES, Body, Scene

if TYPE_CHECKING:
    import pymunk

STEP = 1 / 64  # seconds at most: a body moves a tenth of its size
# pymunk's default tolerance is made for worlds measured in pixels
SLOP = 2e-4


def simulate(scene: Scene, frames: int) -> np.ndarray:
    """Centres and angles over time: float64 [T, n, 3] (x, y, angle); the first frame is the start."""
    needed("pymunk", "making scenes")
    import pymunk

    space = pymunk.Space()
    space.gravity = (0.0, -GRAVITY)
    space.collision_slop = SLOP
    space.iterations = 20
    for block in scene.blocks:
        if block.solid:
            shape = pymunk.Poly(space.static_body, block.corners)
            shape.friction, shape.elasticity = block.friction, block.bounce
            space.add(shape)
    bodies = []
    for each in scene.bodies:
        body, shape = made(each)
        space.add(body, shape)
        bodies.append(body)
    seconds = scene.seconds / frames
    steps = ceil(seconds / STEP)
    path = np.empty((frames, len(bodies), 3))
    for frame in range(frames):
        for _ in range(steps if frame else 0):
            space.step(seconds / steps)
        for number, body in enumerate(bodies):
            path[frame, number, :2], path[frame, number, 2] = body.position, body.angle
    return path


def made(each: Body) -> tuple[pymunk.Body, pymunk.Shape]:
    """A body and its shape, for a space."""
    needed("pymunk", "making scenes")
    import pymunk

    area = each.size**2  # bodies are equally dense; only ratios of mass matter
    moment = area * _moment(each.shape) * each.size**2 if each.turns else inf
    body = pymunk.Body(area, moment)
    body.position, body.velocity = each.position, each.velocity
    body.angle, body.angular_velocity = each.angle, each.spin
    corners = [(x * each.size, y * each.size) for x, y in SHAPES[each.shape]]
    shape = pymunk.Poly(body, corners) if corners else pymunk.Circle(body, each.size)
    shape.friction, shape.elasticity = each.friction, each.bounce
    return body, shape


@cache
def _moment(shape: str) -> float:
    """Moments of inertia, for unit mass and size."""
    needed("pymunk", "making scenes")
    import pymunk

    corners = SHAPES[shape]
    return pymunk.moment_for_poly(1.0, corners) if corners else pymunk.moment_for_circle(1.0, 0.0, 1.0)
