"""What the readers of the different kinds have in common: what they are told and what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Metadata: TypeAlias = dict[str, str | int | float | bool]
Report: TypeAlias = Callable[[str], None]
"""Takes a sentence about a part of a file that could not be used."""


class Unreadable(Exception):
    """A file that cannot be used; the message is the reason."""


class Empty(Unreadable):
    """A file that was read and has no text in it, rather than one that could not be read."""


class TextBlock(NamedTuple):
    """A paragraph or a heading.

    page: where it begins, counted from 1.
    turns: the offsets in `text` at which other pages begin, and their numbers.
    """

    text: str
    page: int | None = None
    heading: bool = False
    turns: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Options:
    """What a reader can be told.

    text: the column that is searched, of tables and records; None chooses one.
    password: opens encrypted PDF files.
    """

    text: str | None = None
    password: str | None = None
