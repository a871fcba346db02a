"""The gate: every request passes it first. It checks the key and the limits, and counts the request."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from typing import Any, Protocol

from fastapi import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foretell.errors import ForetellError
from foretell.http.metrics import Metrics
from foretell.http.refusal import Refused, Respond
from foretell.http.settings import ServiceSettings
from foretell.http.work import STOPPED, Work

FRESH = 1.0
"""Seconds for which a key is remembered. A revoked key opens nothing after that time."""
REMEMBERED = 4096
"""The number of keys that are remembered, and of callers' rates."""
FORM = "multipart/form-data"
"""The type of a form with files, as browsers and `curl -F` send it."""
FREE = ("/health", "/metrics")
"""These paths are outside of the limits on a caller's rate: who watches the service must not be refused."""


class Caller(Protocol):
    """The holder of a key."""

    @property
    def name(self) -> str:
        """The name of the key, different for every key."""
        ...


class Gate:
    """Middleware that lets requests through to the app, with the caller in `request.state.caller`.

    The caller is None for a request without a key.

    Args:
        app: the application behind the gate.
        find: returns the caller that holds a key, or None for a key that is not known. It runs in a thread.
        respond: turns an error into an answer.
        settings: the limits.
        work: the threads.
        metrics: counts the requests.
        secret: finds the key in a request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        find: Callable[[str], Caller | None],
        respond: Respond,
        settings: ServiceSettings,
        work: Work,
        metrics: Metrics,
        secret: Callable[[Request], str | None] | None = None,
    ) -> None:
        self._app, self._find, self._respond, self._secret = app, find, respond, secret or in_headers
        self._settings, self._work, self._metrics = settings, work, metrics
        self._known: OrderedDict[str, tuple[Caller, float]] = OrderedDict()  # with the time it is fresh until
        self._rate = Rate(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # the server leaves the body of the answer out
            scope = {**scope, "method": "GET"}
        with self._metrics.request(scope) as watched:

            async def watched_send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    watched.status = message["status"]
                    message["headers"].append((b"x-content-type-options", b"nosniff"))
                await send(message)

            try:
                await self._enter(scope, receive, watched_send)
            except ForetellError as error:
                await self._respond(Request(scope), error)(scope, receive, watched_send)
            except asyncio.CancelledError:  # the service stops, and the request had its time to end
                if watched.status is None:
                    await self._respond(Request(scope), Refused(503, STOPPED))(scope, receive, watched_send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        secret = self._secret(request)
        address = request.client.host if request.client else ""
        request.state.caller = None if scope["path"] in FREE else await self._admitted(secret, f"address {address}")
        files = scope["method"] == "PUT" or request.headers.get("content-type", "").startswith(FORM)
        limit = self._settings.upload if files else self._settings.body
        if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
            raise Refused(415, f"the body is compressed ({encoding:.20}); send it as it is")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            raise Refused(413, _too_large(limit))
        await self._app(scope, _limited(receive, limit), send)

    async def _admitted(self, secret: str | None, address: str) -> Caller | None:
        """The caller, within its rate.

        A key that has to be looked up takes a token of its address for that, and gives it back if there is such a key.
        So nobody can make the service look up keys faster than its rate.
        """
        caller, until = self._known.get(secret, (None, 0.0)) if secret else (None, 0.0)
        if caller is None or until < time.monotonic():
            if secret is None:
                self._take(address)
                return None
            self._take(f"keys of {address}")
            caller = await self._work.search(lambda: self._find(secret))
            if caller is None:
                raise Refused(401, "this API key is not known here, or was revoked", WWW_Authenticate="Bearer")
            self._rate.give(f"keys of {address}")
            self._known[secret] = caller, time.monotonic() + FRESH
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._take(caller.name)
        return caller

    def _take(self, caller: str) -> None:
        if wait := self._rate.wait(caller):
            seconds = ceil(wait)
            raise Refused(429, f"too many requests; try again in {seconds} s", Retry_After=str(seconds))


class Rate:
    """A token bucket for each caller: `rate` requests a second, and twice as many at once.

    Args:
        rate: requests a second; 0 for no limit.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and the time of that count

    def wait(self, caller: str) -> float:
        """Take a token. Returns 0, or the seconds until there is a token."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        full = max(2 * self._rate, 1.0)
        tokens, then = self._buckets.pop(caller, (full, now))
        tokens = min(full, tokens + (now - then) * self._rate)
        granted = tokens >= 1
        self._buckets[caller] = tokens - granted, now
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)  # the caller that was away longest: that bucket is most likely full
        return 0.0 if granted else (1 - tokens) / self._rate

    def give(self, caller: str) -> None:
        """Give a token back."""
        if caller in self._buckets:
            tokens, then = self._buckets[caller]
            self._buckets[caller] = tokens + 1, then


def in_headers(request: Request) -> str | None:
    """The key in the headers: `x-api-key`, or `Authorization: Bearer`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return request.headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else None) or None


def _limited(receive: Receive, limit: int) -> Callable[[], Any]:
    """Receive the body, and refuse it once it is larger than the limit: a body sent in chunks names no length."""
    left = limit

    async def limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, _too_large(limit))
        return message

    return limited


def _too_large(limit: int) -> str:
    return f"the request is larger than {limit:,} bytes, or does not say how large"
