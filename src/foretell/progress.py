"""Progress for people, on standard error: standard output is for reports.

A terminal shows a bar. Elsewhere there is no bar: one line may say at once what takes long, and after every ten seconds
a line says how much of it is done.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from operator import length_hint
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
EVERY = 10.0
"""Seconds between two lines where no terminal shows a bar."""


class Bar:
    """Work and how much of it is done; drawn on a terminal."""

    def __init__(
        self, drawn: Progress | None = None, text: str = "", total: float | None = None, *, silent: bool = False
    ) -> None:
        self._drawn, self._silent = drawn, silent
        self._text, self._total, self._done, self._spoke = text, total, 0.0, time.monotonic()
        self._task = None if drawn is None else drawn.add_task(escaped(text), total=total)

    @property
    def drawn(self) -> bool:
        """Whether a terminal shows it."""
        return self._drawn is not None

    def advance(self, more: float = 1) -> None:
        """Count `more` of the total as done. Where no terminal shows it, a line says so now and then."""
        if self._drawn is not None and self._task is not None:
            self._drawn.advance(self._task, more)
            return
        self._done += more
        if self._text and not self._silent and time.monotonic() - self._spoke >= EVERY:
            self._spoke = time.monotonic()
            of = "" if self._total is None else f" of {self._total:,.0f}"
            say(f"{self._text}: {self._done:,.0f}{of}")

    def reach(self, done: float, text: str | None = None) -> None:
        """Count `done` of the total as done; `text` names the present work."""
        if self._drawn is not None and self._task is not None:
            self._drawn.update(self._task, completed=done, description=None if text is None else escaped(text))

    def say(self, text: str) -> None:
        """Print a line, above the bar where there is one."""
        if self._drawn is not None:
            self._drawn.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
        elif not self._silent:
            say(text)


@contextmanager
def bar(text: str | None, total: float | None, line: str | None = None) -> Iterator[Bar]:
    """A bar for work that takes minutes. The caller moves it; it goes away at the end.

    Args:
        text: what the bar says; None for no bar and no lines.
        total: the amount of work, in any unit; None where it is not known.
        line: what to print, once, where there is no terminal.
    """
    if text is None:
        yield Bar(silent=True)
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        if line is not None:
            say(line)
        yield Bar(text=text, total=total)
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
