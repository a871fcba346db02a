"""The settings of graphs of nearest neighbours, in every store.

Malkov & Yashunin 2016, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
World graphs", arXiv:1603.09320. M and ef are the paper's names.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

M = 16
"""Neighbours of an entry in each layer of a graph."""
EF_CONSTRUCTION = 128
"""Neighbours that are considered when an entry is added to a graph."""
LEVELS = range(5)
"""The levels of effort of a search."""
SCAN: Literal["exact"] = "exact"
"""Beyond all levels: compare every entry."""
Level: TypeAlias = int | Literal["exact"]


def ef(level: int) -> int:
    """The number of candidates that a search of a graph keeps: 20 + 30·level, for a level of 0 to 4."""
    return 20 + 30 * level
