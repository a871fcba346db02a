"""Embed passages or images by the billion: a Ray Data job over Parquet or Lance embeds and writes in parallel.

A row's key is a hash of its content. So a job that is repeated after an interruption, or that runs beside another,
embeds only the missing rows. Rows that cannot be used are reported, and do not stop the job.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.progress import bar
from foretell.search.entries import Draft, checked
from foretell.search.ingest.block import Unreadable
from foretell.search.ingest.split import MOST
from foretell.search.ingest.split import passages as split
from foretell.search.ingest.tables import NAMES, flat
from foretell.search.ingest.text import blocks
from foretell.search.knowledge import Knowledge
from foretell.search.storage.filters import Value
from foretell.search.storage.open import open_backend

IMAGES = ("image", "img", "images", "photo", "picture", "png", "jpg")
BATCH = 64  # rows in one call of an actor
STEP = 16  # rows in one call of a model
SHOWN = 1000  # rows in the report


@dataclass
class Embedded:
    """The result of a job."""

    rows: int = 0
    entries: int = 0
    """New entries."""
    unchanged: int = 0
    """Passages or images that were stored already, or came twice."""
    unusable: int = 0
    """Rows that gave no entry."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """The first thousand of these rows, each with the reason."""


def embed(
    store: str | Path,
    name: str,
    data: str | Path,
    *,
    column: str | None = None,
    workers: int | None = None,
    address: str | None = None,
    progress: bool = False,
) -> Embedded:
    """Embed every row of a data set into a knowledge.

    Args:
        store: a folder, so that all actors run on this machine, or a Milvus server.
        name: of the knowledge, or its contract id.
        data: a Parquet file, a folder of them, or a Lance data set (`*.lance`); any address that Ray Data reads.
        column: the column to embed: texts, or the bytes of images; by default one of the usual names. The other columns
            become metadata. Long texts are split as in `foretell.search.ingest`.
        workers: the number of actors that embed; None for one for each processor core.
        address: of a Ray cluster; None for `RAY_ADDRESS`, or else this machine.
        progress: show a bar.

    Raises:
        ForetellError: the knowledge, its model, the data or the column cannot be used, or the store fails meanwhile.
            Entries that were written stay.
    """
    ray = needed("ray", "embedding a data set")
    if "://" not in str(data) and not Path(data).exists():  # before anything is started
        raise ForetellError(f"{data} does not exist")
    knowledge = Knowledge.open(store, name)
    with knowledge:
        kind = knowledge.model.kind  # this loads the model, before anything is started
        if kind == "video":
            raise ForetellError("this knowledge contains videos: add their files with `foretell knowledge add`")
        here = "://" not in str(store)
        where = str(Path(store).resolve()) if here else str(store)
        contract_id = knowledge.collection.contract_id
        try:
            _start(ray, address)
            rows = _read(str(data))
            chosen = _column_of(NAMES if kind == "text" else IMAGES, rows.schema().names, column)
            counted = _counted(ray, rows, (where, contract_id, chosen), workers, here)
            done = _gather(counted, rows.count(), progress)
        except (ray.exceptions.RayError, OSError, ValueError, ConnectionError, RuntimeError) as error:
            raise _sentence(error, str(data)) from error
        knowledge.build(progress=progress)
    return done


class Embedder:
    """An actor: reads rows, embeds the new ones, and writes them.

    Args:
        store: of the knowledge.
        contract_id: of the knowledge.
        column: the column to embed.
    """

    def __init__(self, store: str, contract_id: str, column: str) -> None:
        self._knowledge = Knowledge(backend := open_backend(store), backend.collection(contract_id))
        self._model = self._knowledge.model
        self._column = column

    def __call__(self, table: Any) -> dict[str, list[Any]]:
        """Embed some rows, and report on them in one row."""
        found: dict[str, tuple[Draft, Any]] = {}
        skipped: list[tuple[str, str]] = []
        every = 0
        rows: list[dict[str, Any]] = table.to_pylist()
        for row in rows:
            try:
                for key, draft, thing in self._parts(row):
                    every += 1
                    found[key] = draft, thing
            except (ForetellError, Unreadable) as reason:
                skipped.append((_shown(row, self._column), str(reason)))
        known = self._knowledge.collection.known(list(found))
        new = [(draft, thing) for key, (draft, thing) in found.items() if key not in known]
        written = 0
        for start in range(0, len(new), STEP):
            some = new[start : start + STEP]
            vectors = self._model.passages([thing for _, thing in some])
            drafts = [replace(draft, vector=v) for (draft, _), v in zip(some, vectors, strict=True)]
            written += self._write(drafts, skipped)
        unchanged = every - len(new)
        return {
            "rows": [len(rows)],
            "entries": [written],
            "unchanged": [unchanged],
            "unusable": [len(skipped)],
            "skipped": [json.dumps(skipped[:SHOWN])],
        }

    def _parts(self, row: Mapping[str, Any]) -> Iterator[tuple[str, Draft, Any]]:
        """The entries of a row: for each its key, the draft without its vector, and the model's input."""
        value, rest = row[self._column], {name: value for name, value in row.items() if name != self._column}
        metadata: dict[str, Value] = flat(rest)
        if self._model.kind == "text":
            if not isinstance(value, str) or not value.strip():
                raise ForetellError("no text")
            text = value.strip()
            pieces = [text] if len(text) <= MOST else [p.text for p in split(blocks(text), {})]
            for number, piece in enumerate(pieces):
                yield self._part(piece.encode(errors="replace"), number, piece, metadata, piece)
            return
        content, source = value, None
        if isinstance(value, Mapping):
            content, source = value.get("bytes"), value.get("path")
        if not isinstance(content, bytes) or not content:
            raise ForetellError("no bytes of an image")
        if isinstance(source, str):
            metadata = {"source": source, **metadata}
        try:
            pixels, small = self._model.photograph(content)
        except ForetellError as reason:
            raise ForetellError(str(reason).removeprefix("the image: ")) from None
        yield self._part(content, 0, "", metadata, pixels, small)

    def _part(
        self,
        content: bytes,
        number: int,
        text: str,
        metadata: dict[str, Value],
        thing: Any,
        small: bytes | None = None,
    ) -> tuple[str, Draft, Any]:
        said = json.dumps(metadata, sort_keys=True, ensure_ascii=True)
        key = hashlib.blake2b(f"{number} {said} ".encode() + content, digest_size=16).hexdigest()
        vector = np.ones(1, np.float32)  # its own comes later
        draft = Draft(text, vector, metadata=metadata, key=key, thumbnail=small)
        return key, checked(draft), thing

    def _write(self, drafts: Sequence[Draft], skipped: list[tuple[str, str]]) -> int:
        """Write entries: all at once, or one by one where the store refuses some of them."""
        collection, fingerprint = self._knowledge.collection, self._model.fingerprint
        try:
            return len(collection.put(drafts, fingerprint))
        except ForetellError as error:
            if error.__cause__ is not None:  # an error of the disk or the network, not of an entry
                raise
        written = 0
        for draft in drafts:
            try:
                written += len(collection.put([draft], fingerprint))
            except ForetellError as error:
                if error.__cause__ is not None:
                    raise
                skipped.append((f"{draft.text or dict(draft.metadata)!r:.80}", str(error)))
        return written


def _start(ray: Any, address: str | None) -> None:
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not ray.is_initialized():
        ray.init(address=address, include_dashboard=None if address else False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def _read(data: str) -> Any:
    read = needed("ray.data", "embedding a data set")
    if data.rstrip("/").endswith(".lance"):
        needed("lance", "reading Lance")
        return read.read_lance(data)
    return read.read_parquet(data)


def _column_of(usual: Sequence[str], names: Sequence[str], asked: str | None) -> str:
    """The column to embed: the requested one, or one with a common name."""
    chosen = asked or next((name for each in usual for name in names if name.lower() == each), None)
    if chosen is None or chosen not in names:
        said = f"no column {asked!r}" if asked else f"no column of a usual name ({', '.join(usual)})"
        raise ForetellError(f"{said}; found {', '.join(names)}: choose one with --column")
    return chosen


def _counted(ray: Any, rows: Any, made_with: tuple[str, str, str], workers: int | None, here: bool) -> Any:
    """The data set of the reports on all batches."""
    options: dict[str, Any] = {}
    if here:  # other machines cannot reach the folder
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = ray.get_runtime_context().get_node_id()
        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=False)
    actors = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)  # one core is left for reading
    return rows.map_batches(
        Embedder,
        batch_size=BATCH,
        batch_format="pyarrow",
        concurrency=actors,
        fn_constructor_args=made_with,
        **options,
    )


def _gather(counted: Any, total: int, progress: bool) -> Embedded:
    done = Embedded()
    with bar("embedding" if progress else None, total) as embedding:
        for batch in counted.iter_rows():
            done.rows += batch["rows"]
            done.entries += batch["entries"]
            done.unchanged += batch["unchanged"]
            done.unusable += batch["unusable"]
            done.skipped += [(what, why) for what, why in json.loads(batch["skipped"])][: SHOWN - len(done.skipped)]
            embedding.reach(done.rows)
    return done


def _shown(row: Mapping[str, Any], column: str) -> str:
    """A short text by which people recognise a row."""
    rest = flat({name: value for name, value in row.items() if name != column})
    return f"row {rest!r:.80}" if rest else f"row {row[column]!r:.40}"


def _sentence(error: BaseException, data: str) -> ForetellError:
    """An error of an actor, or of Ray, in one sentence."""
    said: BaseException | None = error
    while said is not None:
        inner = getattr(said, "cause", None)
        if isinstance(said, ForetellError):
            return ForetellError(str(said))
        said = inner if isinstance(inner, BaseException) else said.__cause__
    if isinstance(error, FileNotFoundError):
        return ForetellError(f"{data} does not exist, or holds no Parquet file")
    return ForetellError(f"{data}: the job failed ({str(error).strip().splitlines()[-1][:300]})")
