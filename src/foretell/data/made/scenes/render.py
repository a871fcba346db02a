"""Scenes as pixels: signed distances, so that edges are smooth at any size, and only where a body is.

T frames · W side of the picture in pixels
"""

from __future__ import annotations

from math import ceil, cos, sin

import numpy as np

from .world import SHAPES, Block, Body, Scene, Texture, Vector


def render(scene: Scene, path: np.ndarray, size: int) -> np.ndarray:
    """Draw a scene.

    Args:
        scene: the scene, with its camera.
        path: [T, n, 3] centres and angles of its bodies, as from `simulate`.
        size: side of the picture, in pixels.

    Returns:
        uint8 [T, 3, size, size].
    """
    frames = len(path)
    pixel = 1 / (size * scene.camera.zoom)
    places = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(pixel)
    x = places + np.float32(scene.camera.centre[0] - size * pixel / 2)
    y = np.float32(scene.camera.centre[1] + size * pixel / 2) - places
    # Bodies at the border of the picture write into a margin that is cut off in the end.
    margin = max([ceil(2 * each.reach / pixel) + 4 for each in scene.bodies], default=0)
    canvas = np.zeros((frames, size + 2 * margin, size + 2 * margin, 3), np.float32)
    inside = canvas[:, margin : margin + size, margin : margin + size]

    still = np.broadcast_to(np.array(scene.wall, np.float32), (size, size, 3)).copy()
    still *= _pattern(scene.wall_texture, x[None, :], y[:, None], 0.12, pixel)[..., None]
    for block in scene.blocks:
        if not block.front:
            _cover(still, block, x[None, :], y[:, None], pixel)
    inside[:] = still
    for number, body in enumerate(scene.bodies):
        _draw(
            canvas,
            scene,
            body,
            path[:, number],
            float(x[0]) - margin * pixel,
            float(y[0]) + margin * pixel,
            pixel,
            margin,
        )
    for block in scene.blocks:
        if block.front:
            for frame in range(frames) if block.glide[2] else [slice(None)]:
                up = _glided(block, frame * scene.seconds / frames) if isinstance(frame, int) else 0.0
                _cover(inside[frame], block, x[None, :], y[:, None] - np.float32(up), pixel)

    inside *= 255 * scene.light.brightness
    inside += 0.5
    pixels = np.clip(inside, 0, 255, out=inside).astype(np.uint8)
    pixels = pixels[:, :, ::-1] if scene.camera.mirrored else pixels
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def _glided(block: Block, time: float) -> float:
    """The distance of a gliding block from its place at a time."""
    start, end, height = block.glide
    return height * (1 - min(max((time - start) / max(end - start, 1e-9), 0), 1))


def _cover(canvas: np.ndarray, block: Block, x: np.ndarray, y: np.ndarray, pixel: float) -> None:
    """Lay a block over a canvas [..., H, W, 3]."""
    share = _share(_distance(block.corners, x, y), pixel)[..., None]
    shade = _pattern(block.texture, x, y, 0.08, pixel)[..., None]
    canvas += share * (np.array(block.colour, np.float32) * shade - canvas)


def _draw(
    canvas: np.ndarray,
    scene: Scene,
    body: Body,
    path: np.ndarray,
    left: float,
    top: float,
    pixel: float,
    margin: int,
) -> None:
    """Lay a body over a canvas [T, H, W, 3], in a window that follows it."""
    side = margin
    rows, columns = canvas.shape[1], canvas.shape[2]
    # whole pixels from the canvas's corner to the window's; far outside it waits in the margin
    column = np.clip(np.rint((path[:, 0] - left) / pixel - side / 2).astype(int), 0, columns - side)
    row = np.clip(np.rint((top - path[:, 1]) / pixel - side / 2).astype(int), 0, rows - side)
    columns, rows = column[:, None] + np.arange(side), row[:, None] + np.arange(side)
    dx = (left + columns * pixel - path[:, :1]).astype(np.float32)[:, None, :]
    dy = (top - rows * pixel - path[:, 1:2]).astype(np.float32)[:, :, None]
    turn_cos, turn_sin = (f(path[:, 2]).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    u, v = turn_cos * dx + turn_sin * dy, turn_cos * dy - turn_sin * dx
    corners = SHAPES[body.shape]
    if corners:
        distance = _distance(tuple((px * body.size, py * body.size) for px, py in corners), u, v)
    else:
        distance = np.sqrt(u * u + v * v) - np.float32(body.size)
    light = scene.light
    shade = 1 + np.float32(light.strength / body.size) * (cos(light.angle) * dx + sin(light.angle) * dy)
    if body.texture != "plain":
        shade = shade * _pattern(body.texture, u, v, 0.7 * body.size, pixel)
    colour = np.clip(shade[..., None] * np.array(body.colour, np.float32), 0, 1)
    place = np.arange(len(path))[:, None, None], rows[:, :, None], columns[:, None, :]
    window = canvas[place]
    window += _share(distance, pixel)[..., None] * (colour - window)
    canvas[place] = window


def _distance(corners: tuple[Vector, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """From a convex polygon's edges: negative inside."""
    nearest: np.ndarray | None = None
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = float(np.hypot(bx - ax, by - ay))
        nx, ny = (by - ay) / length, (ax - bx) / length
        edge = np.float32(nx) * x + np.float32(ny) * y - np.float32(nx * ax + ny * ay)
        nearest = edge if nearest is None else np.maximum(nearest, edge)
    assert nearest is not None
    return nearest


def _share(distance: np.ndarray, pixel: float) -> np.ndarray:
    """The share of a pixel that is inside."""
    return np.clip(np.float32(0.5) - distance / np.float32(pixel), 0, 1)


def _pattern(texture: Texture, u: np.ndarray, v: np.ndarray, period: float, pixel: float) -> np.ndarray:
    """Brightness by place, 1 or darker, for things measured in their own directions."""
    if texture == "half":
        wave = u + 0 * v
    elif texture == "stripes":
        wave = _triangle(u + 0 * v, period)
    elif texture == "checks":
        a, b = _triangle(u, period), _triangle(v, period)
        wave = np.where(a * b > 0, 1, -1) * np.minimum(np.abs(a), np.abs(b))
    else:
        return np.ones(np.broadcast_shapes(u.shape, v.shape), np.float32)
    return np.float32(0.6) + np.float32(0.4) * _share(wave, pixel)


def _triangle(u: np.ndarray, period: float) -> np.ndarray:
    """A triangle wave of slope one: the signed distance from the stripes' edges."""
    half = np.float32(period / 2)
    return half / 2 - np.abs(np.mod(u, 2 * half) - half)
