"""What must reach the disk before a power cut."""

from __future__ import annotations

import os
from pathlib import Path

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
