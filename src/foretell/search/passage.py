"""A piece of a document, small enough to embed and large enough to answer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Passage:
    """A few sentences, and where they stand.

    text: what is searched and shown.
    page: the first page it stands on, counted from 1; None where there are no pages.
    time: start and end in seconds; None where there is no time.
    metadata: flat facts about it, by name.
    """

    text: str
    page: int | None = None
    time: tuple[float, float] | None = None
    metadata: dict[str, str | int | float | bool] = field(default_factory=dict)
