"""Search in several knowledges with one request."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, Field

from foretell.http.json import Json
from foretell.search.serve.api.answers import content
from foretell.search.serve.api.bodies import Search
from foretell.search.serve.api.router import api_router
from foretell.search.serve.api.search import _query
from foretell.search.serve.call import Call
from foretell.search.several import MOST_SEARCHED, KnowledgeHit, Way, search_several

router = api_router()


class SearchSeveral(Search):
    """A search of several knowledges."""

    knowledges: Annotated[
        list[Annotated[str, Field(max_length=200)]],
        Field(min_length=1, max_length=MOST_SEARCHED, description="contract ids, or names of your own knowledges"),
    ]


class SeveralAnswer(BaseModel):
    """The results of several knowledges, best first."""

    results: list[KnowledgeHit]
    way: Way
    """How the scores were made comparable."""
    scores: str
    """What the scores are, in words."""


@router.post("/search", response_model=SeveralAnswer)
async def search(request: Request, body: SearchSeveral) -> Json:
    """Find entries of several knowledges by meaning; their scores are comparable, and `scores` says why."""
    call = Call(request)

    def run() -> dict[str, Any]:
        knowledges = [call.find(name) for name in body.knowledges]
        with _query(knowledges[0], body) as query:  # `search_several` checks it for the others
            found = search_several(
                knowledges,
                query,
                body.top,
                level=body.level,
                filter=body.filter,
                rerank=body.rerank and call.library.reranker,
                hybrid=body.hybrid,
                imagine=body.imagine,
            )
        return {"results": [content(hit) for hit in found.hits], "way": found.way, "scores": found.scores}

    return Json(await call.work.search(run))
