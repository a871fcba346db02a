"""The service with its pages."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse

from foretell.agents.models import ServedModels
from foretell.app import (
    claims,
    clips,
    discoveries,
    door,
    entry,
    frame,
    home,
    imagine,
    kept,
    knowledge,
    knowledges,
    pairs,
    questions,
    runs,
    see,
    session,
    writing,
)
from foretell.app.asking import Asking
from foretell.app.photographs import SentPhotographs
from foretell.errors import ForetellError
from foretell.http.refusal import Refused
from foretell.http.settings import ServiceSettings
from foretell.search.models.cross_encoder import DEFAULT
from foretell.search.serve import app as search
from foretell.search.serve import errors
from foretell.search.serve.choices import DriaChoices
from foretell.search.serve.dria.envelope import PATHS
from foretell.search.storage.protocol import Backend

MACHINES = ("/api/", "/health", "/metrics", "/mcp", *PATHS)
"""On paths that begin so, errors are for programs."""
KEPT = "public, max-age=31536000, immutable"
PAGES = (
    home,
    door,
    writing,
    knowledges,
    knowledge,
    entry,
    imagine,
    see,
    clips,
    pairs,
    questions,
    discoveries,
    runs,
    claims,
    kept,
)


def build(
    store: Backend,
    settings: ServiceSettings | None = None,
    reranker: str = DEFAULT,
    dria: DriaChoices | None = None,
    models: ServedModels | None = None,
    folder: Path | None = None,
) -> FastAPI:
    """The service as an ASGI application, with its pages. It does not close the store, nor the models.

    Args:
        store: the store to serve.
        settings: the limits.
        reranker: the reranker for every search that asks for one, by name or folder.
        dria: what Dria's clients see.
        models: the world models that visitors may ask; None for the shipped ones.
        folder: the folder of training runs that visitors with a key may see; None for none.
    """
    app = search.build(store, settings, reranker, dria, respond=respond, secret=session.secret)
    app.state.models = models or ServedModels()
    app.state.asking = Asking(app.state.models, SentPhotographs())
    app.state.kept = kept.KeptFiles()
    app.state.runs = folder
    app.state.places = {"knowledge", "imagine", "see", "ask", "claims"} | ({"runs", "discover"} if folder else set())
    for module in PAGES:
        app.include_router(module.router, include_in_schema=False)
    add_static(app)
    return app


def respond(request: Request, error: ForetellError) -> Response:
    """Answer an error: a browser gets a page with its sentence, and programs what they expect."""
    if "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith(MACHINES):
        return frame.failed(request, errors.refused(error))
    return errors.respond(request, error)


def add_static(app: FastAPI) -> None:
    """Serve the files that pages load."""
    files = {path.relative_to(frame.STATIC).as_posix(): path for path in frame.STATIC.rglob("*") if path.is_file()}
    files["page.css"] = frame.STYLE

    @app.get("/static/{name:path}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        if name not in files:
            raise Refused(404, f"there is no file {name!r:.80} here")
        current = f"/static/{name}?{request.url.query}" == frame.address(name)
        return FileResponse(files[name], headers={"Cache-Control": KEPT if current else "no-cache"})
