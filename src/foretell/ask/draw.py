"""Draw an answer: its boxes, outlines and points on the pictures, the question and the words beneath."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foretell.ask.ask import PictureAnswer
from foretell.language.outlines import filled

CELL, GAP, MARGIN, LINE = 360, 16, 24, 24
"""The longer side of a picture, and distances."""
INK, GREY, AMBER = (32, 36, 44), (112, 118, 130), (176, 98, 0)
COLOURS = ((0, 150, 110), (214, 68, 52), (44, 104, 214), (160, 80, 200), (222, 142, 0), (0, 152, 190))
TINT = 0.4
"""How much of its colour covers what an outline encloses."""
LOST = 4
"""Clauses on what could not be read, at most."""


def draw(answer: PictureAnswer) -> Image.Image:
    """All pictures in a row, with the places of an answer in them; beneath them what was asked and said.

    A place that is not the only one of its picture has its number, in the order of the reply.
    """
    pictures = [_marked(answer, number) for number in range(len(answer.pictures))]
    width = 2 * MARGIN + max(sum(each.width + GAP for each in pictures) - GAP, CELL)
    lines = _lines(answer, width - 2 * MARGIN)
    top = MARGIN + max(each.height for each in pictures) + GAP
    canvas = Image.new("RGB", (width, top + len(lines) * LINE + MARGIN), "white")
    left = MARGIN
    for each in pictures:
        canvas.paste(each, (left, MARGIN))
        left += each.width + GAP
    pen = ImageDraw.Draw(canvas)
    for number, (text, colour) in enumerate(lines):
        pen.text((MARGIN, top + number * LINE), text, colour, _font(16))
    return canvas


def _marked(answer: PictureAnswer, number: int) -> Image.Image:
    """One picture with its places."""
    picture = answer.pictures[number]
    scale = CELL / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    made = picture.resize((width, height), Image.Resampling.BICUBIC)
    masks = [[ring * scale for ring in each.rings] for each in answer.masks if each.image == number]
    boxes = [np.array(each.box) * scale for each in answer.boxes if each.image == number]
    points = [np.array(each.point) * scale for each in answer.points if each.image == number]
    for place, rings in enumerate(masks):
        made = _tinted(made, rings, _colour(place))
    pen = ImageDraw.Draw(made)
    several = len(masks) + len(boxes) + len(points) > 1
    for place, rings in enumerate(masks):
        for ring in rings:
            pen.line([*map(tuple, ring.tolist()), tuple(ring[0].tolist())], _colour(place), 3, joint="curve")
        if several:
            _tag(pen, rings[0].min(0), place)
    for place, box in enumerate(boxes, len(masks)):
        pen.rectangle(tuple(box.tolist()), outline=_colour(place), width=3)
        if several:
            _tag(pen, box[:2], place)
    for place, (x, y) in enumerate(points, len(masks) + len(boxes)):
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), _colour(place), "white", 2)
        if several:
            _tag(pen, (x + 6, y + 6), place)
    return made


def _tinted(picture: Image.Image, rings: Sequence[np.ndarray], colour: tuple[int, int, int]) -> Image.Image:
    """A picture with some of a colour within an outline; holes stay as they are."""
    inside = filled(rings, picture.height, picture.width)
    pixels = np.asarray(picture).astype(np.float32)
    pixels[inside] = (1 - TINT) * pixels[inside] + TINT * np.array(colour, np.float32)
    return Image.fromarray(pixels.round().astype(np.uint8))


def _tag(pen: ImageDraw.ImageDraw, corner: np.ndarray | tuple[float, float], place: int) -> None:
    """The number of a place, at its upper left corner."""
    x, y = (max(float(each), 0.0) for each in corner)
    text = str(place + 1)
    pen.rectangle((x, y, x + pen.textlength(text, _font(14)) + 8, y + 18), _colour(place))
    pen.text((x + 4, y + 9), text, "white", _font(14), anchor="lm")


def _lines(answer: PictureAnswer, width: int) -> list[tuple[str, tuple[int, int, int]]]:
    said = answer.text or _counted(answer)
    told = [(line, GREY) for line in _wrapped(answer.question, width)]
    told += [(line, INK) for line in _wrapped(said, width)]
    for clause in answer.lost[:LOST]:
        told += [(line, AMBER) for line in _wrapped(f"not read: {clause}", width)]
    if len(answer.lost) > LOST:
        told.append((f"and {len(answer.lost) - LOST} more pieces that could not be read", AMBER))
    return told


def _counted(answer: PictureAnswer) -> str:
    """The places of an answer without words."""
    counts = {"outline": len(answer.masks), "box": len(answer.boxes), "point": len(answer.points)}
    names = {"box": "boxes"}
    return ", ".join(
        f"{count} {name if count == 1 else names.get(name, f'{name}s')}" for name, count in counts.items() if count
    )


def _wrapped(text: str, width: int) -> list[str]:
    """A text in lines that are no wider than the pictures; a word that is wider itself is cut."""
    font, lines = _font(16), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append("")
            longer = word
        while font.getlength(longer) > width:
            cut = next(n for n in range(len(longer) - 1, 0, -1) if font.getlength(longer[:n]) <= width or n == 1)
            lines[-1], longer = longer[:cut], longer[cut:]
            lines.append("")
        lines[-1] = longer
    return lines


def _colour(place: int) -> tuple[int, int, int]:
    return COLOURS[place % len(COLOURS)]


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
