"""A request as the routes see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fastapi import Request

from foretell.http.work import Work, unless_left
from foretell.search.knowledge import Knowledge
from foretell.search.query import H
from foretell.search.serve.choices import DriaChoices
from foretell.search.serve.library import Library, counted_as
from foretell.search.serve.readers import Readers
from foretell.search.storage.protocol import Key

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")


class Call:
    """The caller of a request, and the parts of the service that answer it. Work stops when the caller leaves."""

    def __init__(self, request: Request) -> None:
        self.caller: Key | None = request.state.caller
        """The key that came with the request; None for a request without a key."""
        self.library: Library = request.app.state.library
        self.work: Work = request.app.state.work
        self.readers: Readers = request.app.state.readers
        self.dria: DriaChoices = request.app.state.dria
        self._receive = request.receive

    @property
    def who(self) -> str:
        """The name under which long work is counted. All requests without a key have one name together."""
        return counted_as(self.caller)

    def find(self, name: str, *, write: bool = False) -> Knowledge:
        """A knowledge for this caller. Raises Refused as `Library.find`."""
        return self.library.find(self.caller, name, write=write)

    async def search(self, call: Callable[[], T], *, quick: bool = False) -> T:
        """Run a call that reads, as `Work.search`."""
        return call() if quick else await unless_left(self._receive, self.work.search(call))

    async def write(self, call: Callable[[], T]) -> T:
        """Run a call that writes, as `Work.write`."""
        return await unless_left(self._receive, self.work.write(call, self.who))

    def depth(self, top: int, rerank: bool) -> int:
        """How many results to find for `top` of them, which are perhaps reranked."""
        return self.readers.depth(top, self.caller is not None) if rerank else top

    async def rerank(self, query: str, hits: Sequence[H], top: int) -> Sequence[H]:
        """The best results, of which a reranker has read some. Searches do not wait for it."""
        keyed = self.caller is not None
        reading = self.work.readers.run(lambda: self.readers.rerank(query, hits, top, keyed), self.who)
        return await unless_left(self._receive, reading)

    async def pixels(self, name: str, file: Path | bytes) -> np.ndarray:
        """What the model of a knowledge sees of a picture or a video, decoded in a process of its own."""
        decoding = self.work.pictures.run(lambda: self.readers.pixels(self.find(name).model, file), self.who)
        return await unless_left(self._receive, decoding)
