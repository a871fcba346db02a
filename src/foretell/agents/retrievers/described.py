"""What a retriever tells of an entry besides its text."""

from __future__ import annotations

from typing import Any

from foretell.search.several import KnowledgeHit


def described(hit: KnowledgeHit) -> dict[str, Any]:
    """The metadata of an entry, with `score`, `knowledge` and `entry_id`, and `page` or `seconds` where it has one."""
    told: dict[str, Any] = {**hit.metadata, "score": hit.score, "knowledge": hit.knowledge, "entry_id": hit.id}
    if hit.page is not None:
        told["page"] = hit.page
    if hit.time is not None:
        told["seconds"] = list(hit.time)
    return told
