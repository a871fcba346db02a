"""A request as the routes see it."""

from __future__ import annotations

from fastapi import Request

from foretell.http.work import Work
from foretell.search.knowledge import Knowledge
from foretell.search.serve.library import Library
from foretell.search.storage.protocol import Key


class Call:
    """The caller of a request, and the parts of the service that answer it."""

    def __init__(self, request: Request) -> None:
        self.caller: Key | None = request.state.caller
        """The key that came with the request; None for a request without a key."""
        self.library: Library = request.app.state.library
        self.work: Work = request.app.state.work

    def find(self, name: str, *, write: bool = False) -> Knowledge:
        """A knowledge for this caller. Raises Refused as `Library.find`."""
        return self.library.find(self.caller, name, write=write)
