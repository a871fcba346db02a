"""Search: collections of passages and photographs, found by what they mean.

Importing this package costs nothing: the parsers' child process does it for every folder that is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.lazy import names

__all__ = [
    "About",
    "Added",
    "Backend",
    "Busy",
    "Draft",
    "Entry",
    "File",
    "Hit",
    "Knowledge",
    "Passage",
    "Step",
    "Store",
    "open_backend",
]

if TYPE_CHECKING:
    from foretell.search.add import Added, Step
    from foretell.search.backend import About, Backend, Busy, File, open_backend
    from foretell.search.entries import Draft, Entry, Hit
    from foretell.search.knowledge import Knowledge
    from foretell.search.passage import Passage
    from foretell.search.store import Store

_HOMES = {
    "About": "backend",
    "Added": "add",
    "Backend": "backend",
    "Busy": "backend",
    "Draft": "entries",
    "Entry": "entries",
    "File": "backend",
    "Hit": "entries",
    "Knowledge": "knowledge",
    "Passage": "passage",
    "Step": "add",
    "Store": "store",
    "open_backend": "backend",
}

__getattr__ = names(__name__, _HOMES)
