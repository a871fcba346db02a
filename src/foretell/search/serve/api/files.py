"""List, add and remove files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from foretell.errors import ForetellError
from foretell.http.json import Json, dumps
from foretell.http.refusal import Refused
from foretell.search.add import Added, AddProgress, steps
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api.answers import AddedOut, Files
from foretell.search.serve.api.bodies import FileName, KnowledgeName
from foretell.search.serve.api.router import api_router
from foretell.search.serve.api.uploads import Upload, check_name, receive
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

router = api_router()


@router.get("/knowledge/{name}/files", response_model=Files)
async def files(request: Request, name: KnowledgeName) -> Json:
    """List the files that were added, by name."""
    call = Call(request)
    found = await call.work.search(lambda: call.find(name).files())
    return Json({"files": [asdict(file) for file in found]})


@router.delete("/knowledge/{name}/files/{file}", status_code=204)
async def forget(request: Request, name: KnowledgeName, file: FileName) -> Response:
    """Delete the entries of a file."""
    call = Call(request)

    def run() -> None:
        knowledge = call.find(name, write=True)
        if file not in {each.name for each in knowledge.files()}:
            raise Refused(404, f"no file {file!r:.80} was added here")
        knowledge.remove_file(file)

    await call.work.write(run)
    return Response(status_code=204)


@router.put("/knowledge/{name}/files/{file}", response_model=AddedOut, openapi_extra=FILE_BODY)
async def add(
    request: Request,
    name: KnowledgeName,
    file: FileName,
    text: Annotated[
        Annotated[str, Field(max_length=200)] | None, Query(description="the column to search, of tables and records")
    ] = None,
) -> Response:
    """Add a file, as the body of the request. It replaces an earlier file of the same name.

    With `Accept: application/x-ndjson` the answer reports progress, one line of JSON for each step:
    `{"fraction": 0.5}`. The last line is `{"added": …}` or `{"error": "…"}`. A client that leaves stops the work.
    """
    call = Call(request)
    knowledge = await call.work.search(lambda: call.find(name, write=True))
    await call.work.search(lambda: check_name(knowledge, file))
    upload = await receive(request, call.library.store.incoming, file)
    added = Added()
    progress = call.work.steps(lambda: _add(knowledge, upload, added, text), upload.remove)
    if LINES in request.headers.get("accept", ""):
        return StreamingResponse(_lines(progress, upload, added), media_type=LINES)
    async for _ in progress:
        pass
    outcome = upload.outcome(added)
    if not added.files + added.unchanged:
        raise Refused(400, "; ".join(reason for _, reason in outcome["skipped"]) or f"{file} could not be used")
    return Json(outcome)


def _add(knowledge: Knowledge, upload: Upload, added: Added, text: str | None) -> Iterator[AddProgress]:
    """Add an upload, and remove its file at the end; `added` is filled on the way."""
    try:
        yield from steps(knowledge.collection, knowledge.model, [upload.path], added, text, base=upload.path.parent)
        knowledge.collection.build_behind()
    finally:
        upload.remove()


async def _lines(progress: AsyncIterator[AddProgress], upload: Upload, added: Added) -> AsyncIterator[bytes]:
    """The progress as lines of JSON."""
    try:
        async for step in progress:
            yield dumps({"fraction": round(step.fraction, 4)}) + b"\n"
        yield dumps({"added": upload.outcome(added)}) + b"\n"
    except ForetellError as error:
        yield dumps({"error": str(refused(error))}) + b"\n"
