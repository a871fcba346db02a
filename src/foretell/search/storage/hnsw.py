"""How graphs of nearest neighbours are built and searched, in every store.

Malkov & Yashunin 2016, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
World graphs", arXiv:1603.09320. M and ef are the paper's names.
"""

from __future__ import annotations

M = 16
"""Neighbours of an entry in each layer of a graph."""
EF_CONSTRUCTION = 128
"""Neighbours that are considered when an entry is added to a graph."""
LEVELS = range(5)
"""How hard a search can look."""


def ef(level: int) -> int:
    """How many neighbours a search of a graph keeps in sight: 20 + 30·level, for a level of 0 to 4."""
    return 20 + 30 * level
