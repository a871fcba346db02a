"""Make, describe and remove knowledges."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import Request, Response

from foretell.http.json import Json
from foretell.search.serve.api.answers import Knowledges
from foretell.search.serve.api.bodies import KnowledgeChange, KnowledgeName, NewKnowledge
from foretell.search.serve.api.router import api_router
from foretell.search.serve.call import Call
from foretell.search.storage.protocol import About

router = api_router()


@router.get("/knowledge", response_model=Knowledges)
async def every(request: Request) -> Json:
    """List the knowledges that the caller may read."""
    call = Call(request)
    abouts = await call.search(lambda: call.library.visible(call.caller))
    return Json({"knowledge": [asdict(about) for about in abouts]})


@router.post("/knowledge", status_code=201, response_model=About)
async def create(request: Request, body: NewKnowledge) -> Json:
    """Make an empty knowledge. With a model that is not known here, it takes only vectors."""
    call = Call(request)
    made = await call.write(lambda: call.library.create(call.caller, **body.model_dump()).about)
    return Json(asdict(made), 201)


@router.get("/knowledge/{name}", response_model=About)
async def show(request: Request, name: KnowledgeName) -> Json:
    """Show the description of a knowledge."""
    call = Call(request)
    return Json(asdict(await call.search(lambda: call.find(name).about)))


@router.patch("/knowledge/{name}", response_model=About)
async def change(request: Request, name: KnowledgeName, body: KnowledgeChange) -> Json:
    """Change the description of a knowledge."""
    call = Call(request)
    changed = await call.write(lambda: call.find(name, write=True).describe(**body.model_dump()))
    return Json(asdict(changed))


@router.delete("/knowledge/{name}", status_code=204)
async def remove(request: Request, name: KnowledgeName) -> Response:
    """Delete a knowledge with everything in it, for ever."""
    call = Call(request)
    await call.write(lambda: call.library.remove(call.caller, name))
    return Response(status_code=204)
