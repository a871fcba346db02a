"""The page of a knowledge: its description, its first entries, a search, and how programs retrieve from it."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from foretell.app import session
from foretell.app.found import Holdings, contents, entry_told, hit_told, may_change
from foretell.app.frame import sent_bytes, shown
from foretell.app.snippets import snippets
from foretell.http.refusal import Refused
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api.bodies import KnowledgeName, Search
from foretell.search.serve.api.search import found as search
from foretell.search.serve.api.search import unread
from foretell.search.serve.call import Call

FIRST = 4
"""First entries on the page."""
FILES = 50
"""Files on the page."""
TOP = 10
DONE = {
    "made": "The knowledge was made. Add files to it now.",
    "changed": "The change is saved.",
    "added": "The file was added.",
    "same": "A file with this content was here already: nothing was added.",
    "deleted": "It was deleted.",
}
"""What a form has done -> the sentence."""

router = APIRouter()


@router.get("/knowledge/{name}")
async def page(
    request: Request,
    name: KnowledgeName,
    q: Annotated[str, Query(max_length=10_000)] = "",
    hybrid: bool = False,
    rerank: bool = False,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a knowledge, and what a search in it finds."""
    call, q = Call(request), q.strip()
    told = await call.search(lambda: _told(call, request, name, q))
    if q:
        holds: Holdings = told["holds"]
        if not holds.words:
            raise Refused(400, f"this knowledge contains {holds.of}, and its model knows no words: ask with a picture")
        body = Search(query=q, top=TOP, hybrid=hybrid and holds.kind == "text", rerank=rerank and holds.kind == "text")
        hits = await search(call, name, body)
        told["results"] = [hit_told(hit, told["about"].contract_id) for hit in hits]
        told["unread"] = unread(hits) if body.rerank else 0
    return shown(request, "knowledge", q=q, hybrid=hybrid, rerank=rerank, done=DONE.get(done, ""), **told)


@router.post("/knowledge/{name}")
async def asked_with_file(request: Request, name: KnowledgeName) -> Response:
    """Search by a picture or a video."""
    await session.check_form(request)
    call = Call(request)
    file, asked = await sent_bytes(request, "picture", "a picture or a video of at most {} MB: choose one")
    told = await call.search(lambda: _told(call, request, name, ""))
    field = "video" if asked.lower().endswith(tuple(told["holds"].films)) else "image"
    body = Search.model_validate({field: b64encode(file).decode(), "top": TOP})
    hits = await search(call, name, body)
    told["results"] = [hit_told(hit, told["about"].contract_id) for hit in hits]
    told["asked_with"] = asked
    return shown(request, "knowledge", q="", hybrid=False, rerank=False, done="", **told)


def _told(call: Call, request: Request, name: str, query: str) -> dict[str, Any]:
    """What the template tells of a knowledge."""
    knowledge = call.find(name)
    about, holds = knowledge.about, contents(knowledge)
    entries, files = knowledge.entries(0, FIRST), knowledge.files()
    return {
        "about": about,
        "holds": holds,
        "entries": [entry_told(each, about.contract_id) for each in entries],
        "files": files[:FILES],
        "more_files": max(0, len(files) - FILES),
        "may_change": may_change(call, about),
        "snippets": snippets(request, about, holds, query, example(knowledge, holds)),
        "results": None,
        "unread": 0,
        "asked_with": "",
    }


def example(knowledge: Knowledge, holds: Holdings) -> list[float] | None:
    """A vector to ask with, where a knowledge takes nothing else."""
    entries = knowledge.entries(0, 1) if holds.kind == "vectors" else []
    return [round(float(number), 4) for number in entries[0].vector] if entries else None
