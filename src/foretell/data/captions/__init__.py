"""Images with captions, from files."""

from __future__ import annotations

from pathlib import Path

from foretell.data.source import Splits
from foretell.errors import ForetellError


def find(spec: str | Path) -> Splits:
    """The splits of images with captions."""
    raise ForetellError(f"{str(spec)!r}: not found; expected captions:N, or images with captions.")
