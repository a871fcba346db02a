"""Progress for people, on standard error: standard output is for reports.

A terminal shows a bar. Elsewhere there is no bar, and at most one line that says what takes long.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from operator import length_hint
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")


class Bar:
    """Work and how much of it is done; drawn on a terminal."""

    def __init__(self, drawn: Progress | None = None, text: str = "", total: float | None = None) -> None:
        self._drawn = drawn
        self._task = None if drawn is None else drawn.add_task(escaped(text), total=total)

    def advance(self, more: float = 1) -> None:
        """Count `more` of the total as done."""
        if self._drawn is not None and self._task is not None:
            self._drawn.advance(self._task, more)

    def reach(self, done: float, text: str | None = None) -> None:
        """Count `done` of the total as done; `text` names the present work."""
        if self._drawn is not None and self._task is not None:
            self._drawn.update(self._task, completed=done, description=None if text is None else escaped(text))


@contextmanager
def bar(text: str | None, total: float | None, line: str | None = None) -> Iterator[Bar]:
    """A bar for work that takes minutes. The caller moves it; it goes away at the end.

    Args:
        text: what the bar says; None for no bar and no line.
        total: the amount of work, in any unit; None where it is not known.
        line: what to print, once, where there is no terminal.
    """
    if text is None:
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        if line is not None:
            say(line)
        yield Bar()
        return
    with Progress(console=console, transient=True) as drawn:
        yield Bar(drawn, text, total)


def watched(items: Iterable[T], text: str | None) -> Generator[T]:
    """The items, under a bar that says `text`; None for no bar."""
    with bar(text, length_hint(items) or None) as moved:
        for item in items:
            yield item
            moved.advance()


def say(text: str) -> None:
    """Print a line."""
    print(text, file=sys.stderr, flush=True)


def escaped(text: str) -> str:
    """Text in which rich sees no markup."""
    from rich.markup import escape

    return escape(text)
