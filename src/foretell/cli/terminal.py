"""Text of others on a terminal. A control character in it could write the clipboard, or hide what stands before it."""

from __future__ import annotations

import json
import re
from typing import Any

_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_ENDS = re.compile("[\t\n]")


def plain(text: str) -> str:
    """A text of one or several lines, with control characters, and those that turn its direction, as their codes."""
    return _ODD.sub(_escaped, text)


def line(text: str) -> str:
    """As `plain`, of a name or a sentence: it stays one line."""
    return _ENDS.sub(_escaped, plain(text))


def dumps(value: Any) -> str:
    """A value as JSON that is safe on a terminal, and means the same."""
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, indent=2, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
