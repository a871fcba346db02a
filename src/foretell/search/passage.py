"""A passage: files are cut into passages, and searches find them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Passage:
    """A piece of a document, found on its own."""

    text: str
    page: int | None = None
    """The page where it begins, from 1; None where the file has no pages."""
    time: tuple[float, float] | None = None
    """Start and end in seconds; None where the file has no time."""
    metadata: dict[str, str | int | float | bool] = field(default_factory=dict)
