"""What every request passes first: its key, its limits, and the numbers about it."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from typing import Any

from fastapi import HTTPException
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foretell.errors import ForetellError
from foretell.search.serve import keys
from foretell.search.serve.refusal import Refused, answer, refused
from foretell.search.serve.settings import Settings
from foretell.search.serve.work import Work
from foretell.search.storage.protocol import Backend, Key

FRESH = 1.0  # seconds after which a revoked key opens nothing
STOPPED = "the service was stopped before this was done; send it again"
REMEMBERED = 4096  # keys and addresses


class Gate:
    """Middleware that lets requests through to the app, with the caller in `request.state.caller`."""

    def __init__(self, app: ASGIApp, store: Backend, settings: Settings, work: Work, metrics: Metrics) -> None:
        self._app, self._store, self._settings, self._work, self._metrics = app, store, settings, work, metrics
        self._known: OrderedDict[str, tuple[Key | None, float]] = OrderedDict()
        self._rate = Rate(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._metrics.request(scope) as seen:

            async def tell(message: Message) -> None:
                if message["type"] == "http.response.start":
                    seen.status = message["status"]
                    message["headers"].append((b"x-content-type-options", b"nosniff"))
                await send(message)

            try:
                await self._enter(scope, receive, tell)
            except ForetellError as error:
                await answer(scope["path"], refused(error))(scope, receive, tell)
            except asyncio.CancelledError:  # the service is stopped, and its patience at an end
                if seen.status is None:
                    await answer(scope["path"], Refused(503, STOPPED))(scope, receive, tell)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        secret = _secret(request)
        address = request.client.host if request.client else ""
        caller = await self._caller(secret) if secret else None
        if wait := self._rate.wait(caller.name if caller else f"address {address}"):
            seconds = ceil(wait)
            raise Refused(429, f"too many requests; try again in {seconds} s", Retry_After=str(seconds))
        if secret and caller is None:
            raise Refused(401, "this API key is not known here, or was revoked", WWW_Authenticate="Bearer")
        request.state.caller = caller
        most = self._settings.upload if scope["method"] == "PUT" else self._settings.body
        if (packed := request.headers.get("content-encoding", "identity")) != "identity":
            raise Refused(415, f"the body is compressed ({packed:.20}); send it as it is")
        said = request.headers.get("content-length", "0")
        if not said.isdecimal() or int(said) > most:
            raise Refused(413, _large(most))
        await self._app(scope, _at_most(most, receive), send)

    async def _caller(self, secret: str) -> Key | None:
        key, until = self._known.get(secret, (None, 0.0))
        if until < time.monotonic():
            key = await self._work.search(lambda: keys.find(self._store, secret))
            self._known[secret] = key, time.monotonic() + FRESH
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return key


class Rate:
    """A bucket of tokens for everyone: so many a second, twice as many at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when there were so many

    def wait(self, who: str) -> float:
        """Take a token. Returns 0, or the seconds until there is one."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        full = max(2 * self._rate, 1.0)
        tokens, then = self._buckets.pop(who, (full, now))
        tokens = min(full, tokens + (now - then) * self._rate)
        granted = tokens >= 1
        self._buckets[who] = tokens - granted, now
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)  # who has been away longest has a full one anyway
        return 0.0 if granted else (1 - tokens) / self._rate


class Metrics:
    """Numbers for Prometheus."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        names = ("method", "route")
        self._requests = Counter("foretell_requests", "Requests", [*names, "status"], registry=self._registry)
        self._seconds = Histogram(
            "foretell_request_seconds",
            "Seconds from a request's head to the end of its answer",
            names,
            registry=self._registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # to look a label up costs 10 µs
        self.working = Gauge("foretell_requests_working", "Requests at work", registry=self._registry)

    def request(self, scope: Scope) -> Seen:
        """A request to be watched."""
        return Seen(self, scope)

    def saw(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request that is done."""
        name = method, route, status
        if name not in self._children:
            self._children[name] = self._requests.labels(*name), self._seconds.labels(method, route)
        requests, times = self._children[name]
        requests.inc()
        times.observe(seconds)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self._registry)


class Seen:
    """A request while it is watched."""

    def __init__(self, metrics: Metrics, scope: Scope) -> None:
        self._metrics, self._scope = metrics, scope
        self.status: int | None = None  # until the answer begins

    def __enter__(self) -> Seen:
        self._start = time.perf_counter()
        self._metrics.working.inc()
        return self

    def __exit__(self, *_: object) -> None:
        route: Any = self._scope.get("route")  # paths that are no routes are counted as one
        seconds = time.perf_counter() - self._start
        method = self._scope["method"] if route else "any"
        self._metrics.saw(method, getattr(route, "path", "none"), self.status or 500, seconds)
        self._metrics.working.dec()


def _secret(request: Request) -> str | None:
    """The key that a request brings, as Dria's clients do or as others do."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return request.headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else None) or None


def _at_most(most: int, receive: Receive) -> Callable[[], Any]:
    """The request's body, as long as it is no larger, whatever it said of itself."""
    left = most

    async def limited() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, _large(most))
        return message

    return limited


def _large(most: int) -> str:
    return f"the request is larger than {most:,} bytes, or does not say how large"
