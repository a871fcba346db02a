"""Find the paragraphs of a page by the positions of its lines.

PDF files contain characters in boxes, and no paragraphs. The order of drawing is nearly always the order of reading. It
is not where two columns were drawn line by line across both: there the lines are cut at the gutter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from statistics import median
from typing import NamedTuple

_ITEM = re.compile(r"[•▪◦‣∙·●■]|(?:\[\d{1,3}\]|\(?\d{1,2}[.)]|[–—*-])\s")
_CLOSED = re.compile(r"""[.!?:;؟。！？]['"’”»)\]]*$""")
_WORD = re.compile(r"[^\W\d_]+")
_COMPOUND = re.compile(r"[^\W\d_]+-[^\W\d_]+")


class TextLine(NamedTuple):
    """A line of text and its box, in points; the origin is the lower left corner of the page.

    at: the index of its first character on the page.
    hyphen: whether its last word continues in the next line.
    """

    text: str
    at: int
    left: float
    bottom: float
    right: float
    top: float
    hyphen: bool = False

    @property
    def height(self) -> float:
        """The height of its letters, in points."""
        return self.top - self.bottom

    def mirrored(self) -> TextLine:
        """The same line, mirrored, for text that runs from right to left."""
        return self._replace(left=-self.right, right=-self.left)


Box = tuple[float, float, float, float]
"""left, bottom, right, top"""


def gutter(runs: Sequence[Box]) -> tuple[float, float] | None:
    """The empty strip between two columns of prose that were drawn line by line across both; None for other pages.

    runs: the boxes of texts that were each drawn at once, in the order of drawing.
    """
    if len(runs) < 12:
        return None
    left, right = min(run[0] for run in runs), max(run[2] for run in runs)
    strip = _strip(runs, left + (right - left) / 4, right - (right - left) / 4)
    if strip is None:
        return None
    middle = sum(strip) / 2
    beside = [run for run in runs if not run[0] < middle < run[2]]
    switches = sum((a[0] < middle) != (b[0] < middle) for a, b in pairwise(beside))
    shared = [row for row in _rows(beside, middle) if row[0] and row[1]]
    if len(shared) < 6 or switches < 1.2 * len(shared):
        return None  # drawn column by column
    for side, width in ((0, strip[0] - left), (1, right - strip[1])):
        if median(max(r[2] for r in row[side]) - min(r[0] for r in row[side]) for row in shared) < 0.6 * width:
            return None  # a table: its rows belong together
    return strip


def _rows(runs: Sequence[Box], middle: float) -> list[tuple[list[Box], list[Box]]]:
    """The runs that stand side by side, left and right of the middle."""
    rows: list[tuple[list[Box], list[Box]]] = []
    near = 0.4 * median(run[3] - run[1] for run in runs) if runs else 0.0
    last = float("inf")
    for run in sorted(runs, key=lambda run: -(run[1] + run[3])):
        centre = (run[1] + run[3]) / 2
        if last - centre > near:
            rows.append(([], []))
            last = centre
        rows[-1][run[0] >= middle].append(run)
    return rows


def _strip(runs: Sequence[Box], low: float, high: float) -> tuple[float, float] | None:
    """The widest strip between low and high that hardly any run crosses; None if narrower than a letter is high."""
    edges = Counter[int]()  # how many more runs cover a point than the point before it
    for run in runs:
        edges[int(run[0]) + 1] += 1
        edges[max(int(run[2]), int(run[0]) + 1)] -= 1
    first = min(edges)
    covering = list(accumulate(edges[x] for x in range(first, int(high))))[int(low) - first :]
    allowed = max(1, len(runs) // 10)
    widest, start = (0, 0), None
    for x, count in enumerate([*covering, len(runs)]):
        if count <= allowed:
            start = x if start is None else start
        elif start is not None:
            widest = max(widest, (x - start, start))
            start = None
    width, start = widest
    if width < max(6.0, 0.6 * median(run[3] - run[1] for run in runs)):
        return None
    return int(low) + start, int(low) + start + width


def in_columns(lines: Iterable[TextLine], middle: float, right_first: bool) -> list[TextLine]:
    """Lines that were cut at the gutter, in reading order: columns, between the lines that span the gutter."""
    ordered: list[TextLine] = []
    columns: tuple[list[TextLine], list[TextLine]] = ([], [])

    def flush() -> None:
        for column in columns[::-1] if right_first else columns:
            ordered.extend(column)
            column.clear()

    for line in sorted(lines, key=lambda line: -line.bottom):
        if line.left < middle < line.right:
            flush()
            ordered.append(line)
        else:
            columns[line.left >= middle].append(line)
    flush()
    return ordered


def paragraphs(lines: Sequence[TextLine], right_to_left: bool) -> list[list[TextLine]]:
    """Runs of lines that make a paragraph or a heading.

    A new run begins after a wide gap, at another size of letters, and at the item of a list. After a line that ends a
    sentence it also begins where that line is short, or where the next line is indented or outdented.
    """
    if not lines:
        return []
    flow = [line.mirrored() for line in lines] if right_to_left else list(lines)
    steps = [a.bottom - b.bottom for a, b in pairwise(flow)]
    down = [step for step in steps if step > 0]
    pitch = median(down) if down else flow[0].height
    found = [[lines[0]]]
    for number, step in enumerate(steps, 1):
        before, line = flow[number - 1], flow[number]
        if abs(step) < 0.3 * line.height and not before.hyphen:
            found[-1].append(lines[number])  # a further part of the same row
            continue
        em = max(line.height, 1.0)
        beside = max(line.right, flow[number - 2].right if number > 1 else line.right)
        jump = step < -em  # to the next column
        full_stop = closed(before.text)
        if before.hyphen:
            new = False
        elif not jump and (step > 1.4 * max(pitch, em) or not 0.85 < before.height / em < 1.18):
            new = True
        elif _ITEM.match(line.text):
            new = full_stop or not line.text[0].isdigit()
        else:
            short = not jump and before.right < beside - 3 * em
            new = full_stop and (short or (not jump and abs(line.left - before.left) > 0.7 * em))
        if new:
            found.append([lines[number]])
        else:
            found[-1].append(lines[number])
    return found


def joined(lines: Sequence[TextLine], known: Callable[[str], bool]) -> tuple[str, list[int]]:
    """Lines as running text, and the offset of each line. A word that a hyphen divides is put together.

    The hyphen stays where it belongs to the word: in a compound that occurs elsewhere on the page, between digits, or
    before a capital letter.

    known: tells whether a word or compound occurs elsewhere on the page.
    """
    text, starts = "", []
    for number, line in enumerate(lines):
        if number and lines[number - 1].hyphen:
            text += "-" * _hyphenated(text, line.text, known)
        elif number:
            text += " "
        starts.append(len(text))
        text += line.text
    return text, starts


def closed(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return _CLOSED.search(text) is not None


def words(text: str) -> set[str]:
    """The words and hyphenated compounds of a page."""
    return {*_WORD.findall(text), *_COMPOUND.findall(text)}


def _hyphenated(before: str, after: str, known: Callable[[str], bool]) -> bool:
    first, second = re.search(r"\w*$", before), re.match(r"\w*", after)
    a, b = first[0] if first else "", second[0] if second else ""
    if known(a + b):
        return False
    return known(f"{a}-{b}") or a[-1:].isdigit() or b[:1].isdigit() or (b[:1].isupper() and not a.isupper())
