"""Whole pictures as squares: white stands beside what is not square, as in VistaLLM's released code.

A question may be about anything in a picture. So nothing is cut away, and places are moved along.

n points · S pixels a side
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from foretell.data.images.decode import quiet_pillow, whole_quiet

WHITE = (255, 255, 255)


class PaddedSquare(NamedTuple):
    """The square around a picture of so many pixels."""

    width: int
    height: int

    @property
    def side(self) -> int:
        """Of the square, in pixels of the picture."""
        return max(self.width, self.height)

    @property
    def beside(self) -> Float64[np.ndarray, " 2"]:
        """White to the left and above, in pixels of the picture."""
        return (self.side - np.array([self.width, self.height])) / 2

    def shares(self, points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Points (x, y) in pixels of the picture, as shares of the square's side."""
        return (points + self.beside) / self.side

    def pixels(self, shares: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """The other way round; what lies in the white is moved to the picture's edge."""
        return (shares * self.side - self.beside).clip(0, [self.width, self.height])


def whole(raw: Path | bytes | Image.Image) -> Image.Image:
    """A whole picture, upright and in RGB.

    Raises:
        Unusable: it is no picture, see `foretell.data.images.decode.decode`.
    """
    with quiet_pillow():
        return whole_quiet(raw)


def padded(image: Image.Image, size: int) -> UInt8[np.ndarray, "3 S S"]:
    """A picture in RGB as a square of `size` pixels, with white beside it."""
    longer = max(image.size)
    width, height = (max(1, round(each * size / longer)) for each in image.size)
    made = Image.new("RGB", (size, size), WHITE)
    small = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)
    made.paste(small, ((size - width) // 2, (size - height) // 2))
    return np.asarray(made).transpose(2, 0, 1)
