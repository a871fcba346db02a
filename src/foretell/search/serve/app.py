"""The service put together."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from foretell import __version__
from foretell.errors import ForetellError
from foretell.search.serve import api, dria
from foretell.search.serve.gate import Gate, Metrics
from foretell.search.serve.library import Library
from foretell.search.serve.refusal import Json, Refused, answer, refused
from foretell.search.serve.settings import Settings
from foretell.search.serve.work import Work
from foretell.search.storage.protocol import Backend

PATIENCE = 30  # seconds that requests have to end when the service is stopped


class Service(FastAPI):
    """FastAPI, whose OpenAPI page has the ways to send a key: none is needed for what is public."""

    def openapi(self) -> dict[str, Any]:
        """The page."""
        page = super().openapi()
        page["components"]["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
        page["security"] = [{"key": []}, {"bearer": []}, {}]
        return page


def build(store: Backend, settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application. It leaves the store open."""
    settings = settings or Settings()
    work, library, metrics = Work(settings.waiting), Library(store, settings.reranker), Metrics()

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        _sweep(store.incoming)
        yield
        work.close()
        library.close()

    app = Service(
        title="foretell",
        summary="Knowledges: collections of passages and photographs, found by what they mean.",
        version=__version__,
        lifespan=life,
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        redirect_slashes=False,
    )
    app.include_router(api.router(library, work))
    app.include_router(dria.router(library, work))

    @app.head("/health", include_in_schema=False)
    @app.get("/health", tags=["Service"])
    async def health() -> Response:
        """Whether the store can be read."""
        await work.search(lambda: store.find(""))
        return Json({"status": "ok", "version": __version__})

    @app.get("/metrics", tags=["Service"], response_class=PlainTextResponse)
    async def numbers() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.exception_handler(ForetellError)
    async def failed(request: Request, error: ForetellError) -> Response:
        return answer(request.url.path, refused(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first, kind = error.errors()[0], request.headers.get("content-type", "").partition(";")[0]
        if first["loc"] == ("body",) and first["type"] != "missing" and not kind.endswith("json"):
            said = (
                f"the body is of type {kind or 'none'!r:.60}; send JSON, with the header Content-Type: application/json"
            )
            return answer(request.url.path, Refused(415, said))
        return answer(request.url.path, Refused(400, _sentence(error)))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        said = {404: "there is nothing at this path", 405: f"{request.method} is not for this path"}
        other = Refused(error.status_code, said.get(error.status_code, error.detail))
        other.headers |= error.headers or {}
        if error.status_code == 405:  # of the routes of one path only the first is asked
            other.headers["Allow"] = ", ".join(_allowed(app, request))
        return answer(request.url.path, other)

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, _: ClientDisconnect) -> Response:
        return Response(status_code=499)  # nobody reads it; the log is spared a traceback

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> Response:
        return answer(request.url.path, Refused(500, "something is wrong with the service; see its log"))

    app.add_middleware(Gate, store=store, settings=settings, work=work, metrics=metrics)
    if settings.cors:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors, allow_methods=["*"], allow_headers=["*"])
    return app


def serve(store: Backend, host: str, port: int, settings: Settings | None = None) -> None:
    """Serve until interrupted (SIGINT or SIGTERM); requests that are at work are finished.

    Raises:
        ForetellError: the address cannot be had.
    """
    app = build(store, settings)
    config = uvicorn.Config(
        app, host, port, log_level="warning", access_log=False, timeout_graceful_shutdown=PATIENCE, server_header=False
    )
    with _bound(host, port) as listening:
        shown = f"[{host}]" if ":" in host else host
        print(f"serving {store.where} at http://{shown}:{listening.getsockname()[1]}", flush=True)
        with suppress(KeyboardInterrupt):  # uvicorn has ended everything by then, and raises it again
            uvicorn.Server(config).run([listening])


def _bound(host: str, port: int) -> socket.socket:
    listening: socket.socket | None = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)  # from here on, who connects waits rather than fails
    except (OSError, OverflowError) as error:
        if listening:
            listening.close()
        said = getattr(error, "strerror", None) or error
        raise ForetellError(f"cannot serve at {host}:{port} ({said}); choose another --host or --port") from None
    return listening


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods that a request's path takes."""
    scopes = {
        method: {**request.scope, "method": method} for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    }
    return [
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] == Match.FULL for route in app.router.routes)
    ]


def _sentence(error: RequestValidationError) -> str:
    """The first thing that is wrong: where, and what was expected."""
    first = error.errors()[0]
    where = ".".join(str(each) for each in first["loc"][1:] if not isinstance(each, int)) or "the body"
    if first["type"] == "json_invalid":
        return f"the body is not JSON ({first['ctx']['error']})"
    return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def _sweep(incoming: Path) -> None:
    """Remove uploads that a service which was killed has left."""
    with suppress(FileNotFoundError):
        for folder in incoming.iterdir():
            if folder.stat().st_mtime < time.time() - 86_400:
                shutil.rmtree(folder, ignore_errors=True)
