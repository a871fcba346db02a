"""The door over HTTP: `/mcp` of a service, by MCP's streamable HTTP. The gate of the service stands before it.

Every request is complete by itself, so no session has to be kept, and several services can stand behind one address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from mcp.server import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from foretell.agents.desk import Desk
from foretell.agents.models import ServedModels
from foretell.agents.server import server
from foretell.http.refusal import Refused
from foretell.http.settings import ServiceSettings

PATH = "/mcp"


class AgentDoor:
    """The door as an application that a route calls.

    Args:
        manager: speaks MCP.
        names: the host names under which agents may call. Addresses in numbers, and `localhost`, always may.
        origins: web pages of these origins may call.
    """

    path = PATH
    """The name of the route in the numbers of the service."""

    def __init__(self, manager: StreamableHTTPSessionManager, names: Sequence[str], origins: Sequence[str]) -> None:
        self._manager = manager
        self._names = {name.lower() for name in (*names, "localhost")}
        self._origins = set(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises Refused."""
        scope["route"] = self  # FastAPI sets this for its own routes alone
        request = Request(scope)
        if scope["method"] != "POST":
            raise Refused(405, f"{scope['method']} is not for this path: send POST", Allow="POST")
        self._check(request.headers.get("host", ""), request.headers.get("origin"))
        await self._manager.handle_request(scope, receive, send)

    def _check(self, host: str, origin: str | None) -> None:
        """Refuse a page that has led a browser here under a name of its own (DNS rebinding), and foreign pages.

        An address in numbers cannot be such a name.
        """
        if not self._known(_name(f"//{host}")):
            raise Refused(421, f"the host {host!r:.80} is not served here: start foretell serve with --agent-host NAME")
        if origin is not None and origin not in self._origins and not self._known(_name(origin)):
            raise Refused(403, f"pages of {origin!r:.80} may not call: start foretell serve with --cors ORIGIN")

    def _known(self, name: str | None) -> bool:
        return name is not None and (name in self._names or _number(name))


def open_door(app: FastAPI, models: ServedModels, settings: ServiceSettings, names: Sequence[str] = ()) -> None:
    """Open the door at `/mcp` of a service.

    Args:
        app: from `foretell.search.serve.app.build`.
        models: for the tools that look at pictures and clips.
        settings: the limits of the service.
        names: as of `AgentDoor`.
    """

    def desk(context: ServerRequestContext[Any, Any]) -> Desk:
        state, request, report = app.state, context.request, context.session.report_progress
        assert isinstance(request, Request)  # the transport gives what the gate has let through
        served = state.library, state.work, state.readers, models
        return Desk(request.state.caller, *served, progress=lambda share: report(share, 1.0))

    manager = StreamableHTTPSessionManager(server(desk), stateless=True, max_request_body_size=settings.body)
    route = Route(PATH, AgentDoor(manager, names, settings.cors), name="agents", include_in_schema=False)
    app.router.routes.append(route)
    life = app.router.lifespan_context

    @asynccontextmanager
    async def both(served: Any) -> AsyncIterator[Any]:
        async with life(served) as state, manager.run():
            yield state
        models.close()

    app.router.lifespan_context = both


def _name(address: str) -> str | None:
    """The host in an address, without its port; None where there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
