"""The service, assembled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import PlainTextResponse

from foretell import __version__
from foretell.http.gate import Gate, in_headers
from foretell.http.json import Json
from foretell.http.metrics import Metrics
from foretell.http.refusal import Respond
from foretell.http.service import Service, add_error_handlers, run
from foretell.http.settings import ServiceSettings
from foretell.http.work import Work
from foretell.search.models.cross_encoder import DEFAULT
from foretell.search.serve import keys, openai
from foretell.search.serve.api import entries, files, knowledge, search, several
from foretell.search.serve.api.uploads import incoming
from foretell.search.serve.choices import DriaChoices
from foretell.search.serve.dria import index as dria_index
from foretell.search.serve.dria import knowledge as dria_knowledge
from foretell.search.serve.errors import respond
from foretell.search.serve.library import Library
from foretell.search.serve.readers import Readers
from foretell.search.storage.protocol import Backend

ROUTERS = (search, several, knowledge, entries, files, openai, dria_index, dria_knowledge)
"""A request tries them in this order, so the searches come first."""


def build(
    store: Backend,
    settings: ServiceSettings | None = None,
    reranker: str = DEFAULT,
    dria: DriaChoices | None = None,
    *,
    respond: Respond = respond,
    secret: Callable[[Request], str | None] = in_headers,
) -> FastAPI:
    """The service as an ASGI application. It does not close the store.

    Args:
        store: the store to serve.
        settings: the limits.
        reranker: the reranker for every search that asks for one, by name or folder.
        dria: what Dria's clients see.
        respond: turns an error into an answer.
        secret: finds the key in a request.
    """
    settings = settings or ServiceSettings()
    work, library, metrics = Work(settings.waiting), Library(store), Metrics()
    readers = Readers(reranker, settings.reranked)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        with incoming(store.incoming) as app.state.incoming:
            yield
            app.state.ended = work.close()
            library.close()
            readers.close()

    app = Service(
        title="foretell",
        summary="Knowledges: collections of passages, photographs and videos, searched by meaning.",
        version=__version__,
        lifespan=life,
        docs_url=None,  # FastAPI's pages load scripts from other servers
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        redirect_slashes=False,
    )
    app.state.library, app.state.work, app.state.readers = library, work, readers
    app.state.dria = dria or DriaChoices()
    for module in ROUTERS:
        app.include_router(module.router)
    _add_health(app, store, work, metrics)
    add_error_handlers(app, respond)
    app.add_middleware(
        Gate,
        find=lambda secret: keys.find(store, secret),
        respond=respond,
        settings=settings,
        work=work,
        metrics=metrics,
        secret=secret,
    )
    if settings.cors:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors, allow_methods=["*"], allow_headers=["*"])
    return app


def serve(
    store: Backend,
    host: str,
    port: int,
    settings: ServiceSettings | None = None,
    reranker: str = DEFAULT,
    dria: DriaChoices | None = None,
) -> None:
    """Serve a store until SIGINT or SIGTERM; running requests may end first. Arguments as `build`.

    Raises:
        ForetellError: the service cannot listen at this address.
    """
    run(build(store, settings, reranker, dria), host, port, store.where)


def _add_health(app: FastAPI, store: Backend, work: Work, metrics: Metrics) -> None:
    @app.get("/health", tags=["Service"])
    async def health() -> Response:
        """Whether the store can be read."""
        await work.search(lambda: store.find(""))
        return Json({"status": "ok", "version": __version__})

    @app.get("/metrics", tags=["Service"], response_class=PlainTextResponse)
    async def numbers() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")
