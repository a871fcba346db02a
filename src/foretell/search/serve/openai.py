"""`/v1/embeddings` and `/v1/models`, as OpenAI's clients call them: the text models of this machine.

The form is that of OpenAI's API reference, "Create embeddings". Two things differ. A model has one width, so
`dimensions` must be that width. `input_type` may say that the texts are queries: some models want a prefix before them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from foretell.errors import ForetellError
from foretell.http.json import Json, JsonRoute
from foretell.http.refusal import Refused, keyless
from foretell.search.models.load import load_model
from foretell.search.models.onnx import plain
from foretell.search.models.text import DEFAULT, SPECS, TextModel, known
from foretell.search.serve.call import Call

PATHS = ("/v1/embeddings", "/v1/models")
"""Errors on these paths have OpenAI's form."""
MOST = 256
"""The most texts of a request."""
STEP = 8
"""Texts that are embedded before another search may have the thread."""

InputText = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]

REFUSALS: dict[int | str, dict[str, Any]] = {"4XX": {"description": "Refused"}, "5XX": {"description": "Failed"}}
router = APIRouter(tags=["As OpenAI's clients send it"], responses=REFUSALS, route_class=JsonRoute)


class EmbeddingsRequest(BaseModel):
    """Texts to embed."""

    model_config = ConfigDict(strict=True, extra="forbid")

    input: InputText | Annotated[list[InputText], Field(min_length=1, max_length=MOST)]
    model: Annotated[str, Field(max_length=200, description=f"such as {DEFAULT}")] = DEFAULT
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int | None, Field(ge=1, description="if given, the width of the model")] = None
    input_type: Annotated[
        Literal["passage", "query"], Field(description="whether the texts are stored, or are searched with")
    ] = "passage"
    user: Annotated[str | None, Field(max_length=1000, description="has no effect")] = None


@router.post("/v1/embeddings")
async def embeddings(request: Request, body: EmbeddingsRequest) -> Json:
    """Embed texts: unit vectors, in the order of the texts. It needs a key."""
    call = Call(request)
    if call.caller is None:
        raise keyless()
    texts = [body.input] if isinstance(body.input, str) else body.input
    model = await call.work.search(lambda: _model(body.model))
    if body.dimensions not in (None, model.dimension):
        raise Refused(400, f"dimensions is {body.dimensions}, expected {model.dimension}, the width of {model.name}")
    data: list[dict[str, Any]] = []
    tokens = 0
    for start in range(0, len(texts), STEP):
        some = texts[start : start + STEP]
        vectors, count = await call.work.search(lambda some=some: _embedded(model, some, body.input_type))
        tokens += count
        data += [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, body.encoding_format)}
            for index, vector in enumerate(vectors, start)
        ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Json({"object": "list", "data": data, "model": model.name, "usage": usage})


@router.get("/v1/models")
async def models(request: Request) -> Json:
    """List the text models that this machine has."""
    call = Call(request)
    if call.caller is None:
        raise keyless()
    there = await call.work.search(lambda: [name for name in SPECS if _is_here(name)])
    listed = [
        {"id": name, "object": "model", "created": 0, "owned_by": SPECS[name].repository.split("/")[0]}
        for name in there
    ]
    return Json({"object": "list", "data": listed})


def openai_error(refusal: Refused) -> Response:
    """A refusal in OpenAI's form."""
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    code = HTTPStatus(refusal.status).phrase.lower().replace(" ", "_")
    content = {"error": {"message": str(refusal), "type": kind, "param": None, "code": code}}
    return Json(content, refusal.status, refusal.headers)


def _model(name: str) -> TextModel:
    """A text model by its name, never by a folder."""
    if known(name) is None:
        raise Refused(
            404, f"model is {name!r:.80}, expected one of {', '.join(SPECS)}: GET /v1/models lists those here"
        )
    try:
        model = load_model(plain(name))  # without an owner: a folder of such a name is none of the caller's business
    except ForetellError as error:
        raise Refused(404, str(error)) from None
    assert isinstance(model, TextModel)
    return model


def _is_here(name: str) -> bool:
    try:
        load_model(name)
    except ForetellError:
        return False
    return True


def _embedded(model: TextModel, texts: Sequence[str], kind: str) -> tuple[np.ndarray, int]:
    """Vectors of texts, and the number of their tokens."""
    vectors = model.passages(texts) if kind == "passage" else np.stack([model.query(text) for text in texts])
    return vectors, sum(model.tokens(text) for text in texts)


def _encoded(vector: np.ndarray, form: str) -> np.ndarray | str:
    return vector if form == "float" else b64encode(vector.astype("<f4").tobytes()).decode()
