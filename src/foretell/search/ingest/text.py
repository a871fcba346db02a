"""Read plain text in any encoding."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from foretell.search.passage import Passage

from .block import Options, Report, TextBlock, Unreadable
from .split import passages as split

SAMPLE = 1 << 20  # bytes that tell text from other files

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The letters beyond ASCII of the languages that are written in Windows-1252, and its signs that are met in any of them.
_WESTERN = (
    "àèéìíîïòóùú",  # Italian
    "àâæçèéêëîïôœùûüÿ",  # French
    "áéíïñóúüªº",  # Spanish
    "àáâãçéêíóôõúüªº",  # Portuguese
    "àçèéíïñòóúü",  # Catalan
    "äéöüß",  # German
    "àáäåéöü",  # Swedish, Finnish
    "äåæèéêòóôöø",  # Danish, Norwegian
    "áèéêëíïóöúü",  # Dutch
    "áæéíðóöúýþ",  # Icelandic
)
_SIGNS = frozenset("\xa0¡£§©«®°·»¿–—‘’“”„•…‹›€™")
_AMISS = re.compile(r"[^\W\d_][“”„…][^\W\d_]")  # letters of another encoding
# An empty line ends a paragraph; so does a line too long to have been wrapped by hand.
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*|(?<=[^\n]{120})\n")


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """The passages of a text file. Raises Unreadable where the file is not text."""
    yield from split(blocks(read(path, report)))


def blocks(text: str) -> Iterator[TextBlock]:
    """The paragraphs of a text."""
    yield from map(TextBlock, _PARAGRAPH.split(text))


def read(path: Path, report: Report) -> str:
    """The content of a text file; every line ends in a line feed. Letters that cannot be read are reported.

    Raises Unreadable where the file is not text.
    """
    with opened(path, report) as lines:
        return "".join(lines)


@contextmanager
def opened(path: Path, report: Report, newline: str | None = None) -> Iterator[Iterator[str]]:
    """The lines of a text file. Those with letters that cannot be read are reported, when all have been taken.

    newline: as for `open`; None makes every line end in a line feed. Raises Unreadable where the file is not text.
    """
    lost: list[int] = []

    def watched(file: TextIO) -> Iterator[str]:
        for number, line in enumerate(file, 1):
            if "\ufffd" in line:
                lost.append(number)
            yield line

    with path.open(encoding=encoding(path), errors="replace", newline=newline) as file:
        yield watched(file)
    if lost:
        report(f"{len(lost):,} lines have letters that cannot be read (\ufffd); the first is line {lost[0]:,}")


def encoding(path: Path) -> str:
    """The encoding of a text file: by its byte order mark, or UTF-8 where it fits, or the likeliest.

    All lines beyond ASCII decide together. Raises Unreadable where the file is not text.
    """
    with path.open("rb") as file:
        start = file.read(SAMPLE)
        for mark, name in _MARKS:
            if start.startswith(mark):
                return name
        if b"\0" in start:
            raise Unreadable("not text: it holds zero bytes")
        file.seek(0)
        fit, others, size = 0, [], 0
        for line in file:
            if line.isascii():
                continue
            try:
                line.decode()
                fit += 1
            except UnicodeDecodeError:
                others.append(line[:SAMPLE] if size < SAMPLE // 16 else b"")
                size += len(others[-1])
    return "utf-8" if fit >= len(others) else _likeliest(b"".join(others)[: SAMPLE // 16])


def _likeliest(sample: bytes) -> str:
    if _western(sample):
        return "cp1252"
    import charset_normalizer

    found = charset_normalizer.from_bytes(sample)
    best = found.best()
    if best is None:
        raise Unreadable("not text in any known encoding; expected UTF-8")
    equal = [m.encoding for m in found if (m.chaos, -m.coherence) <= (best.chaos, -best.coherence)]
    # of several that fit equally, the most common one
    return "cp1252" if "cp1252" in (*equal, *best.could_be_from_charset) else best.encoding


def _western(sample: bytes) -> bool:
    """Whether this is Windows-1252: then it has few letters beyond ASCII, all of one language, and usual signs."""
    try:
        text = sample.decode("cp1252").lower()
    except UnicodeDecodeError:
        return False
    found = [letter for letter in text if not letter.isascii() and letter not in _SIGNS]
    few = len(found) < sum(letter.isascii() and letter.isalpha() for letter in text)
    return few and any(set(found) <= set(letters) for letters in _WESTERN) and not _AMISS.search(text)
