"""The knowledges that a visitor may read, and a search in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from foretell.app.found import contents, hit_told
from foretell.app.frame import shown
from foretell.search.serve.call import Call
from foretell.search.several import MOST_SEARCHED, SeveralHits, find_in_several
from foretell.search.storage.protocol import About

SEARCHED = 10
"""Results of a search."""

router = APIRouter()


@router.get("/knowledge")
async def every(
    request: Request,
    q: Annotated[str, Query(max_length=10_000)] = "",
    chosen: Annotated[list[Annotated[str, Query(max_length=200)]] | None, Query(alias="in")] = None,
    hybrid: bool = False,
) -> Response:
    """List the knowledges, and search them at once."""
    call = Call(request)
    abouts = await call.search(lambda: call.library.visible(call.caller))
    asked: dict[str, Any] = {"q": q.strip(), "chosen": chosen or [], "hybrid": hybrid}
    if not asked["q"]:
        return shown(request, "knowledges", abouts=abouts, results=None, left_out=[], **asked)
    searched, left_out, found = await call.search(lambda: _found(call, abouts, asked))
    results = [hit_told(hit, hit.contract_id, hit.knowledge) for hit in found.hits]
    told = {"results": results, "scores": found.scores, "searched": len(searched), "left_out": left_out}
    return shown(request, "knowledges", abouts=abouts, **told, **asked)


def _found(
    call: Call, abouts: Sequence[About], asked: dict[str, Any]
) -> tuple[Sequence[About], Sequence[str], SeveralHits]:
    """The knowledges that were searched, the names of those that were left out, and the results."""
    wanted = [each for each in abouts if not asked["chosen"] or each.contract_id in asked["chosen"]]
    opened = [(each, call.find(each.contract_id)) for each in wanted]
    able = [(each, knowledge) for each, knowledge in opened if contents(knowledge).words][:MOST_SEARCHED]
    searched = [each for each, _ in able]
    left_out = [each.name for each in wanted if each not in searched]
    if not able:
        return [], left_out, SeveralHits("own", [])
    hybrid = asked["hybrid"] and all(contents(knowledge).kind == "text" for _, knowledge in able)
    found = find_in_several([knowledge for _, knowledge in able], asked["q"], SEARCHED, hybrid=hybrid)
    return searched, left_out, found
