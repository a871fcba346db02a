"""Lines of a PDF page that are no text: numbers of lines in the margin, and the entries of a table of contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

from .layout import TextLine

Cut = Callable[[TextLine, int, int], TextLine]
"""The part of a line from one character to another."""

LEAST = 8  # numbers in a margin, before they are taken for those of lines
_LEFT = re.compile(r"(?P<number>\d{1,5})(?:\s+(?P<text>\S.*))?")
_RIGHT = re.compile(r"(?:(?P<text>.*\S)\s+)?(?P<number>\d{1,5})")
_LEADER = re.compile(r"(?:\.\s?){5,}\s*(?:\d+|[ivxlc]+)$|(?:…\s?){2,}\s*\d+$")


def without_numbers(lines: Sequence[TextLine], cut: Cut) -> list[TextLine]:
    """The lines without the numbers in the left or right margin, as manuscripts for review have.

    The numbers stand in one column outside of the text, count the lines by a constant step, and belong to prose.
    """
    for pattern, side in ((_LEFT, 1), (_RIGHT, -1)):
        numbers: dict[int, TextLine] = {}
        text: dict[int, TextLine | None] = {line.at: line for line in lines}
        for line in lines:
            if match := pattern.fullmatch(line.text):
                numbers[line.at] = cut(line, *match.span("number"))
                text[line.at] = cut(line, *match.span("text")) if match["text"] else None
        sure = [line for at, line in text.items() if line and at not in numbers] or [t for t in text.values() if t]
        edge = min((_sides(line, side)[0] for line in sure), default=0.0)
        inside = {at for at, number in numbers.items() if _sides(number, side)[1] > edge}
        text |= {line.at: line for line in lines if line.at in inside}
        left = [line for line in text.values() if line]
        if _count([number for at, number in numbers.items() if at not in inside]) and _are_prose(left):
            return left
    return list(lines)


def _sides(line: TextLine, side: int) -> tuple[float, float]:
    """The outer and the inner end of a line, seen from the left margin (1) or from the right one (-1)."""
    return (line.left, line.right) if side == 1 else (-line.right, -line.left)


def _count(numbers: Sequence[TextLine]) -> bool:
    """Whether the numbers stand in one column and count downwards, by a constant step."""
    if len(numbers) < LEAST:
        return False
    edges = [number.left for number in numbers], [number.right for number in numbers]
    values = [int(number.text) for number in sorted(numbers, key=lambda number: -number.bottom)]
    steps = {b - a for a, b in pairwise(values)}
    return len(steps) == 1 and min(steps) > 0 and any(max(edge) - min(edge) < 2.5 for edge in edges)


def _are_prose(lines: Sequence[TextLine]) -> bool:
    return bool(lines) and median(len(line.text.split()) for line in lines) >= 5


def without_contents(lines: Sequence[TextLine]) -> list[TextLine]:
    """The lines without the entries of a table of contents, whose dots lead to page numbers."""
    entries = [line for line in lines if _LEADER.search(line.text)]
    return [line for line in lines if line not in entries] if len(entries) > 2 else list(lines)
