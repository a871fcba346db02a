"""Search: collections of passages and photographs, found by what they mean."""

from foretell.search.add import Added
from foretell.search.entries import Draft, Entry, Hit
from foretell.search.knowledge import About, Knowledge
from foretell.search.passage import Passage
from foretell.search.store import Busy, Store

__all__ = ["About", "Added", "Busy", "Draft", "Entry", "Hit", "Knowledge", "Passage", "Store"]
