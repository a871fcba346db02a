"""Read, add, change and delete single entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Request, Response

from foretell.errors import ForetellError
from foretell.http.json import Json
from foretell.http.refusal import Refused
from foretell.search.entries import Entry
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api.answers import Entries, EntryOut, Ids, entry_content
from foretell.search.serve.api.bodies import BATCH, ID, EntryChange, EntryId, KnowledgeName, NewEntries
from foretell.search.serve.api.router import api_router
from foretell.search.serve.call import Call

FRESH = 3600
"""Seconds for which a browser keeps a small picture."""
THUMBNAIL: dict[int | str, dict[str, Any]] = {200: {"content": {"image/webp": {}}}}

router = api_router()


@router.get("/knowledge/{name}/entries", response_model=Entries)
async def entries(
    request: Request,
    name: KnowledgeName,
    start: Annotated[int, Query(ge=0, le=ID, description="the first id")] = 0,
    limit: Annotated[int, Query(ge=1, le=BATCH)] = 100,
    vectors: Annotated[bool, Query(description="with their vectors")] = False,
) -> Json:
    """List entries by id."""
    call = Call(request)
    found = await call.search(lambda: call.find(name).entries(start, limit + 1))
    after = found[limit].id if len(found) > limit else None
    return Json({"entries": [entry_content(each, name, vector=vectors) for each in found[:limit]], "next": after})


@router.post("/knowledge/{name}/entries", status_code=201, response_model=Ids)
async def insert(request: Request, name: KnowledgeName, body: NewEntries) -> Json:
    """Add entries, all or none. They are on the disk before this answers."""
    call = Call(request)

    def run() -> Sequence[int]:
        knowledge = call.find(name, write=True)
        texts = [each.text for each in body.entries]
        metadata = [each.metadata for each in body.entries]
        vectors = [each.vector for each in body.entries if each.vector is not None]
        if not vectors:
            return knowledge.insert(texts, metadata)
        if len(vectors) < len(texts):
            raise Refused(400, "some entries have a vector and some have none: send them in two requests")
        return knowledge.insert_vectors(vectors, metadata, texts)

    return Json({"ids": await call.write(run)}, 201)


@router.get("/knowledge/{name}/entries/{id}", response_model=EntryOut)
async def entry(request: Request, name: KnowledgeName, id: EntryId) -> Json:
    """Show one entry, with its vector."""
    call = Call(request)
    found = await call.search(lambda: _fetch(call.find(name), id))
    return Json(entry_content(found, name, vector=True))


@router.get("/knowledge/{name}/entries/{id}/thumbnail", response_class=Response, responses=THUMBNAIL)
async def thumbnail(request: Request, name: KnowledgeName, id: EntryId) -> Response:
    """Show the small picture of an entry: of a photograph, or of some frames of a clip, side by side."""
    call = Call(request)

    def run() -> bytes | None:
        knowledge = call.find(name)
        return knowledge.collection.thumbnails([_fetch(knowledge, id).id]).get(id)

    if (file := await call.search(run)) is None:
        raise Refused(404, f"entry {id} has no small picture")
    return Response(file, headers={"Cache-Control": f"private, max-age={FRESH}"}, media_type="image/webp")


@router.patch("/knowledge/{name}/entries/{id}", response_model=EntryOut)
async def edit(request: Request, name: KnowledgeName, id: EntryId, body: EntryChange) -> Json:
    """Change an entry. A new text is embedded, unless its vector comes with it."""
    call = Call(request)

    def run() -> Entry:
        knowledge = call.find(name, write=True)
        _fetch(knowledge, id)
        knowledge.update(id, **body.model_dump())
        return _fetch(knowledge, id)

    return Json(entry_content(await call.write(run), name, vector=True))


@router.delete("/knowledge/{name}/entries/{id}", status_code=204)
async def delete(request: Request, name: KnowledgeName, id: EntryId) -> Response:
    """Delete an entry."""
    call = Call(request)

    def run() -> None:
        if not call.find(name, write=True).delete([id]):
            raise Refused(404, f"there is no entry {id}")

    await call.write(run)
    return Response(status_code=204)


def _fetch(knowledge: Knowledge, id: int) -> Entry:
    try:
        return knowledge.fetch([id])[0]
    except ForetellError as error:
        raise Refused(404, str(error)) from None
