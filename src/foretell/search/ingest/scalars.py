"""Read numbers and truths that are written as text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

Scalar: TypeAlias = int | float | bool
ScalarReader: TypeAlias = Callable[[str], Scalar | None]
"""A function that reads a text; None for a text of another kind."""

_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,18})")  # "007" is a name
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")  # of more digits, some would be lost


def _truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _whole(text: str) -> int | None:
    return number if _WHOLE.fullmatch(text) and (number := int(text)) in _INT64 else None


def _decimal(text: str) -> float | None:
    return number if _DECIMAL.fullmatch(text) and math.isfinite(number := float(text)) else None


def kind(texts: Iterable[str]) -> ScalarReader | None:
    """The first kind that all texts have, except empty ones; None where they are plain text."""
    texts = [text for text in texts if text]
    return next((k for k in (_truth, _whole, _decimal) if texts and all(k(text) is not None for text in texts)), None)


def value(text: str, kind: ScalarReader | None) -> str | Scalar:
    """The value of a text of this kind; the text itself where it has no kind, or another."""
    said = kind(text.strip()) if kind else None
    return text if said is None else said
