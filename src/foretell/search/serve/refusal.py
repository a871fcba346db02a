"""Requests that are not fulfilled: a status and one sentence."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response

from foretell.errors import ForetellError
from foretell.search.storage.protocol import Busy, Removed, Taken

DRIA = ("/hnsw/", "/hnswt/", "/v1/")
"""Paths whose answers, these too, come in Dria's envelope."""

log = logging.getLogger(__name__)


class Refused(ForetellError):
    """A request that is not fulfilled."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def keyless() -> Refused:
    """The refusal of a request that needs a key and has none."""
    return Refused(401, "this needs an API key, in the header x-api-key")


def refused(error: ForetellError) -> Refused:
    """What an error of the engine is over HTTP."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Busy):
        return Refused(503, "another writer is at work; try again", Retry_After="1")
    if error.__cause__ is not None:  # of the disk: the sentence names files of this machine
        log.error("%s", error)
        full = "the disk is full" in str(error)
        return Refused(507 if full else 500, "the disk is full" if full else "the store cannot be used; see the log")
    status = 404 if isinstance(error, Removed) else 409 if isinstance(error, Taken) else 400
    return Refused(status, str(error))


def answer(path: str, error: Refused) -> Response:
    """The error as its part of the service tells it: RFC 9457, or Dria's envelope."""
    if path.startswith(DRIA):
        return Json(envelope(str(error), error.status), error.status, error.headers)
    title = HTTPStatus(error.status).phrase
    problem = {"title": title, "status": error.status, "detail": str(error)}
    return Json(problem, error.status, error.headers, "application/problem+json")


def envelope(data: Any, code: int = 200) -> dict[str, Any]:
    """What Dria's clients expect around every answer."""
    return {"success": code == 200, "data": data, "code": code}


class Json(Response):
    """An answer in JSON; arrays of numpy are lists."""

    def __init__(
        self,
        content: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        media_type: str = "application/json",
    ) -> None:
        super().__init__(dumps(content), status, headers, media_type)


def dumps(content: Any) -> bytes:
    """Content as JSON."""
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
