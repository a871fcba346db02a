"""The envelope around every answer to Dria's clients."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from foretell.http.json import Json, JsonRoute

PATHS = ("/hnsw/", "/hnswt/", "/v1/")
"""Every answer on paths that begin so comes in the envelope, errors too."""


class Envelope(BaseModel):
    """The envelope around every answer."""

    success: bool
    data: Any
    code: int


ANSWERS: dict[str, Any] = {
    "response_model": Envelope,
    "responses": {"default": {"model": Envelope, "description": "Refused"}},
}
"""OpenAPI's description of the answers of a route."""


def dria_router() -> APIRouter:
    """A router for paths that Dria's clients use."""
    return APIRouter(tags=["As Dria's clients send it"], route_class=JsonRoute)


def enveloped(data: Any, code: int = 200, headers: dict[str, str] | None = None) -> Json:
    """An answer in the envelope."""
    return Json({"success": code == 200, "data": data, "code": code}, code, headers)
