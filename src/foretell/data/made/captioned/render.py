"""Paint captioned scenes, and say which pixels show which thing.

n things · S side of the picture in pixels · s side of a sprite in pixels
"""

from __future__ import annotations

from functools import cache, lru_cache
from random import Random

import numpy as np
from PIL import Image

from foretell.data.photographs import FOLDER, PHOTOGRAPHS
from foretell.data.sprites import Sprites

from .factors import COLOURS, GROUND_COLOURS, CaptionedScene, Ground, Placed

CROPS = {
    "leaves": ("raccoon", (20, 250, 190, 384)),
    "wood": ("coffee", (480, 0, 600, 400)),
    "fur": ("cat", (60, 0, 200, 80)),
    "galaxies": ("galaxies", (0, 0, 1000, 872)),
}
"""Ground -> a bundled photograph, and the part of it that shows nothing else: left, top, right, bottom."""
SEEN = 128
"""A pixel belongs to a thing that covers half of it."""


def picture(scene: CaptionedScene, size: int, sprites: Sprites) -> np.ndarray:
    """A scene as people see it: uint8 [3, S, S]."""
    canvas = _ground(scene.ground, size).astype(np.float32)
    for thing in scene.things:
        tile, rows, columns = _placed(thing, size, sprites)
        under = canvas[rows, columns]
        under += (tile[..., :3] - under) * (tile[..., 3:] / np.float32(255))
    return np.ascontiguousarray((canvas + 0.5).astype(np.uint8).transpose(2, 0, 1))


def masks(scene: CaptionedScene, size: int, sprites: Sprites) -> np.ndarray:
    """Which pixels show which thing, without what another hides: bool [n, S, S]."""
    found = np.zeros((len(scene.things), size, size), bool)
    for number, thing in enumerate(scene.things):
        tile, rows, columns = _placed(thing, size, sprites)
        covered = tile[..., 3] >= SEEN
        found[number, rows, columns] = covered
        found[:number, rows, columns] &= ~covered
    return found


def _placed(thing: Placed, size: int, sprites: Sprites) -> tuple[np.ndarray, slice, slice]:
    """A sprite as it is drawn, float32 [s, s, 4], and the rows and columns that it covers."""
    side = max(round(thing.size * size), 1)
    left, top = (min(max(round(centre * size - side / 2), 0), size - side) for centre in (thing.x, thing.y))
    tile = sprites.pixels[thing.picture]
    if thing.colour is not None:
        tile = np.dstack([_dyes(thing.colour)[_light(sprites, thing.picture)], tile[..., 3]])
    image = Image.fromarray(tile).resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2)
    drawn = np.asarray(image, np.float32)
    return drawn[:, ::-1] if thing.flipped else drawn, slice(top, top + side), slice(left, left + side)


@cache
def _dyes(colour: str) -> np.ndarray:
    """What lightness becomes in a dye, from its shade by the colour itself to its tint: uint8 [256, 3]."""
    middle = np.array(COLOURS[colour], np.float32)
    ends = np.stack([0.3 * middle, middle, 0.7 * middle + 0.3 * 255])
    light = np.arange(256)
    return np.stack([np.interp(light, (0, 160, 255), ends[:, c]) for c in range(3)], 1).astype(np.uint8)


@lru_cache(4096)
def _light(sprites: Sprites, number: int) -> np.ndarray:
    """How light each pixel of a sprite is, from its darkest to its lightest: uint8 [64, 64]."""
    tile = sprites.pixels[number]
    light = tile[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    seen = light[tile[..., 3] >= SEEN]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 255.0)
    return np.clip((light - low) * (255 / max(high - low, 64)), 0, 255).astype(np.uint8)


def _ground(ground: Ground, size: int) -> np.ndarray:
    """uint8 [S, S, 3]."""
    chance = Random(ground.seed)
    if ground.style in CROPS:
        photograph = _crop(ground.style, size)
        side = int(min(photograph.size) * chance.uniform(0.6, 1))
        left, top = (int(chance.random() * (length - side + 1)) for length in photograph.size)
        box = (left, top, left + side, top + side)
        return np.asarray(photograph.resize((size, size), Image.Resampling.BILINEAR, box, reducing_gap=2))
    colours = np.array([GROUND_COLOURS[colour] for colour in ground.colours])
    colours = (0.75 * colours + 0.25 * np.clip(colours, 90, 200)).astype(np.uint8)  # paler than things
    if ground.style == "plain":
        return np.broadcast_to(colours[0], (size, size, 3))
    y, x = np.mgrid[:size, :size] / np.float32(size)
    width = chance.uniform(0.08, 0.16)
    first, second = chance.random(), chance.random()
    if ground.style == "stripes":
        across = ((1, 0), (0, 1), (0.7, 0.7), (0.7, -0.7))[int(chance.random() * 4)]
        which = np.floor((across[0] * x + across[1] * y) / width + 2 * first) % 2 == 0
    elif ground.style == "checks":
        which = (np.floor(x / width + 2 * first) + np.floor(y / width + 2 * second)) % 2 == 0
    else:
        near = ((x / (2 * width) + first) % 1 - 0.5) ** 2 + ((y / (2 * width) + second) % 1 - 0.5) ** 2
        which = near > 0.3**2
    return colours[np.where(which, 0, 1)]


@cache
def _crop(style: str, size: int) -> Image.Image:
    """The part of a photograph that grounds are cut from, no larger than they need."""
    name, box = CROPS[style]
    image = Image.open(FOLDER / PHOTOGRAPHS[name]).convert("RGB").crop(box)
    share = min(2 * size / min(image.size), 1)
    return image.resize([round(share * length) for length in image.size], Image.Resampling.LANCZOS)
