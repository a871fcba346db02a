"""The service that Dria's clients know: paths, bodies and answers as they send and read them.

Facts from the Python client 0.1.20 and the JavaScript client 0.0.4, which read `data` alone and take any status but
200 for an error.

Differs from Dria:
- Public knowledges are read without a key; what a key creates is private, until the other API makes it public.
- `field` can only name the column that was chosen when the file was added.
- Nothing is written to a blockchain, so nothing costs credits.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from foretell.errors import ForetellError
from foretell.search.entries import Entry, Hit
from foretell.search.knowledge import Knowledge
from foretell.search.models.onnx import plain
from foretell.search.models.text import known
from foretell.search.serve.batches import decode
from foretell.search.serve.library import Library
from foretell.search.serve.refusal import Json, Refused, dumps, envelope, keyless
from foretell.search.serve.route import Route
from foretell.search.serve.work import Work
from foretell.search.storage.protocol import Key

TOP = 20
BATCH = 1000
QUERY = 500  # characters
INSERTED = "Values are successfully added to index."


class Contract(BaseModel):
    """A knowledge by its contract id."""

    model_config = ConfigDict(allow_inf_nan=False)

    contract_id: Annotated[str, Field(max_length=200)]


class Search(Contract):
    """A search by text."""

    query: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": QUERY})]
    top_n: Annotated[int | None, Field(json_schema_extra={"minimum": 1, "maximum": TOP})] = None
    field: str | None = None
    model: str | None = None
    rerank: bool | None = None
    level: Annotated[int | None, Field(json_schema_extra={"minimum": 0, "maximum": 4})] = None


class Vector(Contract):
    """A search by vector."""

    vector: list[float]
    top_n: Annotated[int | None, Field(json_schema_extra={"minimum": 1, "maximum": TOP})] = None
    level: Annotated[int | None, Field(json_schema_extra={"minimum": 0, "maximum": 4})] = None


class Fetch(Contract):
    """Entries by their ids."""

    id: Annotated[list[int], Field(max_length=BATCH, json_schema_extra={"minItems": 1})]


class Insert(Contract):
    """A batch of entries."""

    data: str
    model: str | None = None
    batch_size: int | None = None
    write_blockchain: bool | None = None


Name = Annotated[str, AfterValidator(lambda name: name.replace("/", "-").replace("\\", "-"))]
"""Free text to Dria, which finds by contract ids alone; here it is also part of addresses."""


class Create(BaseModel):
    """A new knowledge."""

    name: Name
    embedding: str
    category: str | None = None
    description: str | None = None


class Update(Contract):
    """What a knowledge is to say of itself."""

    name: Name | None = None
    description: str | None = None
    category: str | None = None


class Envelope(BaseModel):
    """Around every answer."""

    success: bool
    data: Any
    code: int


def router(library: Library, work: Work) -> APIRouter:
    """The paths under /hnsw, /hnswt and /v1/knowledge."""
    routes = APIRouter(tags=["As Dria's clients send it"], route_class=Route)
    said: dict[str, Any] = {
        "response_model": Envelope,
        "responses": {"default": {"model": Envelope, "description": "Refused"}},
    }

    @routes.post("/hnsw/search", **said)
    async def search(request: Request, body: Search) -> Json:
        """Find entries by what they mean. `rerank` (true where missing) answers with texts, else with all metadata."""
        caller = _caller(request)

        def run() -> Any:
            top, level = _asked(body.top_n, body.level)
            if len(body.query) > QUERY:
                raise Refused(400, f"Query cannot be more than {QUERY} chars.")
            knowledge = library.find(caller, body.contract_id)
            _same(knowledge, body.model)
            rerank = body.rerank is not False
            if body.field not in (None, "", "text"):
                raise Refused(
                    400, f"field is {body.field!r:.80}: a column is chosen when its file is added; leave it out"
                )
            hits = _of_texts(knowledge).search(body.query, top, level=level, rerank=rerank and library.reranker)
            return [
                {"id": hit.id, "metadata": hit.text if rerank else _metadata(hit), "score": hit.score} for hit in hits
            ]

        return Json(envelope(await work.search(run)))

    @routes.post("/hnsw/query", **said)
    async def query(request: Request, body: Vector) -> Json:
        """Find entries by a vector."""
        caller = _caller(request)

        def run() -> Any:
            top, level = _asked(body.top_n, body.level)
            hits = library.find(caller, body.contract_id).query(body.vector, top, level=level)
            return [{"id": hit.id, "metadata": _metadata(hit), "score": hit.score} for hit in hits]

        return Json(envelope(await work.search(run, quick=library.quick(body.contract_id))))

    @routes.post("/hnsw/fetch", **said)
    async def fetch(request: Request, body: Fetch) -> Json:
        """Entries by their ids: their metadata, and their vectors, in that order."""
        caller = _caller(request)

        def run() -> Any:
            if not body.id:
                raise Refused(400, "No IDs provided.")
            knowledge = library.find(caller, body.contract_id)
            try:
                entries = knowledge.fetch(body.id)
            except ForetellError as error:
                raise Refused(404, str(error)) from None
            return {"metadata": [_metadata(entry) for entry in entries], "vectors": [entry.vector for entry in entries]}

        return Json(envelope(await work.search(run)))

    @routes.post("/hnsw/entry_count", **said)
    async def entry_count(request: Request, body: Contract) -> Json:
        """How many entries there are."""
        caller = _caller(request)
        about = await work.search(lambda: library.find(caller, body.contract_id).about)
        return Json(envelope({"entry_count": about.count}))

    @routes.post("/hnswt/insert_text", **said)
    async def insert_text(request: Request, body: Insert) -> Json:
        """Embed texts and add them: `data` is a BatchStr in protobuf, in base64."""
        caller = _caller(request)

        def run() -> None:
            texts, metadata = decode(body.data, "BatchStr")
            _batch(texts)
            knowledge = library.find(caller, body.contract_id, write=True)
            _same(knowledge, body.model)
            _of_texts(knowledge).insert(texts, metadata)

        await work.write(run)
        return Json(envelope(INSERTED))

    @routes.post("/hnswt/insert_vector", **said)
    async def insert_vector(request: Request, body: Insert) -> Json:
        """Add vectors: `data` is a BatchVec in protobuf, in base64."""
        caller = _caller(request)

        def run() -> None:
            vectors, metadata = decode(body.data, "BatchVec")
            _batch(vectors)
            library.find(caller, body.contract_id, write=True).insert_vectors(vectors, metadata)

        await work.write(run)
        return Json(envelope(INSERTED))

    @routes.post("/v1/knowledge/index/create", **said)
    async def create(request: Request, body: Create) -> Json:
        """Make an empty knowledge. Where the model is none of ours, it takes vectors alone."""
        caller = _caller(request)

        def run() -> str:
            about = {"category": body.category or "", "description": body.description or ""}
            return library.create(caller, body.name, model=body.embedding, **about).about.contract_id

        return Json(envelope({"contract_id": await work.write(run)}))

    @routes.get("/v1/knowledge/index/get_model", **said)
    async def get_model(request: Request, contract_id: Annotated[str, Query(max_length=200)]) -> Json:
        """What embeds a knowledge."""
        caller = _caller(request)
        about = await work.search(lambda: library.find(caller, contract_id).about)
        return Json(envelope({"model": _wire(about.model)}))

    @routes.get("/v1/knowledge/list", **said)
    async def every(request: Request) -> Json:
        """The caller's knowledges."""
        caller = _caller(request)
        if caller is None:
            raise keyless()
        shown = ("contract_id", "name", "description", "category")
        abouts = await work.search(lambda: library.every(caller, own=True))
        return Json(envelope({"contracts": [{key: getattr(about, key) for key in shown} for about in abouts]}))

    @routes.get("/v1/knowledge/get_knowledge_base", **said)
    async def describe(request: Request, contract_id: Annotated[str, Query(max_length=200)]) -> Json:
        """What a knowledge says of itself."""
        caller = _caller(request)
        about = await work.search(lambda: library.find(caller, contract_id).about)
        return Json(envelope(asdict(about) | {"model": _wire(about.model)}))

    @routes.post("/v1/knowledge/index/update", **said)
    async def update(request: Request, body: Update) -> Json:
        """Change what a knowledge says of itself."""
        caller = _caller(request)

        def run() -> Any:
            knowledge = library.find(caller, body.contract_id, write=True)
            return knowledge.describe(**body.model_dump(exclude={"contract_id"}))

        return Json(envelope(asdict(await work.write(run))))

    @routes.post("/v1/knowledge/remove", **said)
    async def remove(request: Request, body: Contract) -> Json:
        """Delete a knowledge for ever."""
        caller = _caller(request)
        await work.write(lambda: library.remove(caller, body.contract_id))
        return Json(envelope({"message": True}))

    return routes


def _caller(request: Request) -> Key | None:
    return request.state.caller


def _asked(top: int | None, level: int | None) -> tuple[int, int]:
    """How many, and how hard to look: where missing, 10 and 1, as Dria's index had it."""
    top, level = 10 if top is None else top, 1 if level is None else level
    if top > TOP:
        raise Refused(400, f"Top N cannot be more than {TOP}.")
    if top < 1:
        raise Refused(400, "Top N cannot be less than 1.")
    if not 0 <= level <= 4:
        raise Refused(400, "Level should be 0, 1, 2, 3, or 4.")
    return top, level


def _batch(values: Any) -> None:
    if not values:
        raise Refused(400, "data holds no values")
    if len(values) > BATCH:
        raise Refused(400, f"data holds {len(values):,} values, expected at most {BATCH:,}")


def _same(knowledge: Knowledge, model: str | None) -> None:
    """See that a caller means the model that a knowledge has."""
    if model and plain(model) != plain(stored := knowledge.about.model):
        raise Refused(400, f"this knowledge is embedded by {_wire(stored)!r}, not by {model!r:.80}")


def _of_texts(knowledge: Knowledge) -> Knowledge:
    """See that it is asked with texts; a text to photographs would be the path of a file."""
    if knowledge.model.kind != "text":
        raise Refused(400, f"this knowledge is of {knowledge.model.of}: it is asked over /api/v1")
    return knowledge


@lru_cache
def _wire(model: str) -> str:
    """A model as Dria's clients call it: BAAI's with their owner."""
    spec = known(model)
    return spec.repository if spec and spec.repository.startswith("BAAI/") else model.split("/")[-1] if spec else model


def _metadata(entry: Hit | Entry) -> str:
    """All that is known of an entry, as JSON in text; of a document's, also id and page, as text, as Dria has them."""
    of_document = {"id": entry.key, "page": str(entry.page)} if entry.page is not None else {}
    text = {"text": entry.text} if entry.text else {}
    return dumps(of_document | text | entry.metadata).decode()
