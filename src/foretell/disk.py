"""Folders: the files in them, and what must reach the disk before a power cut."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from foretell.errors import ForetellError

OPENS_FOLDERS = os.name != "nt"
"""Whether this system can open a folder. Windows cannot do this, and does not need it for the names of files."""


def sync_folder(folder: Path) -> None:
    """Let the names of a folder's files reach the disk, after one was written or renamed."""
    if not OPENS_FOLDERS:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result | None]]:
    """Every file at any depth, in no order. Links are followed; hidden files and macOS's shadows are left out.

    Yields:
        The path below the folder, with forward slashes, and what the system knows of the file. That is None for a
        broken link, so that its reader reports it.

    Raises:
        ForetellError: a folder cannot be read.
    """
    return _walk(folder, "", ())


def _walk(folder: Path | str, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, os.stat_result | None]]:
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that contains it
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise ForetellError(f"{folder}: cannot read this folder ({error.strerror})") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        try:
            info = entry.stat()
        except OSError:
            yield prefix + entry.name, None
            continue
        if stat.S_ISDIR(info.st_mode):
            yield from _walk(entry.path, f"{prefix}{entry.name}/", (*above, real))
        elif stat.S_ISREG(info.st_mode):
            yield prefix + entry.name, info
