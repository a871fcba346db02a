"""Documents become passages: PDF, text, Markdown, HTML, CSV, JSON, JSON Lines, Parquet, and folders of these.

    reading = read("papers/")
    for passage in reading:
        print(passage.metadata["source"], passage.page, passage.text)
    for name, reason in reading.skipped:
        print(name, reason)

Every file is parsed in a child process with limits on its memory and time. Read on in this order: block, split, text,
then a kind (pdf, html, scalars, markdown, tables with delimited, records and parquet), child, guard, files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foretell.lazy import names
from foretell.search.passage import Passage

if TYPE_CHECKING:
    from .files import ENDINGS, Unread
    from .guard import Limits
    from .reading import Reading

__all__ = ["ENDINGS", "Limits", "Passage", "Reading", "Unread", "read"]

_HOMES = {
    "ENDINGS": "files",
    "Limits": "guard",
    "Reading": "reading",
    "Unread": "files",
}


def read(
    path: Path | str | Sequence[Path | str],
    *,
    text: str | None = None,
    password: str | None = None,
    limits: Limits | None = None,
) -> Reading:
    """The passages of files and folders. Files are parsed when passages are taken.

    Each passage's metadata names its file in `source`. Files and parts that cannot be used are listed in `skipped` of
    the reading; no file stops the others.

    Args:
        path: one or several files and folders. Folders are read at any depth, without hidden files.
        text: the column to search, of tables and records; by default one named text, content or the like, or else the
            column with the longest texts.
        password: opens encrypted PDF files.
        limits: what parsing one file may cost.

    Raises:
        ForetellError: nothing is at a path.
    """
    from .block import Options
    from .guard import Limits
    from .reading import Reading

    paths = [path] if isinstance(path, Path | str) else path
    return Reading([Path(p) for p in paths], Options(text, password), limits or Limits())


__getattr__ = names(__name__, _HOMES)  # the child process imports this package and needs none of them
