"""`foretell serve`: serve a store over HTTP."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from foretell.cli.flags import Usage, parse
from foretell.cli.store import RERANKER, STORE
from foretell.errors import Range, check_range

MODULES = ("fastapi", "uvicorn", "orjson", "prometheus_client", "google.protobuf")
"""The packages that a service needs beyond the core."""


@dataclass(frozen=True)
class Serve:
    """Serve a store over HTTP: its own API, and the paths that Dria's clients use."""

    data: Annotated[str, arg(help=f"{STORE}; the folder is made if there is none", aliases=["--store"])]
    host: Annotated[str, arg(help="address to listen at; 0.0.0.0 for all addresses of this machine")] = "127.0.0.1"
    port: Annotated[int, arg(help="port to listen at; 0 for any free port")] = 8000
    rate: Annotated[float, arg(help="requests a second of one key or address; 0 for no limit")] = 50.0
    body: Annotated[int, arg(help="the largest request, in megabytes")] = 32
    upload: Annotated[int, arg(help="the largest uploaded file, in megabytes")] = 256
    cors: Annotated[tuple[str, ...], arg(help="origins: their pages may call the service from a browser")] = ()
    reranker: Annotated[str | None, RERANKER] = None


def serve(args: list[str]) -> None:
    """Serve a store over HTTP: foretell serve --data DIR [--host ADDRESS] [--port PORT]."""
    flags = parse(Serve, args, "serve")
    check_range("--port", flags.port, Range(0, 65_535), Usage)
    if flags.rate < 0 or flags.body < 1 or flags.upload < 1:
        raise Usage("rate, body and upload cannot be negative, and body and upload not 0")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a request must not start a download
    from foretell.extras import needed

    for module in MODULES:
        needed(module, "foretell serve")
    from foretell.http.settings import Settings
    from foretell.search import open_backend
    from foretell.search.models.cross_encoder import DEFAULT
    from foretell.search.models.load import load_reranker
    from foretell.search.serve import keys
    from foretell.search.serve.app import serve as run

    if flags.reranker:
        load_reranker(flags.reranker)  # a misspelt name is noticed now, not at the first search
    settings = Settings(flags.rate, flags.body << 20, flags.upload << 20, flags.cors)
    with contextlib.closing(open_backend(flags.data, create=True)) as store:
        if not any(key.revoked is None for key in keys.list_keys(store)):
            print(
                f"foretell: there is no key yet, so only public knowledges can be read: "
                f"foretell keys create NAME --scope write --store {flags.data}",
                file=sys.stderr,
            )
        run(store, flags.host, flags.port, settings, flags.reranker or DEFAULT)
