"""Small pictures of entries on one sheet: an agent pays for each picture that it looks at."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont

from foretell.page import small_png
from foretell.search.models.thumbnails import FRAME, SIDE

WIDE = 1000
"""Pixels of a row."""
GAP, LABEL = 12, 22
INK = (32, 36, 44)


def sheet(small: Mapping[str, bytes]) -> bytes:
    """A PNG file with all pictures, from left to right and from top to bottom, each under its label.

    Args:
        small: label -> the file of a thumbnail; at least one.
    """
    font = ImageFont.load_default(size=16)
    placed: list[tuple[int, int, str, Image.Image]] = []
    left, top, low = GAP, GAP, 0
    for label, file in small.items():
        picture = Image.open(io.BytesIO(file)).convert("RGB")
        width = max(picture.width, round(font.getlength(label)))
        if left > GAP and left + width > WIDE:
            left, top, low = GAP, top + low + GAP, 0
        placed.append((left, top, label, picture))
        left, low = left + width + GAP, max(low, LABEL + picture.height)
    right = max(left + picture.width for left, _, _, picture in placed) + GAP
    canvas = Image.new("RGB", (max(right, SIDE + 2 * GAP), max(top + low + GAP, FRAME)), "white")
    draw = ImageDraw.Draw(canvas)
    for left, top, label, picture in placed:
        draw.text((left, top), label, INK, font=font)
        canvas.paste(picture, (left, top + LABEL))
    return small_png(canvas)
