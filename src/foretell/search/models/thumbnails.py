"""Small pictures of entries, for people: of a photograph all of it, of a clip a strip of its frames. WebP files.

n frames · S side
"""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

SIDE = 160
"""The longer side of a photograph, in pixels."""
FRAMES, FRAME = 4, 120
"""Frames of a clip, and the side of each."""
QUALITY = 70


def frames_of(count: int) -> tuple[int, int]:
    """How many frames of a clip of `count` are shown, and the side of each."""
    return (1, SIDE) if count == 1 else (min(FRAMES, count), FRAME)


def of_picture(picture: Image.Image) -> bytes:
    """A small picture as a file."""
    picture.save(file := io.BytesIO(), "WEBP", quality=QUALITY, method=2)
    return file.getvalue()


def of_frames(frames: UInt8[np.ndarray, "n 3 S S"]) -> bytes:
    """Frames side by side, from left to right, as a file."""
    strip = frames.transpose(2, 0, 3, 1)  # S n S 3
    return of_picture(Image.fromarray(np.ascontiguousarray(strip).reshape(strip.shape[0], -1, 3)))
