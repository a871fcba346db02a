"""Cut files into passages: plain text and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from foretell.errors import ForetellError
from foretell.search.passage import Passage

ENDINGS = {".txt", ".text", ".md", ".markdown"}
"""What is read in a folder."""
LONGEST = 900  # characters


def read(path: Path) -> Iterator[Passage]:
    """The passages of a text or Markdown file, in order: whole paragraphs up to 900 characters, else whole sentences.

    Raises:
        ForetellError: the file is of another kind, cannot be read, or is not text in UTF-8.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ForetellError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(sorted(ENDINGS))}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ForetellError(f"{path} cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise ForetellError(f"{path} is not text in UTF-8 (byte {error.start:,}); convert it first") from None
    yield from map(Passage, _joined(piece for paragraph in re.split(r"\n\s*\n", text) for piece in _pieces(paragraph)))


def _pieces(paragraph: str) -> Iterator[str]:
    paragraph = " ".join(paragraph.split())
    if len(paragraph) <= LONGEST:
        yield from [paragraph] if paragraph else []
        return
    sentences = (s[i : i + LONGEST] for s in re.split(r"(?<=[.!?]) ", paragraph) for i in range(0, len(s), LONGEST))
    yield from _joined(sentences, " ")


def _joined(pieces: Iterator[str], glue: str = "\n\n") -> Iterator[str]:
    """Neighbours together, as long as they fit."""
    text = ""
    for piece in pieces:
        if text and len(text) + len(glue) + len(piece) > LONGEST:
            yield text
            text = piece
        else:
            text = f"{text}{glue}{piece}" if text else piece
    if text:
        yield text
