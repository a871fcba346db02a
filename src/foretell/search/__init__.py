"""Search: collections of passages and photographs, found by their meaning.

Importing this package costs nothing: the parsers' child process does it for every folder that is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.lazy import names

__all__ = [
    "About",
    "AddProgress",
    "Added",
    "AddedFile",
    "Backend",
    "Busy",
    "Draft",
    "Entry",
    "Hit",
    "Knowledge",
    "KnowledgeHit",
    "Passage",
    "SeveralHits",
    "Store",
    "open_backend",
    "search_several",
]

if TYPE_CHECKING:
    from foretell.search.add import Added, AddProgress
    from foretell.search.entries import Draft, Entry, Hit
    from foretell.search.knowledge import Knowledge
    from foretell.search.passage import Passage
    from foretell.search.several import KnowledgeHit, SeveralHits, search_several
    from foretell.search.storage.open import open_backend
    from foretell.search.storage.protocol import About, AddedFile, Backend, Busy
    from foretell.search.storage.sqlite.store import Store

_HOMES = {
    "About": "storage.protocol",
    "Added": "add",
    "Backend": "storage.protocol",
    "Busy": "storage.protocol",
    "Draft": "entries",
    "Entry": "entries",
    "AddedFile": "storage.protocol",
    "Hit": "entries",
    "Knowledge": "knowledge",
    "KnowledgeHit": "several",
    "SeveralHits": "several",
    "search_several": "several",
    "Passage": "passage",
    "AddProgress": "add",
    "Store": "storage.sqlite.store",
    "open_backend": "storage.open",
}

__getattr__ = names(__name__, _HOMES)
