"""A refused request: a status and one sentence."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from fastapi import Request, Response

from foretell.errors import ForetellError
from foretell.http.json import Json

Respond = Callable[[Request, ForetellError], Response]
"""Turns an error into an answer. The form of the answer may depend on the path of the request, and on its sender."""


class Refused(ForetellError):
    """The service refuses a request.

    Args:
        status: the status of the answer.
        sentence: what was found, what was expected, what to do.
        headers: more headers of the answer; `Retry_After` stands for Retry-After.
    """

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def keyless() -> Refused:
    """The refusal of a request that needs a key and has none."""
    return Refused(401, "this needs an API key, in the header x-api-key")


def problem(error: Refused) -> Response:
    """A refusal as a problem in JSON (RFC 9457)."""
    content = {"title": HTTPStatus(error.status).phrase, "status": error.status, "detail": str(error)}
    return Json(content, error.status, error.headers, "application/problem+json")
