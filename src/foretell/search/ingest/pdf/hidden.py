"""Take text off a PDF page that nobody sees: of layers that are off, outside of the page, invisible, or white on white.

Invisible text that stands alone remains: on a scanned page, it is what an OCR program read.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfObject, PdfPage

INVISIBLE = (3, 7)  # modes of rendering that paint nothing
WHITE = 245  # grey levels from here on are the white of paper


class _Text(NamedTuple):
    """A text of a page: the object that draws it, its box, and whether it paints, and paints in white."""

    drawn: PdfObject
    box: tuple[float, float, float, float]
    paints: bool
    white: bool


@dataclass(frozen=True)
class PdfLayers:
    """The layers of a file. PDFium does not tell which are shown, so the file is opened once more if a page has one."""

    path: Path
    password: str | None

    @cached_property
    def off(self) -> frozenset[str]:
        """The names of the layers that are not shown at first."""
        import pypdf

        root: Any = pypdf.PdfReader(self.path, password=self.password).trailer["/Root"]
        layers = root.get("/OCProperties", {})
        start = layers.get("/D", {})
        off = list(start.get("/OFF", []))
        if start.get("/BaseState") == "/OFF":
            on = {id(layer.get_object()) for layer in start.get("/ON", [])}
            off = [layer for layer in layers.get("/OCGs", []) if id(layer.get_object()) not in on]
        return frozenset(str(layer.get_object().get("/Name", "")) for layer in off)


def remove(page: PdfPage, layers: PdfLayers) -> None:
    """Remove the texts of a page that are not seen. A page's text must be read afterwards."""
    from pypdfium2 import raw

    texts = [_text(drawn) for drawn in page.get_objects([raw.FPDF_PAGEOBJ_TEXT], max_depth=1)]
    shown = [text for text in texts if text.paints and not text.white]
    left, bottom, right, top = _crop(page)
    hidden = []
    for text in texts:
        a, b, c, d = text.box
        outside = c <= left or a >= right or d <= bottom or b >= top
        covered = not text.paints and any(_overlap(text.box, other.box) > 0.3 for other in shown)
        layer = _layer(text.drawn)
        if outside or covered or (layer and layer in layers.off):
            hidden.append(text.drawn)
    hidden += _unseen(page, [text for text in texts if text.white and text.drawn not in hidden])
    for drawn in hidden:
        page.remove_obj(drawn)


def _text(drawn: PdfObject) -> _Text:
    from pypdfium2 import raw

    colours = [ctypes.c_uint() for _ in range(4)]
    raw.FPDFPageObj_GetFillColor(drawn.raw, *colours)
    paints = raw.FPDFTextObj_GetTextRenderMode(drawn.raw) not in INVISIBLE
    return _Text(drawn, drawn.get_bounds(), paints, paints and all(colour.value >= WHITE for colour in colours[:3]))


def _crop(page: PdfPage) -> tuple[float, float, float, float]:
    """The part of the page that is shown: left, bottom, right, top, before the page is turned."""
    box = page.get_cropbox() or (0.0, 0.0, *page.get_size())
    return box[0], box[1], box[2], box[3]


def _overlap(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The share of a box that another covers."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    size = (box[2] - box[0]) * (box[3] - box[1])
    return width * height / size if width > 0 and height > 0 and size > 0 else 0.0


def _unseen(page: PdfPage, white: list[_Text]) -> list[PdfObject]:
    """The white texts whose place on the drawn page is white all over: nothing dark lies behind them."""
    import numpy as np

    if not white:
        return []
    turned = page.get_rotation() // 90
    drawn = page.render(scale=1, grayscale=True, may_draw_forms=False).to_numpy().squeeze()
    drawn = np.rot90(drawn, turned)  # as texts are placed: without the page's rotation
    left, _, _, top = _crop(page)
    found = []
    for text in white:
        a, b, c, d = text.box
        place = drawn[max(0, int(top - d)) : int(top - b) + 1, max(0, int(a - left)) : int(c - left) + 1]
        if place.size and place.min() >= WHITE:
            found.append(text.drawn)
    return found


def _layer(drawn: PdfObject) -> str | None:
    """The name of the layer that an object belongs to."""
    from pypdfium2 import raw

    for number in range(raw.FPDFPageObj_CountMarks(drawn.raw)):
        mark = raw.FPDFPageObj_GetMark(drawn.raw, number)
        if _said(raw.FPDFPageObjMark_GetName, mark) == "OC":
            return _said(raw.FPDFPageObjMark_GetParamStringValue, mark, b"Name") or None
    return None


def _said(function: object, *arguments: object) -> str:
    """A text that a function of PDFium writes into a buffer."""
    from pypdfium2 import raw

    length, buffer = ctypes.c_ulong(), ctypes.create_string_buffer(512)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), 512, length)  # type: ignore[operator]
    return buffer.raw[: length.value].decode("utf-16-le", "replace").rstrip("\0")
