"""List, add and remove files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from foretell.errors import ForetellError
from foretell.http.gate import FORM
from foretell.http.json import Json, dumps
from foretell.http.refusal import Refused
from foretell.http.work import unless_left
from foretell.search.add import Added, AddProgress, Guard, steps
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api.answers import AddedOut, Files
from foretell.search.serve.api.bodies import FileName, KnowledgeName
from foretell.search.serve.api.router import api_router
from foretell.search.serve.api.uploads import Upload, check_name, form_file, receive
from foretell.search.serve.call import Call
from foretell.search.serve.errors import refused

LINES = "application/x-ndjson"
FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""OpenAPI's description of a body that is a file."""
FORM_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}}
        },
    }
}
"""OpenAPI's description of a form with a file."""
TextColumn = Annotated[
    Annotated[str, Field(max_length=200)] | None, Query(description="the column to search, of tables and records")
]

router = api_router()


@router.get("/knowledge/{name}/files", response_model=Files)
async def files(request: Request, name: KnowledgeName) -> Json:
    """List the files that were added, by name."""
    call = Call(request)
    found = await call.search(lambda: call.find(name).files())
    return Json({"files": [asdict(file) for file in found]})


@router.delete("/knowledge/{name}/files/{file:path}", status_code=204)
async def forget(request: Request, name: KnowledgeName, file: FileName) -> Response:
    """Delete the entries of a file, by its name as the list gives it."""
    call = Call(request)

    def run() -> None:
        knowledge = call.find(name, write=True)
        known = {name for each in knowledge.files() for name in (each.name, PurePosixPath(each.name).name)}
        if file not in known:
            raise Refused(404, f"no file {file!r:.80} was added here")
        knowledge.remove_file(file)

    await call.write(run)
    return Response(status_code=204)


@router.put("/knowledge/{name}/files/{file}", response_model=AddedOut, openapi_extra=FILE_BODY)
async def add(request: Request, name: KnowledgeName, file: FileName, text: TextColumn = None) -> Response:
    """Add a file, as the body of the request, or as a form with one file. It replaces an earlier file of its name.

    With `Accept: application/x-ndjson` the answer reports progress, one line of JSON for each step:
    `{"fraction": 0.5}`. The last line is `{"added": …}` or `{"error": "…"}`. A client that leaves stops the work.
    """
    call = Call(request)
    # not `call.search`, which reads on to see whether the client leaves: the body comes later
    knowledge = await call.work.search(lambda: call.find(name, write=True))
    await call.work.search(lambda: check_name(knowledge, file))
    try:
        upload = await receive(request, request.app.state.incoming, file)
    finally:
        await request.close()  # the temporary file of a form
    return await _added(request, call, knowledge, upload, text)


@router.post("/knowledge/{name}/files", response_model=AddedOut, openapi_extra=FORM_BODY)
async def post(request: Request, name: KnowledgeName, text: TextColumn = None) -> Response:
    """Add the file of a form, as `curl -F file=@paper.pdf` sends it. Otherwise as PUT."""
    call = Call(request)
    knowledge = await call.work.search(lambda: call.find(name, write=True))
    if not request.headers.get("content-type", "").startswith(FORM):
        raise Refused(415, f"expected a form with a file ({FORM}), or PUT …/files/NAME with the file as the body")
    try:
        file = (await form_file(request)).filename or ""
        await call.work.search(lambda: check_name(knowledge, file))
        upload = await receive(request, request.app.state.incoming, file)
    finally:
        await request.close()  # the temporary file of the form
    return await _added(request, call, knowledge, upload, text)


async def _added(request: Request, call: Call, knowledge: Knowledge, upload: Upload, text: str | None) -> Response:
    added, guard = Added(), call.readers.guard()
    progress = call.work.steps(lambda: _add(knowledge, upload, added, text, guard), upload.remove, call.who)
    if LINES in request.headers.get("accept", ""):
        return StreamingResponse(_lines(progress, upload, added), media_type=LINES)
    await unless_left(request.receive, _ended(progress))
    outcome = upload.outcome(added)
    if not added.files + added.unchanged:
        raise Refused(400, "; ".join(reason for _, reason in outcome["skipped"]) or f"{upload.name} could not be used")
    return Json(outcome)


def _add(
    knowledge: Knowledge, upload: Upload, added: Added, text: str | None, guard: Guard
) -> Generator[AddProgress, None, None]:
    """Add an upload, and remove its file at the end; `added` is filled on the way."""
    try:
        base = upload.path.parent
        yield from steps(knowledge.collection, knowledge.model, [upload.path], added, text, base=base, guard=guard)
        knowledge.collection.build_behind()
    finally:
        upload.remove()


async def _ended(progress: AsyncIterator[AddProgress]) -> None:
    async for _ in progress:
        pass


async def _lines(progress: AsyncIterator[AddProgress], upload: Upload, added: Added) -> AsyncIterator[bytes]:
    """The progress as lines of JSON."""
    try:
        async for step in progress:
            yield dumps({"fraction": round(step.fraction, 4)}) + b"\n"
        yield dumps({"added": upload.outcome(added)}) + b"\n"
    except ForetellError as error:
        yield dumps({"error": str(refused(error))}) + b"\n"
