"""JSON in and out by orjson: it reads the numbers of a vector in a tenth of the time, and it refuses NaN."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

BOM = b"\xef\xbb\xbf"
"""Some editors and shells put it before UTF-8."""


def dumps(content: Any) -> bytes:
    """The content as JSON; an array of numpy becomes a list."""
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


class Json(Response):
    """An answer in JSON. An array of numpy becomes a list."""

    def __init__(
        self,
        content: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        media_type: str = "application/json",
    ) -> None:
        super().__init__(dumps(content), status, headers, media_type)


class JsonRoute(APIRoute):
    """A route that reads the body of a request by orjson."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, called with a request that reads JSON by orjson."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_Request(request.scope, request.receive))

        return handle


class _Request(Request):
    async def json(self) -> Any:
        return orjson.loads((await self.body()).removeprefix(BOM))
