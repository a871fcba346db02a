"""Captioned scenes: several outlined things on a ground, and any number of true captions of each picture.

    load("captions:20000", Captions(64))         # to train on; 2,500 others to test on
    load("captions:20000:pictures", Captions(64), split="test")      # to test on pictures of things that are new

    drawn = scene(seed=0, index=3)               # every factor is recorded
    pixels = picture(drawn, 64)                  # uint8 [3, 64, 64]
    outlines = masks(drawn, 64)                  # bool [n, 64, 64], without what is hidden
    texts = captions(drawn, chance_of(0, 3))     # 32 true captions
    truth("a red dog left of a cat", drawn)      # True, False, or None: it cannot be said

Read on in this order: factors (what a scene is), draw, render, words, say (captions and foils), check (the truth of a
caption), source.
"""

from __future__ import annotations

import numpy as np

from foretell.data.sprites import Sprites, load

from . import render
from .check import truth
from .draw import SPLITS, VERSION, Drawer, chance_of
from .factors import COLOURS, GROUND_COLOURS, STYLES, CaptionedScene, Ground, Placed
from .say import captions, swapped_colours, swapped_places
from .words import TEMPLATES

__all__ = [
    "COLOURS",
    "GROUND_COLOURS",
    "SPLITS",
    "STYLES",
    "TEMPLATES",
    "VERSION",
    "CaptionedScene",
    "Ground",
    "Placed",
    "captions",
    "chance_of",
    "masks",
    "picture",
    "scene",
    "swapped_colours",
    "swapped_places",
    "truth",
]


def scene(seed: int, index: int, split: str = "train", sprites: Sprites | None = None) -> CaptionedScene:
    """Scene number `index` of a split (one of `SPLITS`): a function of its arguments."""
    return Drawer(sprites or load(), split).scene(chance_of(split, seed, index))


def picture(drawn: CaptionedScene, size: int, sprites: Sprites | None = None) -> np.ndarray:
    """A scene as people see it: uint8 [3, size, size]."""
    return render.picture(drawn, size, sprites or load())


def masks(drawn: CaptionedScene, size: int, sprites: Sprites | None = None) -> np.ndarray:
    """Which pixels show which thing, without what another hides: bool [n, size, size]."""
    return render.masks(drawn, size, sprites or load())
