"""Search in a knowledge."""

from __future__ import annotations

import binascii
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import Request

from foretell.errors import ForetellError
from foretell.http.json import Json
from foretell.http.refusal import Refused
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api.answers import SearchAnswer, content
from foretell.search.serve.api.bodies import KnowledgeName, Search, VectorSearch
from foretell.search.serve.api.router import api_router
from foretell.search.serve.call import Call

QUICK = 100
"""Up to this number, results are read so fast that no thread is needed."""

router = api_router()


@router.post("/knowledge/{name}/search", response_model=SearchAnswer)
async def search(request: Request, name: KnowledgeName, body: Search) -> Json:
    """Find entries by meaning: by a text, or by a photograph or a video in a knowledge of these."""
    call = Call(request)

    def run() -> list[dict[str, Any]]:
        knowledge = call.find(name)
        with _query(knowledge, body) as query:
            hits = knowledge.search(
                query,
                body.top,
                level=body.level,
                filter=body.filter,
                rerank=body.rerank and call.library.reranker,
                hybrid=body.hybrid,
                imagine=body.imagine,
            )
        return [content(hit) for hit in hits]

    return Json({"results": await call.work.search(run)})


@router.post("/knowledge/{name}/query", response_model=SearchAnswer)
async def query(request: Request, name: KnowledgeName, body: VectorSearch) -> Json:
    """Find entries by a vector."""
    call = Call(request)

    def run() -> list[dict[str, Any]]:
        hits = call.find(name).query(body.vector, body.top, level=body.level, filter=body.filter)
        return [content(hit) for hit in hits]

    quick = body.top <= QUICK and not body.filter and call.library.quick(name)
    return Json({"results": await call.work.search(run, quick=quick)})


@contextmanager
def _query(knowledge: Knowledge, body: Search) -> Iterator[str | bytes | Path]:
    """The query of a search. Only a model that knows words takes a text: others would read it as a path."""
    given = [each for each in (body.query, body.image, body.video) if each is not None]
    if len(given) != 1:
        raise Refused(
            400, "expected one of query (a text), image (a photograph in base64) and video (a video in base64)"
        )
    if body.query is not None:
        model = knowledge.model
        if model.kind != "text" and not model.words:
            raise Refused(400, f"this knowledge contains {model.of}: it is asked with image or video, in base64")
        yield body.query
    elif body.image is not None:
        yield _decoded("image", body.image)
    else:
        with _video(_decoded("video", given[0])) as path:
            yield path


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
