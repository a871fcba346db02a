"""The service's own API, under /api/v1.

A knowledge is named by its contract id, or by its name where it is of the caller's key.
"""

from __future__ import annotations

import binascii
import os
import shutil
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath
from fastapi import Query as InQuery
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from foretell.errors import ForetellError
from foretell.search import ingest
from foretell.search.add import Added, Step, steps
from foretell.search.entries import Entry, Hit
from foretell.search.knowledge import Knowledge
from foretell.search.models.text import DEFAULT
from foretell.search.serve.library import Library
from foretell.search.serve.refusal import Json, Refused, dumps, refused
from foretell.search.serve.route import Route
from foretell.search.serve.work import Work
from foretell.search.storage.filters import Value
from foretell.search.storage.protocol import About, AddedFile, Key

TOP = 1000
FEW = 100  # results, which are read in no time
BATCH = 1000
NUMBERS = 65_536  # of a vector
ID = 2**63 - 1
NAME = 255  # bytes of a file's name, as file systems hold them


class Body(BaseModel):
    """What is sent: of exactly these names and kinds, so that a slip is noticed."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


Short = Annotated[str, Field(max_length=200)]
Long = Annotated[str, Field(max_length=100_000)]
Numbers = Annotated[list[float], Field(min_length=1, max_length=NUMBERS)]


class Create(Body):
    """A new knowledge."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    title: Long = ""
    description: Long = ""
    category: Long = ""
    model: Annotated[str, Field(min_length=1, max_length=200, description="what embeds it")] = DEFAULT
    public: Annotated[bool, Field(description="whether everyone may read it, without a key")] = False


class Change(Body):
    """What a knowledge is to say of itself; what is missing stays."""

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    title: Long | None = None
    description: Long | None = None
    category: Long | None = None
    public: bool | None = None


class Asked(Body):
    """What searches have in common."""

    top: Annotated[int, Field(ge=1, le=TOP, description="how many results at most")] = 10
    level: Annotated[int, Field(ge=0, le=4, description="how hard to look; matters in large knowledges")] = 2
    filter: Annotated[
        dict[str, Any] | None,
        Field(description='conditions on metadata: {"lang": ["en", "de"], "year": {">=": 2020}}'),
    ] = None


class Search(Asked):
    """A search by a text, by a photograph or by a video."""

    query: Annotated[str | None, Field(max_length=10_000)] = None
    image: Annotated[str | None, Field(description="the file of a photograph, in base64")] = None
    video: Annotated[str | None, Field(description="the file of a video, in base64")] = None
    imagine: Annotated[
        dict[str, float] | None, Field(description='look for it as a world model imagines it: {"brightness": 0.6}')
    ] = None
    rerank: Annotated[bool, Field(description="let the reranker of this service read the best and sort them")] = False
    hybrid: Annotated[bool, Field(description="also look for the query's words")] = False


class Vector(Asked):
    """A search by a vector."""

    vector: Numbers


class New(Body):
    """An entry to be added: its text is embedded where there is no vector."""

    text: Annotated[str, Field(max_length=1_000_000)] = ""
    vector: Numbers | None = None
    metadata: dict[str, str | int | float | bool] = {}


class Insert(Body):
    """Entries to be added: all with a vector, or none."""

    entries: Annotated[list[New], Field(min_length=1, max_length=BATCH)]


class Edit(Body):
    """What an entry is to be; what is missing stays."""

    text: Annotated[str | None, Field(max_length=1_000_000)] = None
    vector: Numbers | None = None
    metadata: dict[str, str | int | float | bool] | None = None


class Problem(BaseModel):
    """Why a request is refused (RFC 9457)."""

    title: str
    status: int
    detail: str


class Every(BaseModel):
    """Knowledges."""

    knowledge: list[About]


class Results(BaseModel):
    """What a search found, best first."""

    results: list[Hit]


class EntryOut(BaseModel):
    """An entry."""

    id: int
    key: str
    text: str
    page: int | None
    time: tuple[float, float] | None
    metadata: dict[str, Value]
    vector: list[float] | None = None


class Entries(BaseModel):
    """Entries by id; `next` is where to go on, null at the end."""

    entries: list[EntryOut]
    next: int | None


class Ids(BaseModel):
    """Of the entries that were added."""

    ids: list[int]


class Files(BaseModel):
    """Files that were added."""

    files: list[AddedFile]


class AddedOut(BaseModel):
    """What came of adding a file."""

    files: int
    unchanged: int
    entries: int
    removed: int
    skipped: list[tuple[str, str]]


Named = Annotated[str, InPath(max_length=200, description="its contract id, or its name where it is your own")]
Filed = Annotated[str, InPath(max_length=200, description="what the file is called, with its ending")]
Numbered = Annotated[int, InPath(ge=0, le=ID)]


def router(library: Library, work: Work) -> APIRouter:
    """The paths under /api/v1."""
    problem = {"model": Problem, "content": {"application/problem+json": {}}}
    refusals: dict[int | str, dict[str, Any]] = {
        "4XX": {"description": "Refused", **problem},
        "5XX": {"description": "Failed", **problem},
    }
    routes = APIRouter(prefix="/api/v1", tags=["Knowledge"], responses=refusals, route_class=Route)

    # routes are tried in this order, so searches come first

    @routes.post("/knowledge/{name}/search", response_model=Results)
    async def search(request: Request, name: Named, body: Search) -> Json:
        """Find entries by what they mean: by a text; in a knowledge of photographs or videos by one of these."""
        caller = _caller(request)

        def run() -> Any:
            knowledge = library.find(caller, name)
            with _asked(knowledge, body) as query:
                hits = knowledge.search(
                    query,
                    body.top,
                    level=body.level,
                    filter=body.filter,
                    rerank=body.rerank and library.reranker,
                    hybrid=body.hybrid,
                    imagine=body.imagine,
                )
            return [_plain(hit) for hit in hits]

        return Json({"results": await work.search(run)})

    @routes.post("/knowledge/{name}/query", response_model=Results)
    async def query(request: Request, name: Named, body: Vector) -> Json:
        """Find entries by a vector."""
        caller = _caller(request)

        def run() -> Any:
            knowledge = library.find(caller, name)
            return [_plain(h) for h in knowledge.query(body.vector, body.top, level=body.level, filter=body.filter)]

        quick = body.top <= FEW and not body.filter and library.quick(name)
        return Json({"results": await work.search(run, quick=quick)})

    @routes.get("/knowledge", response_model=Every)
    async def every(request: Request) -> Json:
        """What the caller may read."""
        caller = _caller(request)
        return Json({"knowledge": [asdict(about) for about in await work.search(lambda: library.every(caller))]})

    @routes.post("/knowledge", status_code=201, response_model=About)
    async def create(request: Request, body: Create) -> Json:
        """Make an empty knowledge. Where the model is none of ours, it takes vectors alone."""
        caller = _caller(request)
        made = await work.write(lambda: library.create(caller, **body.model_dump()).about)
        return Json(asdict(made), 201)

    @routes.get("/knowledge/{name}", response_model=About)
    async def show(request: Request, name: Named) -> Json:
        """What a knowledge says of itself."""
        caller = _caller(request)
        return Json(asdict(await work.search(lambda: library.find(caller, name).about)))

    @routes.patch("/knowledge/{name}", response_model=About)
    async def change(request: Request, name: Named, body: Change) -> Json:
        """Change what a knowledge says of itself."""
        caller = _caller(request)

        def run() -> About:
            return library.find(caller, name, write=True).describe(**body.model_dump())

        return Json(asdict(await work.write(run)))

    @routes.delete("/knowledge/{name}", status_code=204)
    async def remove(request: Request, name: Named) -> Response:
        """Delete a knowledge and all that is in it, for ever."""
        caller = _caller(request)
        await work.write(lambda: library.remove(caller, name))
        return Response(status_code=204)

    @routes.get("/knowledge/{name}/entries", response_model=Entries)
    async def entries(
        request: Request,
        name: Named,
        start: Annotated[int, InQuery(ge=0, le=ID, description="the first id")] = 0,
        limit: Annotated[int, InQuery(ge=1, le=BATCH)] = 100,
        vectors: Annotated[bool, InQuery(description="with their vectors")] = False,
    ) -> Json:
        """Entries, by id."""
        caller = _caller(request)
        found = await work.search(lambda: library.find(caller, name).entries(start, limit + 1))
        more = found[limit].id if len(found) > limit else None
        return Json({"entries": [_entry(each, vectors) for each in found[:limit]], "next": more})

    @routes.post("/knowledge/{name}/entries", status_code=201, response_model=Ids)
    async def insert(request: Request, name: Named, body: Insert) -> Json:
        """Add entries, all or none; they are on the disk when this answers."""
        caller = _caller(request)

        def run() -> Any:
            knowledge = library.find(caller, name, write=True)
            texts = [each.text for each in body.entries]
            metadata = [each.metadata for each in body.entries]
            vectors = [each.vector for each in body.entries if each.vector is not None]
            if not vectors:
                return knowledge.insert(texts, metadata)
            if len(vectors) < len(texts):
                raise Refused(400, "some entries have a vector and some have none: send them one after the other")
            return knowledge.insert_vectors(vectors, metadata, texts)

        return Json({"ids": await work.write(run)}, 201)

    @routes.get("/knowledge/{name}/entries/{id}", response_model=EntryOut)
    async def entry(request: Request, name: Named, id: Numbered) -> Json:
        """One entry, with its vector."""
        caller = _caller(request)
        return Json(_entry(await work.search(lambda: _fetch(library.find(caller, name), id)), True))

    @routes.patch("/knowledge/{name}/entries/{id}", response_model=EntryOut)
    async def edit(request: Request, name: Named, id: Numbered, body: Edit) -> Json:
        """Change an entry. A new text is embedded again, unless its vector is sent with it."""
        caller = _caller(request)

        def run() -> Entry:
            knowledge = library.find(caller, name, write=True)
            _fetch(knowledge, id)
            knowledge.update(id, **body.model_dump())
            return _fetch(knowledge, id)

        return Json(_entry(await work.write(run), True))

    @routes.delete("/knowledge/{name}/entries/{id}", status_code=204)
    async def delete(request: Request, name: Named, id: Numbered) -> Response:
        """Delete an entry."""
        caller = _caller(request)

        def run() -> None:
            if not library.find(caller, name, write=True).delete([id]):
                raise Refused(404, f"there is no entry {id}")

        await work.write(run)
        return Response(status_code=204)

    @routes.get("/knowledge/{name}/files", response_model=Files)
    async def files(request: Request, name: Named) -> Json:
        """The files that were added, by name."""
        caller = _caller(request)
        found = await work.search(lambda: library.find(caller, name).files())
        return Json({"files": [asdict(file) for file in found]})

    @routes.delete("/knowledge/{name}/files/{file}", status_code=204)
    async def forget(request: Request, name: Named, file: Filed) -> Response:
        """Delete a file's entries."""
        caller = _caller(request)

        def run() -> None:
            knowledge = library.find(caller, name, write=True)
            if file not in {each.name for each in knowledge.files()}:
                raise Refused(404, f"no file {file!r:.80} was added here")
            knowledge.remove_file(file)

        await work.write(run)
        return Response(status_code=204)

    @routes.put(
        "/knowledge/{name}/files/{file}",
        response_model=AddedOut,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def add(
        request: Request,
        name: Named,
        file: Filed,
        text: Annotated[Short | None, InQuery(description="the column to search, of tables and records")] = None,
    ) -> Response:
        """Add a file, as the request's body; one of that name that was there before is replaced.

        With `Accept: application/x-ndjson` the answer tells meanwhile how far it is, a line of JSON a step:
        `{"fraction": 0.5}`, and at last `{"added": …}`, or `{"error": "…"}`. Who leaves meanwhile interrupts it.
        """
        caller = _caller(request)
        knowledge = await work.search(lambda: library.find(caller, name, write=True))
        await work.search(lambda: _taken(knowledge, file))
        upload = await _received(request, library.store.incoming, file)
        done = Added()
        told = work.steps(lambda: _adding(knowledge, upload, done, text), upload.remove)
        if "application/x-ndjson" in request.headers.get("accept", ""):
            return StreamingResponse(_lines(told, upload, done), media_type="application/x-ndjson")
        async for _ in told:
            pass
        outcome = upload.outcome(done)
        if not done.files + done.unchanged:
            raise Refused(400, "; ".join(reason for _, reason in outcome["skipped"]) or f"{file} could not be used")
        return Json(outcome)

    return routes


class Upload(NamedTuple):
    """A file that came, in a folder of its own."""

    path: Path
    name: str

    def remove(self) -> None:
        """Remove it, and its folder."""
        shutil.rmtree(self.path.parent, ignore_errors=True)

    def outcome(self, done: Added) -> dict[str, Any]:
        """What came of it, with the name that its sender knows."""
        return asdict(done) | {"skipped": [(self.name, reason) for _, reason in done.skipped]}


def _caller(request: Request) -> Key | None:
    return request.state.caller


@contextmanager
def _asked(knowledge: Knowledge, body: Search) -> Iterator[str | bytes | Path]:
    """What is asked. A text to a knowledge of pictures would be the path of a file of this machine."""
    given = [each for each in (body.query, body.image, body.video) if each is not None]
    if len(given) != 1:
        raise Refused(400, "expected one of query, a text, image, a photograph in base64, or video, a film in base64")
    if body.query is not None:
        if knowledge.model.kind != "text":
            raise Refused(400, f"this knowledge is of {knowledge.model.of}: it is asked with image or video, in base64")
        yield body.query
        return
    what = "image" if body.video is None else "video"
    try:
        file = b64decode(given[0], validate=True)
    except (binascii.Error, ValueError):
        raise Refused(400, f"{what} is not base64") from None
    if what == "image":
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "the video.mp4"  # what is in it decides, not its ending
        path.write_bytes(file)
        try:
            yield path
        except ForetellError as error:
            raise Refused(400, str(error).replace(str(path), "the video")) from None


def _fetch(knowledge: Knowledge, id: int) -> Entry:
    try:
        return knowledge.fetch([id])[0]
    except ForetellError as error:
        raise Refused(404, str(error)) from None


def _plain(thing: Hit | Entry) -> dict[str, Any]:
    return dict(vars(thing))  # `asdict` copies, and takes longer than a search


def _entry(entry: Entry, vector: bool) -> Mapping[str, Any]:
    return _plain(entry) | {"vector": entry.vector if vector else None}


def _taken(knowledge: Knowledge, file: str) -> None:
    """See that a file is of a kind that is taken, before all of it has come."""
    model = knowledge.model
    taken = ingest.ENDINGS if model.kind == "text" else model.endings
    if Path(file).suffix.lower() not in taken:
        raise Refused(400, f"the file is called {file!r:.80}, expected a name that ends in {', '.join(sorted(taken))}")
    if file != Path(file).name or file.startswith(".") or "\\" in file or not file.isprintable():
        raise Refused(400, f"the file is called {file!r:.80}, expected a plain name")
    if len(os.fsencode(file)) > NAME:
        raise Refused(400, f"the file's name takes {len(os.fsencode(file))} bytes, expected at most {NAME}")


async def _received(request: Request, incoming: Path, file: str) -> Upload:
    """The request's body as a file, in a folder that nothing else is in."""
    incoming.mkdir(exist_ok=True)
    own = Path(tempfile.mkdtemp(dir=incoming))
    try:
        with (own / file).open("wb") as to:
            async for chunk in request.stream():
                to.write(chunk)
    except OSError as error:
        shutil.rmtree(own, ignore_errors=True)
        raise ForetellError(f"{own / file}: {error.strerror}") from error
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)
        raise
    return Upload(own / file, file)


def _adding(knowledge: Knowledge, upload: Upload, done: Added, text: str | None) -> Iterator[Step]:
    try:
        yield from steps(knowledge.collection, knowledge.model, [upload.path], done, text, base=upload.path.parent)
        knowledge.collection.build_behind()
    finally:
        upload.remove()


async def _lines(told: AsyncIterator[Step], upload: Upload, done: Added) -> AsyncIterator[bytes]:
    try:
        async for step in told:
            yield dumps({"fraction": round(step.fraction, 4)}) + b"\n"
        yield dumps({"added": upload.outcome(done)}) + b"\n"
    except ForetellError as error:
        yield dumps({"error": str(refused(error))}) + b"\n"
