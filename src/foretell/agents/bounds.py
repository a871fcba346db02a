"""Answers are bounded, and say how to get the rest: an agent pays for every word that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foretell.http.json import dumps
from foretell.search.storage.filters import Value

LONGEST = 60_000
"""Characters of an answer, at most."""
FIELDS, FIELD = 40, 300
"""Fields of an entry that are shown, and characters of each."""


def cut(text: str, start: int, length: int) -> dict[str, Any]:
    """A part of a text as fields of an answer. Where more follows, they say so.

    Args:
        text: the whole text.
        start: the first character of the part.
        length: the most characters of the part.
    """
    part = text[start : start + length]
    end = start + len(part)
    if not start and end == len(text):
        return {"text": part}
    place = {"text": part, "text_from": start, "text_length": len(text)}
    return place | ({"text_continues_at": end} if end < len(text) else {})


def brief(metadata: Mapping[str, Value]) -> dict[str, Value]:
    """Metadata without what is long."""
    shown = {
        name[:FIELD]: f"{value[:FIELD]}…" if isinstance(value, str) and len(value) > FIELD else value
        for name, value in list(metadata.items())[:FIELDS]
    }
    left = len(metadata) - len(shown)
    return shown | ({"…": f"{left} more fields"} if left > 0 else {})


def fitting(items: Sequence[Mapping[str, Any]], longest: int = LONGEST) -> Sequence[Mapping[str, Any]]:
    """The first items that fit into an answer, at least one."""
    room = longest
    for count, item in enumerate(items):
        room -= len(dumps(item).decode())
        if room < 0:
            return items[: max(count, 1)]
    return items
