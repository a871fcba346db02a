"""The types that all readers share: paragraphs, options and errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Metadata: TypeAlias = dict[str, str | int | float | bool]
Report: TypeAlias = Callable[[str], None]
"""A function that receives a sentence about a part of a file that could not be used."""


class Unreadable(Exception):
    """A file that cannot be used; the message is the reason."""


class Empty(Unreadable):
    """A file that was read, but contains no text."""


class TextBlock(NamedTuple):
    """A paragraph or a heading.

    Attributes:
        text: of the paragraph.
        page: where it begins, counted from 1.
        heading: whether it is a heading.
        turns: the offsets in `text` where other pages begin, and their numbers.
    """

    text: str
    page: int | None = None
    heading: bool = False
    turns: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Options:
    """Options of a reader.

    Attributes:
        text: the column to search, of tables and records; None chooses one.
        password: opens encrypted PDF files.
    """

    text: str | None = None
    password: str | None = None
