"""Commands of the search half."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from foretell.cli.flags import Usage, at_least, first, output, parse, summary, table
from foretell.errors import ForetellError

STORE = "folder of the store, or milvus://HOST:PORT[/DATABASE]"
RERANKER = arg(help="what reranks, instead of ms-marco-MiniLM-L-12-v2: a cross-encoder or a ColBERT, name or folder")


@dataclass(frozen=True)
class InStore:
    """A knowledge of a store."""

    name: Annotated[Positional[str], arg(help="of the knowledge, or its contract id", metavar="NAME")]
    store: Annotated[str, arg(help=STORE)]


@dataclass(frozen=True)
class KnowledgeCreate(InStore):
    """Make an empty knowledge; the store is made if need be."""

    model: Annotated[
        str, arg(help="what embeds it: a text model's name or folder, or a world model for photographs and videos")
    ] = "bge-small-en-v1.5"
    title: str = ""
    description: str = ""
    category: Annotated[str, arg(help="such as 'Artificial Intelligence'")] = ""
    owner: str = ""
    public: Annotated[bool, arg(help="let everyone read it where it is served")] = False


@dataclass(frozen=True)
class KnowledgeAdd(InStore):
    """Add files: what was added before adds nothing, what has changed replaces its own entries."""

    files: Annotated[Positional[tuple[Path, ...]], arg(help="files and folders", metavar="FILE")]
    text: Annotated[str | None, arg(help="the column to search, of tables and records")] = None
    password: Annotated[str | None, arg(help="opens encrypted PDF files")] = None
    json: Annotated[bool, arg(help="print JSON instead of a sentence")] = False


@dataclass(frozen=True)
class KnowledgeEmbed(InStore):
    """Embed every row of a data set in parallel (Ray Data): for passages or images by the million."""

    data: Annotated[str, arg(help="Parquet file, folder of them, or Lance data set (*.lance)")]
    column: Annotated[str | None, arg(help="what is embedded: texts, or the bytes of images; the others: metadata")] = (
        None
    )
    workers: Annotated[int | None, arg(help="actors that embed; by default one a processor core")] = None
    ray: Annotated[str | None, arg(help="address of a Ray cluster; by default RAY_ADDRESS, or this machine")] = None
    json: Annotated[bool, arg(help="print JSON instead of a sentence")] = False


@dataclass(frozen=True)
class KnowledgeList:
    """List the knowledges of a store."""

    store: Annotated[str, arg(help=STORE)]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False


@dataclass(frozen=True)
class KnowledgeShow(InStore):
    """Show what a knowledge says of itself."""

    json: Annotated[bool, arg(help="print JSON instead of lines")] = False


@dataclass(frozen=True)
class KnowledgeSearch(InStore):
    """Find what is nearest in meaning."""

    query: Annotated[
        Positional[str],
        arg(help="a text, or the path of a photograph or a video in a knowledge of these", metavar="QUERY"),
    ]
    top: Annotated[int, arg(help="how many results")] = 10
    level: Annotated[int, arg(help="how hard to look, 0 to 4; matters in large knowledges")] = 2
    filter: Annotated[
        tuple[str, ...], arg(help="conditions on metadata: lang=en 'year>=2020'; one field = twice: any of them")
    ] = ()
    rerank: Annotated[bool, arg(help="let a reranker read the best and sort them")] = False
    reranker: Annotated[str | None, RERANKER] = None
    hybrid: Annotated[bool, arg(help="also look for the query's words (BM25), and fuse the two rankings")] = False
    imagine: Annotated[
        tuple[str, ...], arg(help="photographs: look for the query as a world model imagines it: brightness=0.6")
    ] = ()
    json: Annotated[bool, arg(help="print JSON instead of text")] = False


@dataclass(frozen=True)
class KnowledgeExport(InStore):
    """Write a knowledge to a Parquet file."""

    out: Annotated[Path, arg(help="the file to write")]


@dataclass(frozen=True)
class KnowledgeImport:
    """Make a knowledge of a file that `export` wrote."""

    file: Annotated[Positional[Path], arg(help="the Parquet file", metavar="FILE")]
    store: Annotated[str, arg(help=STORE)]
    name: Annotated[str | None, arg(help="what to call it; else what it was called")] = None


@dataclass(frozen=True)
class KnowledgeFiles(InStore):
    """List the files that were added."""

    json: Annotated[bool, arg(help="print JSON instead of a table")] = False


@dataclass(frozen=True)
class KnowledgeRemove(InStore):
    """Delete a knowledge and all that is in it, for ever; with --file, the entries of one file only."""

    file: Annotated[str | None, arg(help="path or name of a file that was added")] = None


@dataclass(frozen=True)
class KnowledgeBackup:
    """Copy a whole store as it is now; the copy is a store."""

    store: Annotated[str, arg(help=STORE)]
    out: Annotated[Path, arg(help="folder for the copy")]


KNOWLEDGE = {
    "create": KnowledgeCreate,
    "add": KnowledgeAdd,
    "embed": KnowledgeEmbed,
    "list": KnowledgeList,
    "show": KnowledgeShow,
    "files": KnowledgeFiles,
    "search": KnowledgeSearch,
    "export": KnowledgeExport,
    "import": KnowledgeImport,
    "remove": KnowledgeRemove,
    "backup": KnowledgeBackup,
}


def knowledge(args: list[str]) -> None:
    """Collections to search: foretell knowledge create|add|embed|list|show|files|search|export|import|remove|backup."""
    from foretell.search import Knowledge, open_backend
    from foretell.search.models import load_model

    action = first(args, "knowledge", "COMMAND", {name: summary(schema) for name, schema in KNOWLEDGE.items()})
    match parse(KNOWLEDGE[action], args[1:], f"knowledge {action}"):
        case KnowledgeCreate() as f:
            load_model(f.model)  # a misspelt name is noticed now, not when files are added
            about = {"title": f.title, "description": f.description, "category": f.category, "owner": f.owner}
            with Knowledge.create(f.store, f.name, model=f.model, public=f.public, **about) as made:
                print(made.about.contract_id)
        case KnowledgeAdd() as f:
            if not f.files:
                raise Usage("knowledge add needs a FILE, and none is given (see foretell knowledge add --help)")
            with Knowledge.open(f.store, f.name) as opened:
                added = opened.add(*f.files, text=f.text, password=f.password, progress=True)
            for file, reason in added.skipped:
                print(f"foretell: skipped {file}: {reason}", file=sys.stderr)
            if not added.files + added.unchanged:
                raise ForetellError("no file could be used")
            if f.json:
                print(json.dumps(asdict(added), indent=2))
            else:
                gone = f", {added.removed} removed" if added.removed else ""
                print(f"{added.entries} entries of {added.files} files added{gone}; {added.unchanged} files unchanged")
        case KnowledgeEmbed() as f:
            from foretell.search.job import embed

            at_least(f, workers=1)
            done = embed(f.store, f.name, f.data, column=f.column, workers=f.workers, address=f.ray, progress=True)
            for row, reason in done.skipped:
                print(f"foretell: skipped {row}: {reason}", file=sys.stderr)
            if f.json:
                print(json.dumps(asdict(done), indent=2))
            else:
                print(
                    f"{done.entries} entries of {done.rows} rows added; {done.unchanged} were there, "
                    f"{done.unusable} rows unusable"
                )
        case KnowledgeList() as f:
            every = Knowledge.list(f.store)
            if f.json:
                print(json.dumps([asdict(about) for about in every], indent=2))
            elif every:
                print(table({each.name: f"{each.count} entries  {each.model}  {each.title}" for each in every}))
        case KnowledgeShow() as f:
            with Knowledge.open(f.store, f.name) as opened:
                about = asdict(opened.about)
            print(json.dumps(about, indent=2) if f.json else table({k: str(v) for k, v in about.items()}))
        case KnowledgeSearch() as f:
            from foretell.search import filters

            changes = _changes(f.imagine)
            with Knowledge.open(f.store, f.name) as opened:
                hits = opened.search(
                    f.query,
                    f.top,
                    level=f.level,
                    filter=filters.parse(f.filter) if f.filter else None,
                    rerank=f.reranker or f.rerank,
                    hybrid=f.hybrid,
                    imagine=changes,
                )
            if f.json:
                print(json.dumps({"results": [asdict(hit) for hit in hits]}, indent=2, ensure_ascii=False))
                return
            for hit in hits:
                time = f"{hit.time[0]:.1f}–{hit.time[1]:.1f} s" if hit.time else ""
                page = f"page {hit.page}" if hit.page is not None else ""
                where = "  ".join(filter(None, (str(hit.metadata.get("source", "")), page, time)))
                print(f"{hit.score:.3f}  {hit.id}  {where}" + (f"\n{hit.text}\n" if hit.text else ""))
        case KnowledgeExport() as f:
            output("--out", f.out)
            with Knowledge.open(f.store, f.name) as opened:
                print(opened.export(f.out))
        case KnowledgeImport() as f:
            with Knowledge.import_(f.store, f.file, f.name) as made:
                print(made.about.contract_id)
        case KnowledgeFiles() as f:
            with Knowledge.open(f.store, f.name) as opened:
                files = opened.files()
            if f.json:
                print(json.dumps([asdict(file) for file in files], indent=2, ensure_ascii=False))
            else:
                for file in files:
                    print(f"{file.entries:>7} entries  {file.kind:<8}  {file.name}")
        case KnowledgeRemove(file=None) as f:
            Knowledge.remove(f.store, f.name)
        case KnowledgeRemove(file=str(file)) as f:
            with Knowledge.open(f.store, f.name) as opened:
                print(f"{opened.remove_file(file)} entries removed")
        case KnowledgeBackup() as f:
            with contextlib.closing(open_backend(f.store)) as store:
                print(store.backup(f.out))


@dataclass(frozen=True)
class Serve:
    """Serve a store over HTTP: its own API, and what Dria's clients send."""

    data: Annotated[str, arg(help=f"{STORE}; a folder is made if need be", aliases=["--store"])]
    host: Annotated[str, arg(help="address to listen at; 0.0.0.0 for all of this machine's")] = "127.0.0.1"
    port: Annotated[int, arg(help="0 for any that is free")] = 8000
    rate: Annotated[float, arg(help="requests a second of one key or address; 0 for no limit")] = 50.0
    body: Annotated[int, arg(help="megabytes of a request at most")] = 32
    upload: Annotated[int, arg(help="megabytes of an uploaded file at most")] = 256
    cors: Annotated[tuple[str, ...], arg(help="origins whose pages may call it from a browser")] = ()
    reranker: Annotated[str | None, RERANKER] = None


def serve(args: list[str]) -> None:
    """Serve a store over HTTP: foretell serve --data DIR [--host ADDRESS] [--port PORT]."""
    flags = parse(Serve, args, "serve")
    if flags.rate < 0 or flags.body < 1 or flags.upload < 1:
        raise Usage("rate, body and upload cannot be negative, and body and upload not 0")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a request must not start a download
    from foretell.extras import needed

    for module in ("fastapi", "uvicorn", "orjson", "prometheus_client", "google.protobuf"):
        needed(module, "foretell serve")
    from foretell.search import keys, open_backend, rerank
    from foretell.search.models import load_reranker
    from foretell.search.serve.app import serve as run
    from foretell.search.serve.settings import Settings

    if flags.reranker:
        load_reranker(flags.reranker)  # a misspelt name is noticed now, not when somebody asks
    reranker = flags.reranker or rerank.DEFAULT
    settings = Settings(flags.rate, flags.body << 20, flags.upload << 20, flags.cors, reranker=reranker)
    with contextlib.closing(open_backend(flags.data, create=True)) as store:
        if not any(key.revoked is None for key in keys.every(store)):
            print(
                f"foretell: there is no key yet, so only public knowledges can be read: "
                f"foretell keys create NAME --scope write --store {flags.data}",
                file=sys.stderr,
            )
        run(store, flags.host, flags.port, settings)


@dataclass(frozen=True)
class KeysCreate:
    """Make a key and print it; it cannot be had again."""

    name: Annotated[Positional[str], arg(help="what the key is called", metavar="NAME")]
    store: Annotated[str, arg(help=STORE, aliases=["--data"])]
    scope: Annotated[
        Literal["read", "write", "admin"], arg(help="what it allows: its owner's knowledges, or (admin) everyone's")
    ] = "read"
    owner: Annotated[str, arg(help="whose knowledges it reaches; by default those made here without --owner")] = ""


@dataclass(frozen=True)
class KeysList:
    """List the keys of a store, the revoked ones too."""

    store: Annotated[str, arg(help=STORE, aliases=["--data"])]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False


@dataclass(frozen=True)
class KeysRevoke:
    """Let a key open nothing from now on."""

    name: Annotated[Positional[str], arg(help="what the key is called", metavar="NAME")]
    store: Annotated[str, arg(help=STORE, aliases=["--data"])]


KEYS = {"create": KeysCreate, "list": KeysList, "revoke": KeysRevoke}


def keys(args: list[str]) -> None:
    """API keys of a store that is served: foretell keys create|list|revoke."""
    from foretell.search import keys as of
    from foretell.search import open_backend

    action = first(args, "keys", "COMMAND", {name: summary(schema) for name, schema in KEYS.items()})
    flags = parse(KEYS[action], args[1:], f"keys {action}")
    with contextlib.closing(open_backend(flags.store, create=action == "create")) as store:
        match flags:
            case KeysCreate() as f:
                print(of.create(store, f.name, f.owner, f.scope))
            case KeysList() as f:
                every = of.every(store)
                if f.json:
                    print(json.dumps([asdict(key) for key in every], indent=2))
                elif every:
                    state = {key.name: f"revoked {key.revoked}" if key.revoked else "" for key in every}
                    print(table({k.name: f"{k.scope:<6} {k.owner!r}  {k.created}  {state[k.name]}" for k in every}))
            case KeysRevoke() as f:
                of.revoke(store, f.name)


def _changes(words: Sequence[str]) -> dict[str, float] | None:
    """`brightness=0.6` and the like."""
    changes = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            changes[name] = float(value)
        except ValueError:
            raise Usage(f"imagine is {word!r}, expected PARAMETER=NUMBER, such as brightness=0.6") from None
    return changes or None
