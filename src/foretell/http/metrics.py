"""Numbers about the requests of a service, for Prometheus."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import Scope

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
"""Upper ends of the histogram's bins."""


class Metrics:
    """Counts requests and measures how long they take, for each method and route."""

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
            buckets=SECONDS,
        )
        self._labelled: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # looking a label up costs 10 µs
        self.working = Gauge("foretell_requests_working", "Requests at work", registry=self._registry)

    def request(self, scope: Scope) -> Watched:
        """Watch a request: `with metrics.request(scope) as watched`."""
        return Watched(self, scope)

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        name = method, route, status
        if name not in self._labelled:
            self._labelled[name] = self._requests.labels(*name), self._seconds.labels(method, route)
        requests, times = self._labelled[name]
        requests.inc()
        times.observe(seconds)

    def text(self) -> bytes:
        """All numbers, in the format that Prometheus reads."""
        return generate_latest(self._registry)


class Watched:
    """A request that is being watched."""

    def __init__(self, metrics: Metrics, scope: Scope) -> None:
        self._metrics, self._scope = metrics, scope
        self.status: int | None = None
        """The status of the answer; None until the answer begins."""

    def __enter__(self) -> Watched:
        self._start = time.perf_counter()
        self._metrics.working.inc()
        return self

    def __exit__(self, *_: object) -> None:
        route: Any = self._scope.get("route")  # all paths without a route are counted as one
        seconds = time.perf_counter() - self._start
        method = self._scope["method"] if route else "any"
        self._metrics.record(method, getattr(route, "path", "none"), self.status or 500, seconds)
        self._metrics.working.dec()
