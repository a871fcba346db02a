"""The limits of a service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceSettings:
    """What a service allows."""

    rate: float = 50.0
    """Requests a second of one key, or of one address without a key. Twice as many may come at once. 0: no limit."""
    body: int = 32 << 20
    """The largest request, in bytes."""
    upload: int = 256 << 20
    """The largest uploaded file (a PUT request), in bytes."""
    cors: tuple[str, ...] = ()
    """Origins: their pages may call the service from a browser. None by default."""
    reranked: int = 50
    """The most passages that a reranker reads for a request with a key, 1 to 200. Requests without one get 20."""
    waiting: int = 128
    """The number of requests that may wait for a thread. The service refuses more, and asks to try again."""
