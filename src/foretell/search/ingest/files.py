"""Which files can be read, and as what."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foretell.errors import ForetellError

KINDS = {
    "pdf": (".pdf",),
    "text": (".txt", ".text", ".rst", ".log", ".tex"),
    "markdown": (".md", ".markdown"),
    "html": (".html", ".htm", ".xhtml"),
    "delimited": (".csv", ".tsv"),
    "records": (".json", ".jsonl", ".ndjson"),
    "parquet": (".parquet",),
}
"""The module here that reads a kind, and the endings of its files."""
_BY_ENDING = {ending: kind for kind, endings in KINDS.items() for ending in endings}
ENDINGS = frozenset(_BY_ENDING)
"""What is read in a folder."""


class Skipped(NamedTuple):
    """A file, or a part of one, that could not be used, and why."""

    name: str
    reason: str


class File(NamedTuple):
    """A file that can be read.

    name: its path below the folder it was found in, with forward slashes.
    """

    path: Path
    name: str

    @property
    def kind(self) -> str:
        """The module that reads it."""
        return _BY_ENDING[_ending(self.name)]


@dataclass(frozen=True)
class ImageEntry:
    """A photograph of a collection, not decoded yet."""

    path: Path
    name: str

    def pixels(self, size: int) -> np.ndarray:
        """uint8 [3, size, size] in 0..255: the shorter side resized, the centre kept.

        Raises foretell.data.images.decode.Unusable, with the reason, where it is no whole image.
        """
        from foretell.data.images.decode import decode

        return decode(self.path, size)


def find(
    paths: Iterable[Path], endings: Collection[str] = _BY_ENDING, kind: str = "can be read"
) -> tuple[list[File], list[Skipped]]:
    """The files at and below paths with one of the endings, by default those of texts, and what lies there beside them.

    Raises ForetellError where there is nothing at a path.
    """
    files, skipped = [], []
    for root in paths:
        others: Counter[str] = Counter()
        for file in _below(root):
            if _ending(file.name) in endings:
                files.append(file)
            else:
                others[_ending(file.name) or "no ending"] += 1
        if others:
            found = ", ".join(f"{ending} {count:,}" if count > 1 else ending for ending, count in others.most_common(8))
            many = sum(others.values())
            whose = f"not of a kind that {kind}" if root.is_file() else f"not read: {many:,} of another kind"
            skipped.append(Skipped(root.name or str(root), f"{whose} ({found}); expected {', '.join(endings)}"))
    return files, skipped


def images(path: Path | str) -> Iterator[ImageEntry]:
    """The photographs at and below a path, by name. Raises ForetellError where there is nothing at the path."""
    from foretell.data.folder import ENDINGS

    for file in find([Path(path)], ENDINGS)[0]:
        yield ImageEntry(file.path, file.name)


def _below(root: Path) -> list[File]:
    if root.is_file():
        return [File(root, root.name)]
    if not root.is_dir():
        raise ForetellError(f"{root}: not found; expected a file or a folder of files.")
    from foretell.data.source import files_below

    return [File(root / file.path, file.path) for file in files_below(root)]


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()
