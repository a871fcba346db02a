"""Search and add entries: /hnsw and /hnswt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from foretell.errors import ForetellError
from foretell.http.json import Json, dumps
from foretell.http.refusal import Refused
from foretell.search.entries import Entry, Hit
from foretell.search.knowledge import Knowledge
from foretell.search.serve.call import Call
from foretell.search.serve.dria.batches import decode
from foretell.search.serve.dria.bodies import BATCH, QUERY, TOP, Contract, Fetch, Insert, Query, TextSearch
from foretell.search.serve.dria.envelope import ANSWERS, dria_router, enveloped

INSERTED = "Values are successfully added to index."

router = dria_router()


@router.post("/hnsw/search", **ANSWERS)
async def search(request: Request, body: TextSearch) -> Json:
    """Find entries by meaning.

    With `rerank`, the default, `metadata` is the text of an entry; without it, all metadata as JSON.
    """
    call = Call(request)

    top, level = _top_and_level(body)
    if len(body.query) > QUERY:
        raise Refused(400, f"Query cannot be more than {QUERY} chars.")
    rerank = body.rerank is not False

    def run() -> Sequence[Hit]:
        knowledge = call.find(body.contract_id)
        _check_model(call, knowledge, body.model)
        if body.field not in (None, "", "text"):
            raise Refused(400, f"field is {body.field!r:.80}: a column is chosen when its file is added; leave it out")
        depth = call.depth(top, rerank)
        return _of_texts(knowledge).search(body.query, depth, level=level, hybrid=call.dria.hybrid)

    hits = await call.search(run)
    if rerank:
        hits = await call.rerank(body.query, hits, top)
    found = [{"id": hit.id, "metadata": hit.text if rerank else _metadata(hit), "score": hit.score} for hit in hits]
    return enveloped(found)


@router.post("/hnsw/query", **ANSWERS)
async def query(request: Request, body: Query) -> Json:
    """Find entries by a vector."""
    call = Call(request)

    def run() -> list[dict[str, Any]]:
        top, level = _top_and_level(body)
        hits = call.find(body.contract_id).query(body.vector, top, level=level)
        return [{"id": hit.id, "metadata": _metadata(hit), "score": hit.score} for hit in hits]

    return enveloped(await call.search(run, quick=call.library.quick(body.contract_id)))


@router.post("/hnsw/fetch", **ANSWERS)
async def fetch(request: Request, body: Fetch) -> Json:
    """Entries by their ids: their metadata and their vectors, in the order of the ids."""
    call = Call(request)

    def run() -> dict[str, list[Any]]:
        if not body.id:
            raise Refused(400, "No IDs provided.")
        knowledge = call.find(body.contract_id)
        try:
            entries = knowledge.fetch(body.id)
        except ForetellError as error:
            raise Refused(404, str(error)) from None
        return {"metadata": [_metadata(entry) for entry in entries], "vectors": [entry.vector for entry in entries]}

    return enveloped(await call.search(run))


@router.post("/hnsw/entry_count", **ANSWERS)
async def entry_count(request: Request, body: Contract) -> Json:
    """Count the entries."""
    call = Call(request)
    about = await call.search(lambda: call.find(body.contract_id).about)
    return enveloped({"entry_count": about.count})


@router.post("/hnswt/insert_text", **ANSWERS)
async def insert_text(request: Request, body: Insert) -> Json:
    """Embed texts and add them. `data` is a BatchStr in protobuf, in base64."""
    call = Call(request)

    def run() -> None:
        texts, metadata = decode(body.data, "BatchStr")
        _check_length(texts)
        knowledge = call.find(body.contract_id, write=True)
        _check_model(call, knowledge, body.model)
        _of_texts(knowledge).insert(texts, metadata)

    await call.write(run)
    return enveloped(INSERTED)


@router.post("/hnswt/insert_vector", **ANSWERS)
async def insert_vector(request: Request, body: Insert) -> Json:
    """Add vectors. `data` is a BatchVec in protobuf, in base64."""
    call = Call(request)

    def run() -> None:
        vectors, metadata = decode(body.data, "BatchVec")
        _check_length(vectors)
        call.find(body.contract_id, write=True).insert_vectors(vectors, metadata)

    await call.write(run)
    return enveloped(INSERTED)


def _top_and_level(body: TextSearch | Query) -> tuple[int, int]:
    """The number of results, and the effort. The defaults are those of Dria's index: 10 and 1."""
    top, level = 10 if body.top_n is None else body.top_n, 1 if body.level is None else body.level
    if top > TOP:
        raise Refused(400, f"Top N cannot be more than {TOP}.")
    if top < 1:
        raise Refused(400, "Top N cannot be less than 1.")
    if not 0 <= level <= 4:
        raise Refused(400, "Level should be 0, 1, 2, 3, or 4.")
    return top, level


def _check_length(values: Sequence[Any]) -> None:
    if not values:
        raise Refused(400, "data holds no values")
    if len(values) > BATCH:
        raise Refused(400, f"data holds {len(values):,} values, expected at most {BATCH:,}")


def _check_model(call: Call, knowledge: Knowledge, model: str | None) -> None:
    """Refuse a request that names another model than the one of the knowledge."""
    if model and not call.dria.fits(model, stored := knowledge.about.model):
        raise Refused(400, f"this knowledge is embedded by {call.dria.shown(stored)!r}, not by {model!r:.80}")


def _of_texts(knowledge: Knowledge) -> Knowledge:
    """Refuse a knowledge of photographs or videos: it would read a text as a path of this machine."""
    if knowledge.model.kind != "text":
        raise Refused(400, f"this knowledge contains {knowledge.model.of}: it is asked over /api/v1")
    return knowledge


def _metadata(entry: Hit | Entry) -> str:
    """Everything known of an entry, as JSON. An entry of a document also has its id and page, both as text."""
    of_document = {"id": entry.key, "page": str(entry.page)} if entry.page is not None else {}
    text = {"text": entry.text} if entry.text else {}
    return dumps(of_document | text | entry.metadata).decode()
