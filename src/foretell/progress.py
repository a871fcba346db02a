"""A bar for work that takes minutes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def watched(items: Iterable[T], text: str | None) -> Iterable[T]:
    """The items, under a bar that says `text`; None for no bar.

    It goes to standard error, where a terminal shows it: standard output is for the report.
    """
    console = Console(stderr=True)
    hidden = text is None or not console.is_terminal
    return track(items, text or "", console=console, disable=hidden, transient=True)
