"""`foretell serve`: serve a store over HTTP."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from foretell.cli.flags import Usage, at_least, parse
from foretell.cli.store import AGENT_MODEL, RERANKER, STORE
from foretell.errors import Range, check_range

if TYPE_CHECKING:
    from fastapi import FastAPI

    from foretell.agents.models import ServedModels
    from foretell.http.settings import ServiceSettings

MODULES = ("fastapi", "uvicorn", "orjson", "prometheus_client", "google.protobuf", "jinja2")
"""The packages that a service needs beyond the core."""


@dataclass(frozen=True)
class Serve:
    """Serve a store over HTTP: pages, its own API, /mcp for agents, and the paths that Dria's clients use."""

    data: Annotated[str, arg(help=f"{STORE}; the folder is made if there is none", aliases=["--store"])]
    host: Annotated[str, arg(help="address to listen at; 0.0.0.0 for all addresses of this machine")] = "127.0.0.1"
    port: Annotated[int, arg(help="port to listen at; 0 for any free port")] = 8000
    rate: Annotated[float, arg(help="requests a second of one key or address; 0 for no limit")] = 50.0
    body: Annotated[int, arg(help="the largest request, in megabytes")] = 32
    upload: Annotated[int, arg(help="the largest uploaded file, in megabytes")] = 256
    cors: Annotated[tuple[str, ...], arg(help="origins: their pages may call the service from a browser")] = ()
    reranker: Annotated[str | None, RERANKER] = None
    reranked: Annotated[int, arg(help="passages that the reranker reads for a request at most, 1 to 200")] = 50
    dria_model: Annotated[
        str | None, arg(help="name under which Dria's clients see the shipped model, such as bge-base-en-v1.5")
    ] = None
    dria_hybrid: Annotated[bool, arg(help="let searches of Dria's clients also look for the query's words")] = False
    agent_host: Annotated[
        tuple[str, ...], arg(help="host names under which agents call /mcp; addresses and localhost need none")
    ] = ()
    model: Annotated[tuple[str, ...], AGENT_MODEL] = ()


def serve(args: list[str]) -> None:
    """Serve a store over HTTP: foretell serve --data DIR [--host ADDRESS] [--port PORT]."""
    flags = parse(Serve, args, "serve")
    check_range("--port", flags.port, Range(0, 65_535), Usage)
    at_least(flags, rate=0, body=1, upload=1)
    check_range("--reranked", flags.reranked, Range(1, 200, whole=True), Usage)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a request must not start a download
    from foretell.extras import needed

    for module in MODULES:
        needed(module, "foretell serve")
    from foretell.agents.models import ServedModels
    from foretell.app.service import build
    from foretell.http.service import run
    from foretell.http.settings import ServiceSettings
    from foretell.search import open_backend
    from foretell.search.models.cross_encoder import DEFAULT
    from foretell.search.models.load import load_reranker
    from foretell.search.serve import keys
    from foretell.search.serve.choices import DriaChoices

    if flags.reranker:
        load_reranker(flags.reranker)  # a misspelt name is noticed now, not at the first search
    settings = ServiceSettings(flags.rate, flags.body << 20, flags.upload << 20, flags.cors, flags.reranked)
    dria = DriaChoices(flags.dria_model, flags.dria_hybrid)
    with contextlib.closing(open_backend(flags.data, create=True)) as store:
        if not any(key.revoked is None for key in keys.list_keys(store)):
            print(
                f"foretell: there is no key yet, so only public knowledges can be read: "
                f"foretell keys create NAME --scope write --store {flags.data}",
                file=sys.stderr,
            )
        with contextlib.closing(ServedModels(flags.model)) as models:
            app = build(store, settings, flags.reranker or DEFAULT, dria, models)
            open_to_agents(app, settings, (flags.host, *flags.agent_host), models)
            run(app, flags.host, flags.port, store.where)


def open_to_agents(app: FastAPI, settings: ServiceSettings, names: Sequence[str], models: ServedModels) -> None:
    """Open /mcp of a service. Where the package for it is missing, its path says how to get it."""
    from foretell.extras import MissingExtra, needed
    from foretell.http.refusal import Refused

    try:
        needed("mcp", "the door for agents")
    except MissingExtra as error:
        sentence = str(error)

        @app.api_route("/mcp", methods=["GET", "POST"], include_in_schema=False)
        async def closed() -> None:
            raise Refused(501, sentence)

        return
    from foretell.agents.http import open_door

    open_door(app, models, settings, names)
