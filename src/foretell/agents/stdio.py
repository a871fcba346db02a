"""The door over standard input and output: an agent starts `foretell mcp` as a program of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from mcp.server import ServerRequestContext
from mcp.server.stdio import stdio_server

from foretell.agents.desk import Desk
from foretell.agents.models import ServedModels
from foretell.agents.server import TOOLS, server
from foretell.http.work import Work
from foretell.search.query import READ_USUAL
from foretell.search.serve.library import Library
from foretell.search.serve.readers import Readers
from foretell.search.storage.protocol import Backend, Key

WAITING = 128
"""The number of calls that may wait for a thread."""


def serve(
    store: Backend,
    *,
    reranker: str,
    models: ServedModels,
    owner: str = "",
    folders: Sequence[Path] = (),
    read_only: bool = False,
) -> None:
    """Serve a store to one agent until its end of the input closes. The agent may do what the commands may.

    Args:
        store: the store.
        reranker: for every search that asks for one, by name or folder.
        models: for the tools that look at pictures and clips.
        owner: of the knowledges that the agent makes, and calls by their names.
        folders: files in these may be named by their path.
        read_only: without the tools that write.
    """
    library, work, readers = Library(store), Work(WAITING), Readers(reranker, READ_USUAL)
    caller = Key("agent", owner, "admin", "", None)

    def desk(context: ServerRequestContext[Any, Any]) -> Desk:
        report = context.session.report_progress
        return Desk(caller, library, work, readers, models, folders, progress=lambda share: report(share, 1.0))

    served = server(desk, [tool for tool in TOOLS if not (read_only and tool.effects.writes)])

    async def run() -> None:
        async with stdio_server() as (incoming, outgoing):
            await served.run(incoming, outgoing, served.create_initialization_options())

    try:
        anyio.run(run)
    finally:
        work.close()
        models.close()
        readers.close()
        library.close()
