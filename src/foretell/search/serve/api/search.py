"""Search in a knowledge."""

from __future__ import annotations

import binascii
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request

from foretell.errors import ForetellError
from foretell.http.json import Json
from foretell.http.refusal import Refused
from foretell.search.entries import Hit
from foretell.search.knowledge import Knowledge
from foretell.search.query import check_words
from foretell.search.serve.api.answers import SearchAnswer, content
from foretell.search.serve.api.bodies import KnowledgeName, Search, VectorSearch
from foretell.search.serve.api.router import api_router
from foretell.search.serve.call import Call
from foretell.search.storage.hnsw import SCAN

if TYPE_CHECKING:
    import numpy as np

QUICK = 100
"""Up to this number, results are read so fast that no thread is needed."""

router = api_router()


@router.post("/knowledge/{name}/search", response_model=SearchAnswer)
async def search(request: Request, name: KnowledgeName, body: Search) -> Json:
    """Find entries by meaning: by a text, or by a photograph or a video in a knowledge of these.

    With `rerank`, the service's reranker reads the best results, within limits. `unread` counts the results that it did
    not read; they have no score `rerank`, and come last.
    """
    call = Call(request)
    hits = await found(call, name, body)
    told: dict[str, Any] = {"results": [content(hit, name) for hit in hits]}
    return Json(told | {"unread": unread(hits)} if body.rerank else told)


async def found(call: Call, name: str, body: Search, seen: np.ndarray | None = None) -> Sequence[Hit]:
    """The results of a search, best first.

    Args:
        call: the request.
        name: of the knowledge.
        body: the search.
        seen: what `pixels` gave of its file, where the caller has asked already.

    Raises:
        Refused: the body has no query, or several.
        ForetellError: as `Knowledge.search`.
    """
    if only(body) != "query" and seen is None:
        seen = await pixels(call, name, body)

    def run() -> Sequence[Hit]:
        knowledge = call.find(name)
        check_words(knowledge.model, rerank=body.rerank)
        return knowledge.search(
            _text(knowledge, body) if seen is None else seen,
            call.depth(body.top, body.rerank),
            level=SCAN if body.exact else body.level,
            filter=body.filter,
            hybrid=body.hybrid,
            imagine=body.imagine,
        )

    hits = await call.search(run)
    return await call.rerank(body.query or "", hits, body.top) if body.rerank else hits


def unread(hits: Sequence[Hit]) -> int:
    """How many results the reranker did not read."""
    return sum("rerank" not in hit.scores for hit in hits)


@router.post("/knowledge/{name}/query", response_model=SearchAnswer)
async def query(request: Request, name: KnowledgeName, body: VectorSearch) -> Json:
    """Find entries by a vector."""
    call = Call(request)

    def run() -> list[dict[str, Any]]:
        knowledge, level = call.find(name), SCAN if body.exact else body.level
        hits = knowledge.query(body.vector, body.top, level=level, filter=body.filter)
        return [content(hit, name) for hit in hits]

    quick = body.top <= QUICK and not body.filter and call.library.quick(name)
    return Json({"results": await call.search(run, quick=quick)})


def only(body: Search) -> str:
    """The name of the field that holds the query."""
    given = [field for field in ("query", "image", "video") if getattr(body, field) is not None]
    if len(given) != 1:
        raise Refused(
            400, "expected one of query (a text), image (a photograph in base64) and video (a video in base64)"
        )
    return given[0]


def _text(knowledge: Knowledge, body: Search) -> str:
    """The text of a query. Only a model that knows words takes one: others would read it as a path."""
    model = knowledge.model
    if model.kind != "text" and not model.words:
        raise Refused(400, f"this knowledge contains {model.of}: it is asked with image or video, in base64")
    return body.query or ""


async def pixels(call: Call, name: str, body: Search) -> np.ndarray:
    """What the model of a knowledge sees of the file of a query."""
    knowledge = await call.search(lambda: call.find(name))
    if (await call.search(lambda: knowledge.model)).kind == "text":
        raise Refused(400, "this knowledge contains texts: it is asked with query, a text")
    field, text = ("image", body.image) if body.image is not None else ("video", body.video or "")
    file = await call.search(lambda: _decoded(field, text))
    if field == "image":
        return await call.pixels(name, file)
    with _video(file) as path:
        return await call.pixels(name, path)


def _decoded(field: str, text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(400, f"{field} is not base64") from None


@contextmanager
def _video(file: bytes) -> Iterator[Path]:
    """A video as a file. Errors say "the video" instead of its path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "the video.mp4"  # decoding looks at the content, not at the ending
        path.write_bytes(file)
        try:
            yield path
        except ForetellError as error:
            raise Refused(400, str(error).replace(str(path), "the video")) from None
