"""What a service allows."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.search.models.cross_encoder import DEFAULT


@dataclass(frozen=True)
class Settings:
    """Limits of a service, and its reranker."""

    rate: float = 50.0
    """Requests a second of one key, or of one address without a key; twice as many at once. 0 for no limit."""
    body: int = 32 << 20
    """Bytes of a request."""
    upload: int = 256 << 20
    """Bytes of a file that is added."""
    cors: tuple[str, ...] = ()
    """Origins whose pages may call the service from a browser; none by default."""
    reranker: str = DEFAULT
    """What reads the best where a search asks for it, by name or folder."""
    waiting: int = 128
    """Requests that wait for a thread; more are told to come back."""
