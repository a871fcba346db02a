"""Read PDF files: paragraphs in the order of reading, without headers and footers that repeat on every page.

A child process reads them (see guard), since a file may be harmful.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from foretell.errors import spans
from foretell.search.passage import Passage

from ..block import Empty, Metadata, Options, Report, TextBlock, Unreadable
from ..split import passages as split
from . import fields, hidden, letters, margin
from .layout import Box, TextLine, closed, gutter, in_columns, joined, paragraphs, words

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfTextPage

AHEAD = 4  # pages on either side that are searched for repeated lines
EDGE = 3  # rows at the top and the bottom of a page that may repeat
MOST_UNREADABLE = 0.3  # share of a page's characters
MOST_CHARACTERS = 1_000_000  # of a page; a dense page of a newspaper has 40,000

_LINE = re.compile("[^\r\n\ufffe]+")
_HEADING = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2})*\.?|[A-Z](?:\.\d{1,2})*\.?)\s+[A-Z]\w|(?:Abstract|References|Appendix)\b"
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_NUMBER = re.compile(r"\d{1,6}")


class _Page(NamedTuple):
    """A page that has text.

    known: its words, if one of its lines ends in a hyphen.
    fields: filled fields of a form, and comments.
    furniture: headers and footers that occur here for the first time.
    """

    number: int
    lines: list[TextLine]
    right_to_left: bool
    known: set[str]
    fields: tuple[str, ...] = ()
    furniture: tuple[str, ...] = ()


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """The passages of a PDF file, each with its page, counted from 1.

    Pages without text and attached files are reported. Raises Unreadable: the file is encrypted or damaged, or no
    page has text.
    """
    import pypdfium2

    document = _opened(path, options.password)
    try:
        empty: dict[str, list[int]] = {}
        fields.unread(document, report)
        pages = _pages(document, path, options, empty)
        try:
            first = next(pages)
        except StopIteration:
            raise Empty("; ".join(["no text", *_without_text(empty)])) from None
        title = " ".join(document.get_metadata_value("Title").split())[:300]
        metadata: Metadata = {"title": title} if title.casefold() not in ("", "untitled") else {}
        yield from split(_blocks(_without_furniture(chain([first], pages))), metadata)
        for sentence in _without_text(empty):
            report(sentence)
    except pypdfium2.PdfiumError as error:
        raise Unreadable(f"damaged ({error})") from error
    finally:
        document.close()


def _opened(path: Path, password: str | None) -> PdfDocument:
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(path, password=password)
    except pypdfium2.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            wanted = "the given password does not open it" if password else "give its password"
            raise Unreadable(f"encrypted; {wanted}") from None
        if error.err_code == raw.FPDF_ERR_SECURITY:
            raise Unreadable("encrypted in a way that PDFium does not know") from None
        raise Unreadable("damaged, or not a PDF file") from None
    if document.get_formtype() == raw.FORMTYPE_ACRO_FORM:
        document.init_forms()
    return document


def _pages(document: PdfDocument, path: Path, options: Options, empty: dict[str, list[int]]) -> Iterator[_Page]:
    import pypdfium2

    layers = hidden.PdfLayers(path, options.password)
    for number in range(1, len(document) + 1):
        try:
            page = document[number - 1]
            hidden.remove(page, layers)
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError:
            empty.setdefault("damaged", []).append(number)
            continue
        try:
            if text_page.count_chars() > MOST_CHARACTERS:
                empty.setdefault(f"more than {MOST_CHARACTERS:,} characters", []).append(number)
                continue
            text = text_page.get_text_range()
            if letters.unreadable(text) > MOST_UNREADABLE:
                empty.setdefault("its font does not say which letters it shows", []).append(number)
            elif found := _page(number, text_page, text, tuple(fields.fields(document, page))):
                yield found
            elif next(iter(page.get_objects(max_depth=1)), None):
                empty.setdefault("a picture without text (scanned?); recognise its text (OCR) first", []).append(number)
        finally:
            text_page.close()
            page.close()


def _page(number: int, text_page: PdfTextPage, text: str, filled: tuple[str, ...]) -> _Page | None:
    text = letters.translated(text)
    boxes = _Boxes(text_page)
    if not _is_astral(text):
        text = letters.raised(text, boxes.of)
    lines = _turned(boxes, _lines(boxes, text), text_page.page.get_rotation() // 90)
    lines = margin.without_numbers(margin.without_contents(lines), partial(_part, boxes))
    if not lines and not filled:
        return None
    right_to_left = 2 * len(_RIGHT_TO_LEFT.findall(text)) > sum(map(str.isalpha, text))
    strip = gutter([text_page.get_rect(index) for index in range(text_page.count_rects())])
    if strip:
        halves = [half for line in lines for half in _cut(boxes, line, strip)]
        lines = in_columns(halves, sum(strip) / 2, right_to_left)
    known = words(text) if "\ufffe" in text else set[str]()
    lines = [line._replace(text=letters.plain(line.text)) for line in lines]
    return _Page(number, lines, right_to_left, known, filled)


def _is_astral(text: str) -> bool:
    """Whether it has letters that PDFium, which counts in UTF-16, counts twice."""
    return not text.isascii() and max(text) >= "\U00010000"


def _lines(boxes: _Boxes, text: str) -> list[TextLine]:
    astral = _is_astral(text)
    lines = []
    for match in _LINE.finditer(text):
        if line := match[0].strip():
            at = match.start() + len(match[0]) - len(match[0].lstrip())
            if astral:  # PDFium counts in UTF-16
                at = len(text[:at].encode("utf-16-le")) // 2
            lines.append(_line(boxes, line, at, text[match.end() : match.end() + 1] == "\ufffe"))
    return lines


def _turned(boxes: _Boxes, lines: list[TextLine], quarters: int) -> list[TextLine]:
    """The lines in the order of reading, also where they are turned clockwise.

    PDFium joins lines that begin at the same height, from left to right. Where lines are read downwards, the rightmost
    is the first.

    quarters: how many quarter turns clockwise the page is shown with.
    """
    found: list[list[TextLine]] = []
    before = None
    for line in lines:
        start = None
        if boxes.downwards(line.at, quarters):
            corners = [complex(*at) * (-1j) ** quarters for at in ((line.left, line.bottom), (line.right, line.top))]
            start = complex(min(c.real for c in corners), max(c.imag for c in corners))
        near = min(line.height, line.right - line.left)
        if start and before and start.real > before.real and abs(start.imag - before.imag) < near:
            found[-1].insert(0, line)
        else:
            found.append([line])
        before = start
    return list(chain.from_iterable(found))


def _line(boxes: _Boxes, text: str, at: int, hyphen: bool) -> TextLine:
    a, b = boxes.of(at), boxes.of(at + len(text) - 1)
    box = min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
    if not hyphen and text[-1] in "-\xad" and text[-2:-1].isalnum():  # at the end of a column, PDFium leaves it
        text, hyphen = text[:-1], True
    return TextLine(text, at, *box, hyphen)


def _part(boxes: _Boxes, line: TextLine, start: int, stop: int) -> TextLine:
    """The part of a line from one character to another."""
    return _line(boxes, line.text[start:stop], line.at + start, line.hyphen and stop == len(line.text))


class _Boxes:
    """The boxes of a page's characters. They are needed twice a line, so this calls PDFium directly."""

    def __init__(self, text_page: PdfTextPage) -> None:
        from pypdfium2 import raw

        self._page, self._raw, self._rect = text_page, raw, raw.FS_RECTF()

    def of(self, index: int) -> Box:
        """The box of the character at an index of the text."""
        page, rect = self._page.raw, self._rect
        at = self._raw.FPDFText_GetCharIndexFromTextIndex(page, index)
        self._raw.FPDFText_GetLooseCharBox(page, at, rect)
        return rect.left, rect.bottom, rect.right, rect.top

    def downwards(self, index: int, quarters: int) -> bool:
        """Whether a character appears turned clockwise, on a page that is shown with so many quarter turns."""
        at = self._raw.FPDFText_GetCharIndexFromTextIndex(self._page.raw, index)
        angle = self._raw.FPDFText_GetCharAngle(self._page.raw, at)
        return round(2 * angle / math.pi + quarters) % 4 == 1


def _cut(boxes: _Boxes, line: TextLine, strip: tuple[float, float]) -> Iterator[TextLine]:
    """The parts of a line on either side of the gutter; the line itself if its words continue across it."""
    middle = sum(strip) / 2
    if line.left < middle < line.right:
        for match in re.finditer(" +", line.text):
            a, b = boxes.of(line.at + match.start() - 1), boxes.of(line.at + match.end())
            low, high = (a[2], b[0]) if a[0] < b[0] else (b[2], a[0])
            if low <= middle <= high and high - low > 0.7 * (strip[1] - strip[0]):
                yield _line(boxes, line.text[: match.start()], line.at, hyphen=False)
                yield _line(boxes, line.text[match.end() :], line.at + match.end(), line.hyphen)
                return
    yield line


class _Edge(NamedTuple):
    """A line at the top or bottom of a page: its text without its numbers, and the numbers."""

    line: TextLine
    mask: str
    numbers: tuple[int, ...]

    def repeats(self, other: _Edge, apart: int) -> bool:
        """Whether it equals another line, `apart` pages before: its numbers are the same, or count the pages."""
        return self.mask == other.mask and all(
            a in (b, b + apart) for a, b in zip(self.numbers, other.numbers, strict=True)
        )

    @property
    def evidence(self) -> int:
        """On how many other pages it must repeat to be furniture. "Table 1", "Table 2" may follow by chance."""
        has_letters = any(map(str.isalpha, self.mask))
        return 1 if has_letters != bool(self.numbers) and len(self.numbers) < 2 else 2


def _without_furniture(pages: Iterable[_Page]) -> Iterator[_Page]:
    """The pages without page numbers. Of headers and footers that repeat, only the first one stays."""
    window: deque[tuple[_Page, list[_Edge]]] = deque()
    kept: set[str] = set()
    at = 0  # the next page's place in the window

    def clean(page: _Page, edges: list[_Edge]) -> _Page:
        drop: set[int] = set()
        first: list[str] = []
        for edge in edges:
            repeated = sum(
                any(edge.repeats(other, page.number - near.number) for other in others)
                for near, others in window
                if near is not page
            )
            if repeated >= edge.evidence:
                drop.add(edge.line.at)
                if edge.mask not in kept and any(map(str.isalpha, edge.mask)):
                    first.append(edge.line.text)
                kept.add(edge.mask)
        return page._replace(lines=[line for line in page.lines if line.at not in drop], furniture=tuple(first))

    for page in pages:
        window.append((page, _edges(page.lines)))
        if len(window) - at > AHEAD:
            yield clean(*window[at])
            at += 1
        if at > AHEAD:
            window.popleft()
            at -= 1
    for page, edges in list(window)[at:]:
        yield clean(page, edges)


def _edges(lines: list[TextLine]) -> list[_Edge]:
    """The outermost lines, where a gap divides them from the text."""
    rows = sorted({round(line.bottom) for line in lines})
    gaps = [b - a for a, b in pairwise(rows)]
    if not gaps:
        return []
    wide = 1.3 * sorted(gaps)[len(gaps) // 4]
    low = next((n for n, gap in enumerate(gaps[:EDGE], 1) if gap > wide), 0)
    high = next((n for n, gap in enumerate(gaps[: -EDGE - 1 : -1], 1) if gap > wide), 0)
    edge = {*rows[:low], *rows[len(rows) - high :]}
    return [
        _Edge(line, _NUMBER.sub("#", line.text), tuple(map(int, _NUMBER.findall(line.text))))
        for line in lines
        if round(line.bottom) in edge
    ]


def _blocks(pages: Iterator[_Page]) -> Iterator[TextBlock]:
    """The paragraphs of all pages; a paragraph may continue on the next page."""
    pending: list[tuple[int, TextLine]] = []
    known: set[str] = set()
    for page in pages:
        yield from (TextBlock(text, page.number) for text in page.furniture)
        body = median(line.height for line in page.lines) if page.lines else 0.0
        for number, lines in enumerate(paragraphs(page.lines, page.right_to_left)):
            if pending and not (number == 0 and _goes_on(pending, lines)):
                yield _block(pending, known, body)
                pending = []
            pending += [(page.number, line) for line in lines]
            known = page.known
        if page.fields and pending:
            yield _block(pending, known, body)
            pending = []
        yield from (TextBlock(text, page.number) for text in page.fields)
    if pending:
        yield _block(pending, known, 0.0)


def _goes_on(before: list[tuple[int, TextLine]], lines: list[TextLine]) -> bool:
    last, first = before[-1][1], lines[0]
    if last.hyphen:
        return True
    alike = 0.85 < last.height / max(first.height, 0.1) < 1.18
    return alike and not closed(last.text) and (first.text[:1].islower() or len(before) > 1)


def _block(lines: list[tuple[int, TextLine]], known: set[str], body: float) -> TextBlock:
    text, starts = joined([line for _, line in lines], known.__contains__)
    page = lines[0][0]
    turns = tuple(
        (start, number)
        for start, (number, _), (before, _) in zip(starts[1:], lines[1:], lines, strict=False)
        if number != before
    )
    large = body and lines[0][1].height > 1.15 * body
    heading = len(lines) <= 3 and len(text) <= 200 and not closed(text) and bool(large or _HEADING.match(text))
    return TextBlock(text, page, heading, turns)


def _without_text(empty: dict[str, list[int]]) -> list[str]:
    return [f"page{'s' * (len(numbers) > 1)} {spans(numbers)}: {reason}" for reason, numbers in empty.items()]
