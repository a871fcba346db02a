"""`foretell mcp`: a store as tools of an agent, over standard input and output."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from foretell.cli.flags import Usage, parse
from foretell.cli.serve import MODULES
from foretell.cli.store import AGENT_MODEL, RERANKER, STORE


@dataclass(frozen=True)
class Mcp:
    """Give an agent the knowledges of a store as tools of MCP, over standard input and output: the agent starts it."""

    store: Annotated[str, arg(help=f"{STORE}; the folder is made if there is none", aliases=["--data"])]
    files: Annotated[tuple[Path, ...], arg(help="folders: the agent may add and look at the files in them")] = ()
    read_only: Annotated[bool, arg(help="without the tools that write")] = False
    owner: Annotated[str, arg(help="owner of the knowledges that the agent makes, and calls by their names")] = ""
    model: Annotated[tuple[str, ...], AGENT_MODEL] = ()
    reranker: Annotated[str | None, RERANKER] = None


def mcp(args: list[str]) -> None:
    """Give an agent the knowledges of a store as tools of MCP: foretell mcp --store DIR [--files FOLDER]."""
    flags = parse(Mcp, args, "mcp")
    for folder in flags.files:
        if not folder.is_dir():
            raise Usage(f"--files {folder} is not a folder, expected one whose files the agent may read")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a call must not start a download
    from foretell.extras import needed

    for module in (*MODULES, "mcp"):
        needed(module, "foretell mcp")
    from foretell.agents import stdio
    from foretell.agents.models import ServedModels
    from foretell.search import open_backend
    from foretell.search.models.cross_encoder import DEFAULT
    from foretell.search.models.load import load_reranker

    if flags.reranker:
        load_reranker(flags.reranker)  # a misspelt name is noticed now, not at the first search
    with contextlib.closing(open_backend(flags.store, create=True)) as store:
        stdio.serve(
            store,
            reranker=flags.reranker or DEFAULT,
            models=ServedModels(flags.model),
            owner=flags.owner,
            folders=flags.files,
            read_only=flags.read_only,
        )
