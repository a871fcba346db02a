"""Forms that write: make, describe and delete a knowledge, add and remove files, change and delete entries."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from foretell.app import session
from foretell.app.door import check_writes
from foretell.app.entry import fetch
from foretell.app.frame import field, gone_to, part, shown
from foretell.http.refusal import Refused
from foretell.search.models.text import DEFAULT, SPECS
from foretell.search.serve.api import files
from foretell.search.serve.api.bodies import EntryId, KnowledgeName
from foretell.search.serve.call import Call
from foretell.shipped import models

router = APIRouter()


@router.get("/knowledge/new")
async def new(request: Request) -> Response:
    """Ask for what a new knowledge is to be."""
    check_writes(Call(request))
    return shown(request, "new", texts=sorted(SPECS, key=lambda name: name != DEFAULT), media=models())


@router.post("/knowledge")
async def create(request: Request) -> Response:
    """Make a knowledge."""
    call, form = Call(request), await _form(request)
    texts = {name: field(form, name) for name in ("title", "description", "category")}
    name, model = field(form, "name", 200), field(form, "model", 200) or DEFAULT
    if not name:
        raise Refused(400, "the name is empty, expected 1 to 200 characters")
    public = "public" in form
    made = await call.write(lambda: call.library.create(call.caller, name, model=model, public=public, **texts).about)
    return gone_to(f"{_path(made.contract_id)}?done=made")


@router.post("/knowledge/{name}/about")
async def describe(request: Request, name: KnowledgeName) -> Response:
    """Change the description of a knowledge."""
    call, form = Call(request), await _form(request)
    texts: dict[str, Any] = {each: field(form, each) for each in ("title", "description", "category")}
    await call.write(lambda: call.find(name, write=True).describe(**texts, public="public" in form))
    return gone_to(f"{_path(name)}?done=changed")


@router.post("/knowledge/{name}/delete")
async def remove(request: Request, name: KnowledgeName) -> Response:
    """Delete a knowledge, if its name was typed."""
    call, form = Call(request), await _form(request)
    typed = field(form, "typed", 200)

    def run() -> None:
        own = call.find(name, write=True).about.name
        if typed != own:
            raise Refused(400, f"the name typed is {typed!r:.80}, expected {own!r:.80}: nothing was deleted")
        call.library.remove(call.caller, name)

    await call.write(run)
    return gone_to("/knowledge")


@router.post("/knowledge/{name}/files")
async def add(request: Request, name: KnowledgeName) -> Response:
    """Add a file. A script of the page asks for the progress, line by line; without it the page comes at the end."""
    await session.check_form(request)
    response = await files.post(request, name)
    if files.LINES in request.headers.get("accept", ""):
        return response
    return gone_to(f"{_path(name)}?done=added#files")


@router.post("/knowledge/{name}/files/delete")
async def forget(request: Request, name: KnowledgeName) -> Response:
    """Remove a file with its entries."""
    form = await _form(request)
    await files.forget(request, name, field(form, "file", 1000))
    return gone_to(f"{_path(name)}?done=deleted#files")


@router.post("/knowledge/{name}/entries/{id}")
async def edit(request: Request, name: KnowledgeName, id: EntryId) -> Response:
    """Change the text of an entry. It is embedded again."""
    call, form = Call(request), await _form(request)
    text = field(form, "text", 1_000_000)
    if not text:
        raise Refused(400, "the text is empty: write one, or delete the entry")

    def run() -> None:
        knowledge = call.find(name, write=True)
        fetch(knowledge, id)
        knowledge.update(id, text=text)

    await call.write(run)
    return gone_to(f"{_path(name)}/entries/{id}")


@router.post("/knowledge/{name}/entries/{id}/delete")
async def delete(request: Request, name: KnowledgeName, id: EntryId) -> Response:
    """Delete an entry."""
    call = Call(request)
    await _form(request)

    def run() -> None:
        if not call.find(name, write=True).delete([id]):
            raise Refused(404, f"there is no entry {id}")

    await call.write(run)
    return gone_to(f"{_path(name)}?done=deleted")


async def _form(request: Request) -> Any:
    """The fields of a form of the visitor's own. Raises Refused."""
    await session.check_form(request)
    check_writes(Call(request))
    return await request.form(max_files=0, max_fields=100)


def _path(name: str) -> str:
    return f"/knowledge/{part(name)}"
