"""Search several knowledges with one query, so that the scores of their results can be compared.

- `own`: there is one knowledge. Its scores need no change.
- `cosine`: one model embedded all knowledges. All scores are cosines of one query in one space. So the result is that
  of one knowledge with all the entries.
- `rerank`: a reranker is asked for. It reads the query with the best passages of all knowledges, and its scores are
  averaged with those above, as in one knowledge.
- `rank`: all else. Cosines of two models have two scales, and BM25 counts the words of one knowledge. Only ranks are
  left:

      score = 1 / (60 + rank in its own knowledge)        Cormack, Clarke & Büttcher 2009, SIGIR

  The results alternate between the knowledges: the best of each comes first, however well it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32

from foretell.errors import ForetellError, check_range
from foretell.search.entries import Hit
from foretell.search.knowledge import Knowledge
from foretell.search.models import reranking
from foretell.search.query import READ, READ_USUAL, check_top, depth, reranked
from foretell.search.storage.filters import Filter
from foretell.search.storage.hnsw import Level
from foretell.search.storage.protocol import Record
from foretell.search.storage.sqlite.search import K

MOST_SEARCHED = 32
"""The most knowledges of one search."""

Seen: TypeAlias = Callable[[Knowledge], np.ndarray]
"""The pixels that the model of a knowledge sees of the file of a query."""
Way: TypeAlias = Literal["own", "cosine", "rerank", "rank"]
"""How the scores of several knowledges were made comparable."""
WAYS: dict[Way, str] = {
    "own": "those of the one knowledge",
    "cosine": "cosines of one model, −1 to 1: comparable over all knowledges",
    "rerank": "of one reranker that read each passage with the query, and of the search, in equal parts",
    "rank": "1 / (60 + rank in its own knowledge), because the knowledges' own scores have different scales",
}
"""Way -> what the scores are."""


@dataclass(frozen=True)
class KnowledgeHit(Hit):
    """An entry that a search of several knowledges found. Its `score` can be compared with all others of the search."""

    knowledge: str = ""
    """The name of its knowledge."""
    contract_id: str = ""


@dataclass(frozen=True)
class SeveralHits:
    """The results of several knowledges, best first."""

    way: Way
    hits: Sequence[KnowledgeHit]

    @property
    def scores(self) -> str:
        """What the scores are, in words."""
        return WAYS[self.way]


def search_several(
    knowledges: Sequence[Knowledge],
    query: str | Path | bytes,
    top: int = 10,
    *,
    level: Level = 2,
    filter: Filter | None = None,
    rerank: bool | str = False,
    read: int = READ_USUAL,
    hybrid: bool = False,
    imagine: Mapping[str, float] | None = None,
) -> SeveralHits:
    """Find the entries of several knowledges that are nearest in meaning.

    Args:
        knowledges: 1 to 32 opened knowledges. All must be able to answer the query.
        query: a `str` is a text, a `Path` is a file of a photograph or a video, and bytes are a photograph.
        top: how many results in all.
        level: as of `Knowledge.search`.
        filter: as of `Knowledge.search`; an entry without the field is not found.
        rerank: as of `Knowledge.search`; one reranker reads the best results of all knowledges together.
        read: as of `Knowledge.search`, of all knowledges together.
        hybrid: as of `Knowledge.search`.
        imagine: as of `Knowledge.search`.

    Raises:
        ForetellError: as `Knowledge.search`; the message names the knowledge.
    """
    top = check_top(top, level)
    if not rerank:
        return find_in_several(knowledges, query, top, level=level, filter=filter, hybrid=hybrid, imagine=imagine)
    check_readable(knowledges)
    check_range("read", read, READ)
    deep = depth(top, read)
    found = find_in_several(knowledges, query, deep, level=level, filter=filter, hybrid=hybrid, imagine=imagine)
    scores = partial(reranking.scores, name=rerank) if isinstance(rerank, str) else reranking.scores
    return SeveralHits("rerank", reranked(str(query), found.hits, top, read, scores))


def find_in_several(
    knowledges: Sequence[Knowledge],
    query: str | Path | bytes | Seen,
    top: int,
    *,
    level: Level = 2,
    filter: Filter | None = None,
    hybrid: bool = False,
    imagine: Mapping[str, float] | None = None,
) -> SeveralHits:
    """As `search_several`, without a reranker. A query may also be what each knowledge's model sees of a file."""
    several = list({each.collection.contract_id: each for each in knowledges}.values())
    if not 1 <= len(several) <= MOST_SEARCHED:
        raise ForetellError(f"there are {len(several)} knowledges, expected 1 to {MOST_SEARCHED}")
    records = [each.collection.record() for each in several]
    same = _one_model(records)
    vector = _vector(several[0], query) if same and not (hybrid or imagine) else None
    found: list[KnowledgeHit] = []
    for knowledge, record in zip(several, records, strict=True):
        try:
            own = query(knowledge) if callable(query) else query
            _check_query(knowledge, own)
            if vector is None:
                hits = knowledge.search(own, top, level=level, filter=filter, hybrid=hybrid, imagine=imagine)
            else:
                hits = knowledge.query(vector, top, level=level, filter=filter)
        except ForetellError as error:
            if type(error) is not ForetellError or error.__cause__ is not None:
                raise
            raise ForetellError(f"{record.name}: {error}") from None
        found += [_placed(hit, record) for hit in hits]
    if len(several) == 1:
        return SeveralHits("own", found)
    if same and not hybrid:
        return SeveralHits("cosine", sorted(found, key=lambda hit: -hit.score)[:top])
    return SeveralHits("rank", _fused(found, same)[:top])


def check_readable(knowledges: Sequence[Knowledge]) -> None:
    """Check that a reranker can read the entries. Raises ForetellError where a knowledge contains no texts."""
    for each in knowledges:
        if each.model.kind != "text":
            name = each.collection.record().name
            raise ForetellError(f"{name} contains {each.model.of}, without words to rerank: leave rerank out")


def _one_model(records: Sequence[Record]) -> bool:
    """Whether one model embedded all; a knowledge without entries has no part in this."""
    prints = {record.fingerprint for record in records} - {None}
    return len({record.model for record in records}) == 1 and len(prints) <= 1


def _vector(knowledge: Knowledge, query: object) -> Float32[np.ndarray, " D"] | None:
    """The vector of a text, which is embedded once for all knowledges of texts; None for any other search."""
    model = knowledge.model
    return model.query(query) if model.kind == "text" and isinstance(query, str) else None


def _check_query(knowledge: Knowledge, query: object) -> None:
    """Refuse a text where only files are compared: a service must not take it for a path of its machine."""
    model = knowledge.model
    if isinstance(query, str) and model.kind != "text" and not model.words:
        raise ForetellError(f"this knowledge contains {model.of}, and its model knows no words: ask with a file")
    if not isinstance(query, str) and model.kind == "text":
        raise ForetellError(f"this knowledge contains texts ({model.name}): ask with a text")


def _placed(hit: Hit, record: Record) -> KnowledgeHit:
    return KnowledgeHit(**vars(hit), knowledge=record.name, contract_id=record.contract_id)


def _fused(found: Sequence[KnowledgeHit], same: bool) -> Sequence[KnowledgeHit]:
    """Results by their rank in their own knowledge. Of equal ranks the nearer is first, where one model tells it."""
    seen: dict[str, int] = {}
    ranked: list[KnowledgeHit] = []
    for hit in found:
        rank = seen[hit.contract_id] = seen.get(hit.contract_id, 0) + 1
        score = 1 / (K + rank)
        ranked.append(replace(hit, score=score, scores=hit.scores | {"rank": score}))
    return sorted(ranked, key=lambda hit: (-hit.score, -hit.scores.get("vector", -1.0) if same else 0))
