"""A question about pictures, and the answer with its places in pixels of the pictures.

A model looks at squares. What is not square gets white beside it, so that nothing is cut away; places in the reply are
moved back.

n corners of a ring · S pixels a side of what a model looks at
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float64
from PIL import Image

from foretell.capabilities import Answers, require
from foretell.data.images.padded import PaddedSquare, padded, whole
from foretell.data.items import Unusable
from foretell.data.made.questions.tasks import FINE
from foretell.errors import ForetellError
from foretell.evaluate.encode import evaluating
from foretell.language.places import Places, Spot
from foretell.method import Method

PictureFile: TypeAlias = str | Path | bytes | Image.Image
"""The path or the content of a file, or an image of Pillow."""
SHOWN = 2000
"""Characters of a reply that are told, at most."""
_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_BOX = re.compile(rf"\[{','.join([_NUMBER] * 4)}\]")


class PlacedBox(NamedTuple):
    """A box in a picture."""

    image: int
    """The number of the picture, from 0."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom, in pixels of the picture."""


class PlacedMask(NamedTuple):
    """An outline in a picture: what is within an odd number of its rings is inside, so that a ring may be a hole."""

    image: int
    rings: tuple[Float64[np.ndarray, "_ 2"], ...]
    """Corners (x, y) in pixels of the picture."""


class PlacedPoint(NamedTuple):
    """A point in a picture."""

    image: int
    point: tuple[float, float]
    """x, y in pixels of the picture."""


@dataclass(frozen=True, eq=False)
class PictureAnswer:
    """A model's answer to a question about pictures."""

    question: str
    pictures: tuple[Image.Image, ...]
    """Upright, in RGB."""
    reply: str
    """What the model said, with its tokens of places."""
    text: str
    """Its words; the whole reply where nothing in it could be read."""
    boxes: tuple[PlacedBox, ...] = ()
    masks: tuple[PlacedMask, ...] = ()
    points: tuple[PlacedPoint, ...] = ()
    lost: tuple[str, ...] = ()
    """What in the reply could not be read, a clause each."""

    def told(self) -> dict[str, Any]:
        """Plain numbers and texts, ready for JSON; pixels are rounded to tenths."""
        return {
            "text": self.text,
            "boxes": [{"image": each.image, "box": _tenths(each.box)} for each in self.boxes],
            "masks": [
                {"image": each.image, "rings": [[_tenths(corner) for corner in ring] for ring in each.rings]}
                for each in self.masks
            ],
            "points": [{"image": each.image, "point": _tenths(each.point)} for each in self.points],
            "lost": list(self.lost),
            "reply": self.reply,
        }


def ask(model: Method, pictures: Sequence[PictureFile], question: str) -> PictureAnswer:
    """Ask a model about pictures.

    Args:
        model: one that answers questions.
        pictures: one or more, and no more than the model takes.
        question: in words. `[x0, y0, x1, y1]` in it is a box in pixels of the first picture.

    Raises:
        ForetellError: the model does not answer questions, there is no question or no picture, a picture cannot be
            read, there are more than the model takes, or a box lies outside of the first picture.
    """
    answers = require(model, Answers, "asking")
    question = " ".join(question.split())
    if not question:
        raise ForetellError("the question is empty, expected words such as 'where is the red dog?'")
    _check_count(len(pictures), answers.config.pictures)
    images = tuple(open_picture(each) for each in pictures)
    asked = _with_boxes(question, PaddedSquare(*images[0].size))
    with evaluating(model) as device:
        pixels = np.stack([padded(image, answers.config.image_size) for image in images])
        (reply,) = answers.answer([torch.from_numpy(pixels).to(device)], [asked])
    return _read(question, images, reply[:SHOWN], Places(answers.config.bins))


def open_picture(file: PictureFile) -> Image.Image:
    """A picture, upright and in RGB.

    Raises:
        ForetellError: it is missing, damaged or no picture.
    """
    try:
        return whole(Path(file) if isinstance(file, str) else file)
    except Unusable as reason:
        name = file if isinstance(file, (str, Path)) else "a picture"
        raise ForetellError(f"{name}: {reason}") from None


def _check_count(found: int, most: int) -> None:
    if not found:
        raise ForetellError("there is no picture, expected one or more to ask about")
    if found > most:
        raise ForetellError(f"found {found} pictures, expected at most {most}: this model takes no more at a time")


def _with_boxes(question: str, square: PaddedSquare) -> str:
    """A question with its boxes said as places."""

    def said(found: re.Match[str]) -> str:
        left, top, right, bottom = map(float, found.groups())
        if not (0 <= left < right <= square.width and 0 <= top < bottom <= square.height):
            raise ForetellError(
                f"the box {found[0]} is not in the first picture, expected [x0, y0, x1, y1] with x from 0 to "
                f"{square.width} and y from 0 to {square.height}, the smaller first"
            )
        return FINE.say([Spot("box", (square.shares(np.array([[left, top], [right, bottom]])),))])

    return _BOX.sub(said, question)


def _read(question: str, images: tuple[Image.Image, ...], reply: str, places: Places) -> PictureAnswer:
    """The places of a reply, in pixels of their pictures."""
    found, lost = places.read(reply), list[str]()
    boxes, masks, points = list[PlacedBox](), list[PlacedMask](), list[PlacedPoint]()
    for spot in found.spots:
        if spot.image >= len(images):
            lost.append(f"a {spot.kind} in picture {spot.image + 1}, and there are {len(images)}")
            continue
        square = PaddedSquare(*images[spot.image].size)
        rings = tuple(square.pixels(ring) for ring in spot.rings)
        if spot.kind == "mask":
            masks.append(PlacedMask(spot.image, rings))
            continue
        values = tuple(rings[0].ravel().tolist())
        if spot.kind == "box":
            boxes.append(PlacedBox(spot.image, values))
        else:
            points.append(PlacedPoint(spot.image, values))
    if not (found.words or boxes or masks or points):
        lost.append("nothing of the reply could be read" if reply.strip() else "the model said nothing")
        text = reply
    else:
        text = found.words
    lost = [*found.lost, *lost]
    return PictureAnswer(question, images, reply, text, tuple(boxes), tuple(masks), tuple(points), tuple(lost))


def _tenths(values: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(value), 1) for value in values]
