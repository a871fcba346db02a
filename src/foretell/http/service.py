"""A FastAPI application that answers every error in one sentence, and a server that runs it."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from foretell.errors import ForetellError
from foretell.http.refusal import Refused, Respond

log = logging.getLogger(__name__)

PATIENCE = 20
"""Seconds that running requests have to end when the service is stopped. Then they are told to stop."""
SILENCE = 30
"""Seconds after which a connection is closed if its client has not sent a whole request, or does not answer."""
CONNECTIONS = 1000
"""The most connections at a time."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Service(FastAPI):
    """FastAPI, with an OpenAPI page that describes how to send a key. Public contents need no key."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI page."""
        page = super().openapi()
        page["components"]["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
        page["security"] = [{"key": []}, {"bearer": []}, {}]
        return page


def add_error_handlers(app: FastAPI, respond: Respond) -> None:
    """Answer every error of the app through `respond`."""

    @app.exception_handler(ForetellError)
    async def failed(request: Request, error: ForetellError) -> Response:
        return respond(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first, kind = error.errors()[0], request.headers.get("content-type", "").partition(";")[0]
        if first["loc"] == ("body",) and first["type"] != "missing" and not kind.endswith("json"):
            found = f"the body has the type {kind or 'none'!r:.60}"
            sentence = f"{found}; send JSON, with the header Content-Type: application/json"
            return respond(request, Refused(415, sentence))
        return respond(request, Refused(400, _sentence(error)))

    @app.exception_handler(HTTPException)
    async def not_served(request: Request, error: HTTPException) -> Response:
        sentences = {404: "there is nothing at this path", 405: f"{request.method} is not for this path"}
        refusal = Refused(error.status_code, sentences.get(error.status_code, error.detail))
        refusal.headers |= error.headers or {}
        if error.status_code == 405:  # Starlette asks only the first route of a path
            refusal.headers["Allow"] = ", ".join(_allowed(app, request))
        return respond(request, refusal)

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, _: ClientDisconnect) -> Response:
        return Response(status_code=499)  # no client reads this; it keeps a traceback out of the log

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> Response:
        return respond(request, Refused(500, "something is wrong with the service; see its log"))


def run(app: FastAPI, host: str, port: int, served: str) -> None:
    """Serve an app until SIGINT or SIGTERM. Running requests may end first.

    Args:
        app: the application. If its `state.ended` is false at the end, work goes on that cannot be stopped. Then the
            process ends at once.
        host: the address to listen at.
        port: the port; 0 for any free port.
        served: the name of the service, in the line that this prints.

    Raises:
        ForetellError: the service cannot listen at this address.
    """
    config = uvicorn.Config(
        app,
        host,
        port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=PATIENCE,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        http=impatient(AutoHTTPProtocol),
    )
    with _bound(host, port) as listening:
        shown = f"[{host}]" if ":" in host else host
        print(f"serving {served} at http://{shown}:{listening.getsockname()[1]}", flush=True)
        with suppress(KeyboardInterrupt):  # uvicorn has ended everything by then, and raises it again
            uvicorn.Server(config).run([listening])
    if not getattr(app.state, "ended", True):  # nothing of this was confirmed, and nothing confirmed is lost
        log.warning("some work did not stop, and is given up")
        logging.shutdown()
        os._exit(0)


def _bound(host: str, port: int) -> socket.socket:
    listening: socket.socket | None = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _watch(listening)
        listening.bind(address)
        listening.listen(2048)  # from here on, a client that connects waits rather than fails
    except (OSError, OverflowError) as error:
        if listening:
            listening.close()
        reason = getattr(error, "strerror", None) or error
        raise ForetellError(f"cannot serve at {host}:{port} ({reason}); choose another --host or --port") from None
    return listening


def impatient(protocol: type[Any]) -> type[Any]:
    """A protocol of uvicorn that closes a connection whose client keeps it waiting for `SILENCE` seconds.

    The head of a request must be there in this time, and no pause in its body may be longer.
    """

    class Impatient(protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._heard = self.loop.time()
            self._check()

        def data_received(self, data: bytes) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._heard = self.loop.time()  # a part of a body; bytes of a head do not give it more time
            super().data_received(data)

        def _check(self) -> None:
            if self.transport.is_closing():
                return
            left = self._heard + SILENCE - self.loop.time()
            asked = self.cycle is not None and not self.cycle.response_complete
            if asked and (self.flow.read_paused or not self.cycle.more_body):  # it is the service's turn
                self._heard, left = self.loop.time(), SILENCE
            elif left <= 0:
                self.transport.close()
                return
            self.loop.call_later(left, self._check)

    return Impatient


def _watch(listening: socket.socket) -> None:
    """Make the system notice clients that are gone without a word. Connections inherit these settings."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    times = {"TCP_KEEPIDLE": SILENCE // 2, "TCP_KEEPINTVL": SILENCE // 6, "TCP_KEEPCNT": 3}
    for option, value in (times | {"TCP_USER_TIMEOUT": 1000 * SILENCE}).items():
        if hasattr(socket, option):  # names of Linux
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods that the path of a request takes."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    found = [
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] == Match.FULL for route in app.router.routes)
    ]
    return ["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found  # the gate turns HEAD into GET


def _sentence(error: RequestValidationError) -> str:
    """The first error: its place, and what was expected."""
    first = error.errors()[0]
    where = ".".join(str(each) for each in first["loc"][1:] if not isinstance(each, int)) or "the body"
    if first["type"] == "json_invalid":
        return f"the body is not JSON ({first['ctx']['error']})"
    return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"
