"""Search in several knowledges with one request."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np
from fastapi import Request
from pydantic import BaseModel, Field

from foretell.http.json import Json
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api.answers import HitOut, content
from foretell.search.serve.api.bodies import Search
from foretell.search.serve.api.router import api_router
from foretell.search.serve.api.search import only, pixels
from foretell.search.serve.call import Call
from foretell.search.several import MOST_SEARCHED, SeveralHits, Way, check_readable, find_in_several
from foretell.search.storage.hnsw import SCAN

router = api_router()


class SearchSeveral(Search):
    """A search of several knowledges."""

    knowledges: Annotated[
        list[Annotated[str, Field(max_length=200)]],
        Field(min_length=1, max_length=MOST_SEARCHED, description="contract ids, or names of your own knowledges"),
    ]


class KnowledgeHitOut(HitOut):
    """An entry that a search of several knowledges found."""

    knowledge: str
    contract_id: str


class SeveralAnswer(BaseModel):
    """The results of several knowledges, best first."""

    results: list[KnowledgeHitOut]
    way: Way
    """How the scores were made comparable."""
    scores: str
    """What the scores are, in words."""
    unread: int | None = None
    """With rerank: how many of the results the reranker did not read."""


@router.post("/search", response_model=SeveralAnswer)
async def search(request: Request, body: SearchSeveral) -> Json:
    """Find entries of several knowledges by meaning; their scores are comparable, and `scores` says why.

    `rerank` and `unread` are as in a search of one knowledge.
    """
    call = Call(request)
    seen = {} if only(body) == "query" else await _seen(call, body)

    def run() -> SeveralHits:
        knowledges = {name: call.find(name) for name in body.knowledges}
        if body.rerank:
            check_readable([*knowledges.values()])
        own = {each.collection.contract_id: seen[name] for name, each in knowledges.items() if name in seen}

        def of(knowledge: Knowledge) -> np.ndarray:
            return own[knowledge.collection.contract_id]

        return find_in_several(
            [*knowledges.values()],
            of if seen else body.query or "",
            call.depth(body.top, body.rerank),
            level=SCAN if body.exact else body.level,
            filter=body.filter,
            hybrid=body.hybrid,
            imagine=body.imagine,
        )

    found, unread = await call.search(run), {}
    if body.rerank:
        hits = await call.rerank(body.query or "", found.hits, body.top)
        found, unread = SeveralHits("rerank", hits), {"unread": sum("rerank" not in hit.scores for hit in hits)}
    told = {"results": [content(hit, hit.contract_id) for hit in found.hits], "way": found.way, "scores": found.scores}
    return Json(told | unread)


async def _seen(call: Call, body: SearchSeveral) -> dict[str, np.ndarray]:
    """What the model of each knowledge sees of the query's file, which is decoded once for each model."""
    of_model: dict[str, np.ndarray] = {}
    seen: dict[str, np.ndarray] = {}
    for name in body.knowledges:
        model = await call.search(partial(_model, call, name))
        if model not in of_model:
            of_model[model] = await pixels(call, name, body)
        seen[name] = of_model[model]
    return seen


def _model(call: Call, name: str) -> str:
    return call.find(name).model.name
