"""`foretell knowledge`: make, fill, search and keep knowledges. Each action is a class: its flags, then its `run`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.flags import Usage, at_least, output, table
from foretell.cli.store import RERANKER, STORE, Action, run_action
from foretell.cli.terminal import dumps, line, plain
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.search import Hit, SeveralHits
    from foretell.search.storage.hnsw import Level


@dataclass(frozen=True)
class InStore(Action):
    """An action on one knowledge of a store."""

    name: Annotated[Positional[str], arg(help="name of the knowledge, or its contract id", metavar="NAME")]
    store: Annotated[str, arg(help=STORE)]


@dataclass(frozen=True)
class Create(InStore):
    """Make an empty knowledge. The store is made if there is none."""

    model: Annotated[
        str, arg(help="model that embeds: a text model's name or folder, or a world model for photographs and videos")
    ] = "bge-small-en-v1.5"
    title: str = ""
    description: str = ""
    category: Annotated[str, arg(help="such as 'Artificial Intelligence'")] = ""
    owner: str = ""
    public: Annotated[bool, arg(help="let everyone read it where it is served")] = False

    def run(self) -> None:
        """Print the contract id."""
        from foretell.search import Knowledge
        from foretell.search.models.load import load_model

        load_model(self.model)  # a misspelt name is noticed now, not when files are added
        about = {"title": self.title, "description": self.description, "category": self.category, "owner": self.owner}
        with Knowledge.create(self.store, self.name, model=self.model, public=self.public, **about) as made:
            print(made.about.contract_id)


@dataclass(frozen=True)
class Add(InStore):
    """Add files. A file that was added before adds nothing; a changed file replaces its own entries."""

    files: Annotated[Positional[tuple[Path, ...]], arg(help="files and folders", metavar="FILE")]
    text: Annotated[str | None, arg(help="column of a table to search")] = None
    password: Annotated[str | None, arg(help="opens encrypted PDF files")] = None
    json: Annotated[bool, arg(help="print JSON instead of a sentence")] = False

    def run(self) -> None:
        """Print the number of added entries, and the skipped files on standard error."""
        from foretell.search import Knowledge

        if not self.files:
            raise Usage("knowledge add needs a FILE, and none is given (see foretell knowledge add --help)")
        with Knowledge.open(self.store, self.name) as opened:
            added = opened.add(*self.files, text=self.text, password=self.password, progress=True)
        _print_skipped(added.skipped)
        if not added.files + added.unchanged:
            raise ForetellError("no file could be used")
        if self.json:
            print(dumps(asdict(added)))
        else:
            gone = f", {added.removed} removed" if added.removed else ""
            print(f"{added.entries} entries of {added.files} files added{gone}; {added.unchanged} files unchanged")


@dataclass(frozen=True)
class Embed(InStore):
    """Embed every row of a data set in parallel (Ray Data): for millions of passages or images."""

    data: Annotated[str, arg(help="Parquet file, folder of them, or Lance data set (*.lance)")]
    column: Annotated[
        str | None, arg(help="column to embed: texts, or the bytes of images; the other columns become metadata")
    ] = None
    workers: Annotated[int | None, arg(help="actors that embed; one a processor core by default")] = None
    ray: Annotated[str | None, arg(help="address of a Ray cluster; by default RAY_ADDRESS, or this machine")] = None
    json: Annotated[bool, arg(help="print JSON instead of a sentence")] = False

    def run(self) -> None:
        """Print the number of added entries, and the skipped files on standard error."""
        from foretell.search.jobs.embed import embed

        at_least(self, workers=1)
        done = embed(
            self.store, self.name, self.data, column=self.column, workers=self.workers, address=self.ray, progress=True
        )
        _print_skipped(done.skipped)
        if self.json:
            print(dumps(asdict(done)))
        else:
            added = f"{done.entries} entries of {done.rows} rows added"
            print(f"{added}; {done.unchanged} were there, {done.unusable} rows unusable")


@dataclass(frozen=True)
class List(Action):
    """List the knowledges of a store."""

    store: Annotated[str, arg(help=STORE)]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False

    def run(self) -> None:
        """Print a line for each knowledge."""
        from foretell.search import Knowledge

        abouts = Knowledge.list(self.store)
        if self.json:
            print(dumps([asdict(about) for about in abouts]))
        elif abouts:
            print(table({line(a.name): line(f"{a.count} entries  {a.model}  {a.title}") for a in abouts}))


@dataclass(frozen=True)
class Show(InStore):
    """Show the description of a knowledge."""

    json: Annotated[bool, arg(help="print JSON instead of lines")] = False

    def run(self) -> None:
        """Print it."""
        from foretell.search import Knowledge

        with Knowledge.open(self.store, self.name) as opened:
            about = asdict(opened.about) | {"search": opened.collection.state()}
        print(dumps(about) if self.json else table({k: line(str(v)) for k, v in about.items()}))


@dataclass(frozen=True)
class Files(InStore):
    """List the files that were added."""

    json: Annotated[bool, arg(help="print JSON instead of a table")] = False

    def run(self) -> None:
        """Print a line for each file."""
        from foretell.search import Knowledge

        with Knowledge.open(self.store, self.name) as opened:
            files = opened.files()
        if self.json:
            print(dumps([asdict(file) for file in files]))
        else:
            for file in files:
                print(f"{file.entries:>7} entries  {file.kind:<8}  {line(file.name)}")


@dataclass(frozen=True)
class Search(InStore):
    """Find the entries that are nearest in meaning."""

    query: Annotated[
        Positional[str],
        arg(
            help="a text; of photographs or videos, the path of one, or words where the model knows them",
            metavar="QUERY",
        ),
    ]
    also: Annotated[tuple[str, ...], arg(help="more knowledges of the store: all are searched at once")] = ()
    top: Annotated[int, arg(help="how many results")] = 10
    level: Annotated[
        str,
        arg(help="effort, 0 to 4, which matters in large knowledges; exact compares all entries"),
    ] = "2"
    filter: Annotated[
        tuple[str, ...], arg(help="conditions on metadata: lang=en 'year>=2020'; a field twice with =: either value")
    ] = ()
    rerank: Annotated[bool, arg(help="let a reranker read the best results and sort them")] = False
    reranker: Annotated[str | None, RERANKER] = None
    read: Annotated[int, arg(help="results that the reranker reads at most, 1 to 200")] = 50
    hybrid: Annotated[bool, arg(help="also look for the query's words (BM25), and fuse the two rankings")] = False
    imagine: Annotated[
        tuple[str, ...],
        arg(
            help="search for the query as a world model imagines it: brightness=0.6 of photographs; of clips of steps "
            "next=1, for clips that could follow"
        ),
    ] = ()
    json: Annotated[bool, arg(help="print JSON instead of text")] = False

    def run(self) -> None:
        """Print the results, best first."""
        from foretell.search import Knowledge, search_several
        from foretell.search.storage import filters

        options: dict[str, Any] = {
            "level": _level(self.level),
            "filter": filters.parse(self.filter) if self.filter else None,
            "rerank": self.reranker or self.rerank,
            "read": self.read,
            "hybrid": self.hybrid,
            "imagine": _changes(self.imagine),
        }
        with Knowledge.open(self.store, self.name) as opened:
            media = opened.model.kind != "text"
            query = Path(self.query) if media and os.path.isfile(self.query) else self.query
            if self.also:
                others = [Knowledge.open(opened.store, name) for name in self.also]
                self._print_several(search_several([opened, *others], query, self.top, **options))
                return
            hits = opened.search(query, self.top, **options)
        if self.json:
            told = [_told(hit) | ({"file": hit.metadata.get("source")} if media else {}) for hit in hits]
            print(dumps({"results": told}))
        else:
            for hit in hits:
                _print_hit(hit)

    def _print_several(self, found: SeveralHits) -> None:
        if self.json:
            told = {"results": [_told(hit) for hit in found.hits], "way": found.way, "scores": found.scores}
            print(dumps(told))
            return
        print(f"scores: {found.scores}", file=sys.stderr)
        for hit in found.hits:
            _print_hit(hit, f"{hit.knowledge}  ")


@dataclass(frozen=True)
class Export(InStore):
    """Write a knowledge to a Parquet file."""

    out: Annotated[Path, arg(help="the file to write")]

    def run(self) -> None:
        """Print the path of the file."""
        from foretell.search import Knowledge

        output("--out", self.out)
        with Knowledge.open(self.store, self.name) as opened:
            print(opened.export(self.out))


@dataclass(frozen=True)
class Import(Action):
    """Make a knowledge from a file that `export` wrote."""

    file: Annotated[Positional[Path], arg(help="the Parquet file", metavar="FILE")]
    store: Annotated[str, arg(help=STORE)]
    name: Annotated[str | None, arg(help="a new name for it; by default its former name")] = None

    def run(self) -> None:
        """Print the contract id."""
        from foretell.search import Knowledge

        with Knowledge.import_(self.store, self.file, self.name) as made:
            print(made.about.contract_id)


@dataclass(frozen=True)
class Remove(InStore):
    """Delete a knowledge with everything in it, for ever; with --file, only the entries of one file."""

    file: Annotated[str | None, arg(help="path or name of a file that was added")] = None

    def run(self) -> None:
        """Print how many entries of the file were removed."""
        from foretell.search import Knowledge

        if self.file is None:
            Knowledge.remove(self.store, self.name)
            return
        with Knowledge.open(self.store, self.name) as opened:
            print(f"{opened.remove_file(self.file)} entries removed")


@dataclass(frozen=True)
class Backup(Action):
    """Copy a whole store as it is now. The copy is a store."""

    store: Annotated[str, arg(help=STORE)]
    out: Annotated[Path, arg(help="folder for the copy")]

    def run(self) -> None:
        """Print the folder of the copy."""
        from foretell.search import open_backend

        with contextlib.closing(open_backend(self.store)) as store:
            print(store.backup(self.out))


ACTIONS: dict[str, type[Action]] = {
    "create": Create,
    "add": Add,
    "embed": Embed,
    "list": List,
    "show": Show,
    "files": Files,
    "search": Search,
    "export": Export,
    "import": Import,
    "remove": Remove,
    "backup": Backup,
}


def knowledge(args: list[str]) -> None:
    """Collections to search: foretell knowledge create|add|embed|list|show|files|search|export|import|remove|backup."""
    run_action("knowledge", ACTIONS, args)


def _changes(conditions: Sequence[str]) -> dict[str, float] | None:
    """Conditions like `brightness=0.6` as name -> number; None for none."""
    changes = {}
    for condition in conditions:
        name, _, value = condition.partition("=")
        try:
            changes[name] = float(value)
        except ValueError:
            raise Usage(f"imagine is {condition!r}, expected PARAMETER=NUMBER, such as brightness=0.6") from None
    return changes or None


def _level(text: str) -> Level:
    from foretell.search.storage.hnsw import SCAN

    if text != SCAN and not text.isdecimal():
        raise Usage(f"level is {text!r}, expected 0 to 4, or {SCAN!r}")
    return int(text) if text.isdecimal() else SCAN


def _print_skipped(skipped: Sequence[tuple[str, str]]) -> None:
    for name, reason in skipped:
        print(f"foretell: skipped {line(name)}: {line(reason)}", file=sys.stderr)


def _told(hit: Hit) -> dict[str, Any]:
    """A result as JSON. Small pictures are for programs that can show them."""
    return {name: value for name, value in asdict(hit).items() if name != "has_thumbnail"}


def _print_hit(hit: Hit, knowledge: str = "") -> None:
    time = f"{hit.time[0]:.1f}–{hit.time[1]:.1f} s" if hit.time else ""
    page = f"page {hit.page}" if hit.page is not None else ""
    where = "  ".join(filter(None, (line(str(hit.metadata.get("source", ""))), page, time)))
    print(f"{hit.score:.3f}  {knowledge}{hit.id}  {where}" + (f"\n{plain(hit.text)}\n" if hit.text else ""))
