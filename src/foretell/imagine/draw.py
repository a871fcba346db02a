"""Draw the answers of a world model: rows of pictures with captions, on white."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from foretell.errors import ForetellError
from foretell.imagine.ask import Imagined
from foretell.methods.decoder import LatentDecoder

CELL, GAP, MARGIN, LABEL = 128, 10, 28, 144
INK, GREY, MARK = (32, 36, 44), (112, 118, 130), (0, 150, 110)


def draw(
    imagined: Imagined | None = None,
    sweeps: Mapping[str, Sequence[Imagined]] | None = None,
    decoder: LatentDecoder | None = None,
) -> Image.Image:
    """Draw an ask, sweeps, or both.

    Args:
        imagined: from `imagine`: its source, the requested version, and the versions nearest to the prediction.
        sweeps: from `sweep`: for each parameter a row of requested versions over a row of the nearest ones.
            If the parameter destroys, the upper row shows the model's inputs, which it should restore.
        decoder: the model's own, to draw its predictions, too.

    Returns:
        An RGB picture. Pictures that are exactly the requested one are outlined.

    Raises:
        ForetellError: there is nothing to draw.
    """
    sweeps = sweeps or {}
    every = [*([imagined] if imagined else []), *(one for row in sweeps.values() for one in row)]
    if not every:
        raise ForetellError("there is nothing to draw: give an ask, sweeps, or both")
    columns = max([7, *(len(row) for row in sweeps.values())])
    rows: list[Image.Image] = []
    if imagined:
        rows += _ask(imagined, columns, decoder)
    for name, row in sweeps.items():
        rows += _sweep(name, row, columns, decoder)
    legend = f"imagined: of {len(every[0].bank)} versions of the picture, the nearest to the model's prediction"
    rows.append(_line(f"{legend}; outlined if it is the requested one", columns))
    if decoder:
        rows.append(_line("decoded: the prediction itself, drawn by a decoder, only to look at it", columns))
    canvas = Image.new("RGB", (rows[0].width, sum(row.height for row in rows) + 2 * MARGIN - GAP), "white")
    top = MARGIN
    for row in rows:
        canvas.paste(row, (0, top))
        top += row.height
    return canvas


def _ask(one: Imagined, columns: int, decoder: LatentDecoder | None) -> list[Image.Image]:
    """The source, the requested version, what is decoded, and the nearest versions in order."""
    first = [one.source, one.asked, *([decoded(one, decoder)] if decoder else [])]
    nearest = one.order[: columns - len(first)].tolist()
    pictures = [*first, *one.bank[nearest]]
    captions = ["given", "asked for", "decoded", "nearest", *(str(rank) for rank in range(2, len(nearest) + 1))]
    if not decoder:
        captions.remove("decoded")
    marked = {len(first) + i for i, place in enumerate(nearest) if place == one.place}
    asked = [f"{name} {value:.3g}" for name, value in one.values.items()] or ["no change"]
    rank = [f"rank {one.rank} of {len(one.bank)}"]
    return [_row(columns, pictures, asked, rank, captions, marked), _space(columns)]


def _sweep(name: str, row: Sequence[Imagined], columns: int, decoder: LatentDecoder | None) -> list[Image.Image]:
    """The requested versions (or the inputs, if they should be restored) over the nearest, over what is decoded."""
    values = [f"{one.values[name]:.3g}" for one in row]
    undone = any(not one.source.equal(row[0].source) for one in row)
    above = [one.source if undone else one.asked for one in row]
    marked = {i for i, one in enumerate(row) if one.rank == 1}
    shown = [
        _row(columns, above, [name], ["given" if undone else "asked for"], values, set()),
        _row(columns, [one.nearest for one in row], [], ["imagined"], [], marked),
    ]
    if decoder:
        shown.append(_row(columns, [decoded(one, decoder) for one in row], [], ["decoded"], [], set()))
    return [*shown, _space(columns)]


@torch.no_grad()
def decoded(one: Imagined, decoder: LatentDecoder) -> Float[Tensor, "3 S S"]:
    """A prediction as its model's decoder draws it, in [0, 1]."""
    device = next(decoder.parameters()).device
    return decoder.decode(one.prediction.unsqueeze(0).to(device))[0].cpu()


def _row(
    columns: int,
    pictures: Sequence[Tensor],
    label: Sequence[str],
    note: Sequence[str],
    captions: Sequence[str],
    marked: set[int],
) -> Image.Image:
    """A label and a note under it, then pictures, each with its caption over it; those marked are outlined."""
    head = 26 if captions else 4
    image = Image.new("RGB", (_width(columns), head + CELL + GAP), "white")
    pen = ImageDraw.Draw(image)
    lines = [*((text, INK, 19) for text in label), *((text, GREY, 16) for text in note)]
    first = head + CELL / 2 - 11 * (len(lines) - 1)
    for i, (text, colour, size) in enumerate(lines):
        pen.text((MARGIN, first + 22 * i), text, colour, _font(size), anchor="lm")
    for i, picture in enumerate(pictures):
        left = MARGIN + LABEL + i * (CELL + GAP)
        if captions:
            pen.text((left + CELL / 2, head - 7), captions[i], GREY, _font(16), anchor="ms")
        image.paste(_picture(picture), (left, head))
        if i in marked:
            pen.rectangle((left - 3, head - 3, left + CELL + 2, head + CELL + 2), outline=MARK, width=4)
    return image


def _line(text: str, columns: int) -> Image.Image:
    image = Image.new("RGB", (_width(columns), 22), "white")
    ImageDraw.Draw(image).text((MARGIN, 11), text, GREY, _font(16), anchor="lm")
    return image


def _space(columns: int) -> Image.Image:
    return Image.new("RGB", (_width(columns), GAP), "white")


def _width(columns: int) -> int:
    return 2 * MARGIN + LABEL + columns * (CELL + GAP) - GAP


def _picture(pixels: Float[Tensor, "3 S S"]) -> Image.Image:
    """Pixels in [0, 1] as a picture of one cell."""
    values = (pixels * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(values).resize((CELL, CELL), Image.Resampling.BICUBIC)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # comes with Pillow: Latin letters, no arrows or minus signs
