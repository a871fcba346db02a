"""The common parts of the routers under /api/v1."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from foretell.http.json import JsonRoute


class ProblemDetails(BaseModel):
    """Why a request is refused (RFC 9457)."""

    title: str
    status: int
    detail: str


def api_router() -> APIRouter:
    """A router for paths under /api/v1."""
    problem = {"model": ProblemDetails, "content": {"application/problem+json": {}}}
    refusals: dict[int | str, dict[str, Any]] = {
        "4XX": {"description": "Refused", **problem},
        "5XX": {"description": "Failed", **problem},
    }
    return APIRouter(prefix="/api/v1", tags=["Knowledge"], responses=refusals, route_class=JsonRoute)
