"""Draw pictures with their likeliest labels, and where the model looked for each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from foretell.errors import ForetellError
from foretell.label.ask import LabelScores

CELL, GAP, MARGIN, HEAD = 144, 12, 24, 40
SHOWN = 5
"""Labels of a picture, at most."""
INK, GREY, MARK = (32, 36, 44), (112, 118, 130), (0, 150, 110)
DARK = 0.25
"""What is left of the light where nobody looked."""


def draw(found: Sequence[LabelScores]) -> Image.Image:
    """A row a picture: the picture, then its likeliest labels in order, each lit where the model looked for it.

    Raises:
        ForetellError: there is nothing to draw.
    """
    if not found:
        raise ForetellError("there is nothing to draw: give one picture or more")
    columns = 1 + min(SHOWN, max(len(one.scores) for one in found))
    width = 2 * MARGIN + columns * (CELL + GAP) - GAP
    row = HEAD + CELL + GAP
    canvas = Image.new("RGB", (width, 2 * MARGIN + len(found) * row + 18), "white")
    for number, one in enumerate(found):
        _row(canvas, MARGIN + number * row, one, columns - 1)
    lit = any(one.looked is not None for one in found)
    told = "light: where the outputs that a label weights looked" if lit else "this model does not tell where it looked"
    ImageDraw.Draw(canvas).text((MARGIN, MARGIN + len(found) * row + 8), told, GREY, _font(14), anchor="lm")
    return canvas


def _row(canvas: Image.Image, top: int, one: LabelScores, count: int) -> None:
    pen, names = ImageDraw.Draw(canvas), list(one.scores)
    canvas.paste(_picture(one.picture), (MARGIN, top + HEAD))
    best = sorted(names, key=lambda name: -one.scores[name])[:count]
    for place, name in enumerate(best, 1):
        left = MARGIN + place * (CELL + GAP)
        shown = one.picture if one.looked is None else _lit(one.picture, one.looked[names.index(name)])
        pen.text((left, top + 10), _fitting(name), INK, _font(15), anchor="lm")
        pen.text((left, top + 28), f"{one.scores[name]:.0%}", GREY, _font(15), anchor="lm")
        canvas.paste(_picture(shown), (left, top + HEAD))
        if place == 1:
            box = (left - 3, top + HEAD - 3, left + CELL + 2, top + HEAD + CELL + 2)
            pen.rectangle(box, outline=MARK, width=3)


def _lit(picture: Float[Tensor, "3 S S"], looked: Float[Tensor, "rows columns"]) -> Float[Tensor, "3 S S"]:
    """A picture that is dark where nobody looked."""
    light = (looked - looked.min()) / (looked.max() - looked.min()).clamp_min(1e-12)
    light = F.interpolate(light[None, None], size=picture.shape[-2:], mode="bilinear")[0]
    return picture * (DARK + (1 - DARK) * light)


def _picture(pixels: Float[Tensor, "3 S S"]) -> Image.Image:
    values = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(np.asarray(values)).resize((CELL, CELL), Image.Resampling.BICUBIC)


def _fitting(text: str) -> str:
    """A text that is no wider than a picture."""
    font = _font(15)
    if font.getlength(text) <= CELL:
        return text
    while text and font.getlength(f"{text}…") > CELL:
        text = text[:-1]
    return f"{text}…"


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
