"""What lies in the folder of caches, and how it is removed."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import filelock

from foretell.disk import walk
from foretell.errors import ForetellError

DAY = 86_400.0


@dataclass(frozen=True)
class CacheEntry:
    """Data that was decoded once."""

    path: Path
    source: str
    """What messages call the data."""
    samples: int
    size: int
    """Bytes."""
    days: float
    """Since it was made or last read, as far as the file system keeps that."""


def entries(folder: Path) -> list[CacheEntry]:
    """The caches of a folder, the largest first; none where there is no folder."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            about = json.loads((path / "about.json").read_text())
            source = str(about["source"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        files = [info for _, info in walk(path) if info is not None]
        used = max((max(info.st_atime, info.st_mtime) for info in files), default=0.0)
        samples = _samples(about, path)
        found.append(CacheEntry(path, source, samples, sum(info.st_size for info in files), (time.time() - used) / DAY))
    return sorted(found, key=lambda entry: -entry.size)


def _samples(about: dict[str, object], path: Path) -> int:
    """The number of samples, from the size of the first column."""
    import numpy as np

    columns = about.get("columns")
    names = list(columns) if isinstance(columns, dict) else ["pixels"]
    for name in names:
        try:
            return len(np.load(path / f"{name}.npy", mmap_mode="r"))
        except (OSError, ValueError):
            continue
    return 0


def remove(entry: CacheEntry) -> None:
    """Remove a cache; the data itself stays, and is decoded again when it is needed.

    Raises:
        ForetellError: a process writes it just now, or it cannot be removed.
    """
    lock = filelock.FileLock(entry.path.parent / f".{entry.path.name}.lock")
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(entry.path)
    except filelock.Timeout:
        raise ForetellError(f"{entry.path} is being written by another process: try again later") from None
    except OSError as error:
        raise ForetellError(f"{entry.path} cannot be removed ({error.strerror or error})") from error
    Path(lock.lock_file).unlink(missing_ok=True)
