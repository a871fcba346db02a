"""Find files, and know which reader reads them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from foretell.disk import walk
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
"""Reader module -> endings of its files."""
_PDF = "convert {} to PDF first: soffice --headless --convert-to pdf FILE"
ADVICE = {
    **dict.fromkeys((".doc", ".docx", ".odt", ".rtf"), _PDF.format("documents")),
    **dict.fromkeys((".ppt", ".pptx", ".odp"), _PDF.format("slides")),
    **dict.fromkeys(
        (".xls", ".xlsx", ".ods"), "convert spreadsheets to CSV first: soffice --headless --convert-to csv FILE"
    ),
    **dict.fromkeys((".epub", ".mobi"), "convert books to HTML first: pandoc FILE -o FILE.html"),
    **dict.fromkeys((".eml", ".msg", ".mbox"), "save the text of e-mails as .txt first"),
}
"""Endings of documents that are not read -> the way to files that are."""
_BY_ENDING = {ending: kind for kind, endings in KINDS.items() for ending in endings}
ENDINGS = frozenset(_BY_ENDING)
"""Endings of the files that are read in a folder."""


class Unread(NamedTuple):
    """A file, or a part of one, that could not be used, and why."""

    name: str
    reason: str


class FoundFile(NamedTuple):
    """A file that can be read.

    Attributes:
        path: of the file.
        name: its path below the folder it was found in, with forward slashes.
    """

    path: Path
    name: str

    @property
    def kind(self) -> str:
        """The name of the module that reads it."""
        return _BY_ENDING[_ending(self.name)]


def find(
    paths: Iterable[Path], endings: Collection[str] = _BY_ENDING, kind: str = "can be read"
) -> tuple[list[FoundFile], list[Unread]]:
    """The files at and below paths with one of the endings, and a summary of the others.

    Args:
        paths: files and folders.
        endings: by default those of texts.
        kind: completes the sentence "not of a kind that …".

    Raises:
        ForetellError: nothing is at a path.
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
            advice = sorted({ADVICE[ending] for ending in others if ending in ADVICE}) if endings is _BY_ENDING else []
            told = f"{whose} ({found}), expected {', '.join(endings)}"
            skipped.append(Unread(root.name or str(root), "; ".join([told, *advice])))
    return files, skipped


def _below(root: Path) -> list[FoundFile]:
    if root.is_file():
        return [FoundFile(root, root.name)]
    if not root.is_dir():
        raise ForetellError(f"{root}: not found, expected a file or a folder of files")
    return [FoundFile(root / name, name) for name in sorted(name for name, _ in walk(root))]


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()
