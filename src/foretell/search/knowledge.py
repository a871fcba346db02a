"""A knowledge: a named collection of passages or photographs, found by what they mean.

n entries · D width
"""

from __future__ import annotations

import json
import logging
import math
import secrets
import sqlite3
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from foretell.errors import ForetellError
from foretell.search import embed, entries, filters
from foretell.search.entries import Draft, Entry, Hit, Row
from foretell.search.filters import Filter, Value
from foretell.search.index import LEVELS, Index
from foretell.search.models import canonical, load_model, load_reranker
from foretell.search.runtime import texts_of
from foretell.search.store import COLLECTION, DROP, Removed, Store, Taken, run
from foretell.train.progress import watched

if TYPE_CHECKING:
    from foretell.search.add import Added
    from foretell.search.images import ImageModel

CONTEST = 50
"""How many entries of each ranking are fused at least."""
READ = 20
"""How many of the best a cross-encoder reads at least: each costs it as much as ten searches."""
MOST = 10_000
"""How many results a search gives at most."""
FUSION = 60  # k of reciprocal rank fusion; Cormack, Clarke & Büttcher 2009, SIGIR

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class About:
    """What a knowledge says of itself."""

    contract_id: str
    """43 characters of base64url: what it is known by for ever."""
    name: str
    title: str
    description: str
    category: str
    owner: str
    created: str
    """ISO 8601, in UTC."""
    file_type: str
    """Of the files that were added: `PDF`, `PDF, TXT`; empty for none."""
    model: str
    dimension: int | None
    """D of the vectors; None before there is any."""
    count: int
    public: bool
    index_type: str = "hnsw"


@dataclass(frozen=True)
class File:
    """A file that was added."""

    name: str
    kind: str
    """Such as `PDF`."""
    entries: int


class Knowledge:
    """A collection in a store.

    Several threads and processes may use one at the same time: each search sees all that was committed before it.

    ```python
    with Knowledge.create("store", "papers") as papers:
        papers.add("paper.pdf")
        for hit in papers.search("what does the predictor learn?", top=5, rerank=True):
            print(hit.score, hit.page, hit.text)
    ```

    Made by `create` and `open`.
    """

    def __init__(self, store: Store, number: int, *, close_store: bool = False) -> None:
        self.store = store
        self.number = number
        self._index = Index(store, number)
        self._close_store = close_store
        self._builder: threading.Thread | None = None
        self._stop = threading.Event()

    # --- the knowledges of a store

    @classmethod
    def create(
        cls,
        store: Store | str | Path,
        name: str,
        *,
        title: str = "",
        description: str = "",
        category: str = "",
        owner: str = "",
        model: str = embed.DEFAULT,
        public: bool = False,
    ) -> Knowledge:
        """Make an empty knowledge.

        Args:
            store: a folder, made if need be.
            name: what it is called in commands; one of its owner's knowledges.
            title: for people; the name where empty.
            description: for people.
            category: for people, such as `Artificial Intelligence`.
            owner: who made it.
            model: what embeds it: a text model (`foretell.search.embed.SPECS`, or a folder), or a world model
                (`foretell.load`) for photographs. Any other name is kept as it is; then only vectors can be added.
            public: whether the HTTP service lets everyone read it.

        Raises:
            ForetellError: the owner has one of that name, or a name is not one.
        """
        about = {"name": name, "title": title or name, "description": description, "category": category}
        about |= {"owner": owner, "model": canonical(model)}
        for what, text in about.items():
            entries.text_of(what, text)
        _as_name(name)
        contract_id = urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        values = about | {"contract_id": contract_id, "created": _now(), "public": public}
        opened, own = _store(store, create=True)
        try:
            with opened.write() as c:
                number = enter(c, values)
        except BaseException:
            if own:
                opened.close()
            raise
        return cls(opened, number, close_store=own)

    @classmethod
    def open(cls, store: Store | str | Path, name: str, *, owner: str | None = None) -> Knowledge:
        """Open a knowledge by its name or its contract id.

        Raises:
            ForetellError: there is none, or several owners have one of that name.
        """
        opened, own = _store(store)
        try:
            with opened.read() as c:
                return cls(opened, _find(c, opened, name, owner), close_store=own)
        except BaseException:
            if own:
                opened.close()
            raise

    @classmethod
    def list(cls, store: Store | str | Path) -> Sequence[About]:
        """All knowledges of a store, oldest first."""
        opened, own = _store(store)
        try:
            with opened.read() as c:
                return [_about(row) for row in c.execute(f"{_ABOUT} ORDER BY number")]
        finally:
            if own:
                opened.close()

    @classmethod
    def remove(cls, store: Store | str | Path, name: str, *, owner: str | None = None) -> None:
        """Delete a knowledge and all that is in it, for ever.

        Raises:
            ForetellError: there is none of that name or contract id.
        """
        opened, own = _store(store)
        try:
            with opened.write() as c:
                number = _find(c, opened, name, owner)
                c.execute("DELETE FROM collection WHERE number = ?", (number,))
                run(c, DROP.format(n=number))
            for path in (opened.folder / "index").glob(f"{number}[-.]*"):
                path.unlink(missing_ok=True)
        finally:
            if own:
                opened.close()

    # --- what it is

    @property
    def about(self) -> About:
        """What it says of itself, as it is now. Raises ForetellError where it was removed."""
        with self.store.read() as c:
            row = c.execute(f"{_ABOUT} WHERE number = ?", (self.number,)).fetchone()
        if row is None:
            raise Removed
        return _about(row)

    def describe(
        self,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        category: str | None = None,
        public: bool | None = None,
    ) -> About:
        """Change what it says of itself; None leaves a field as it is."""
        given = {"name": name, "title": title, "description": description, "category": category, "public": public}
        changes = {key: value for key, value in given.items() if value is not None}
        for what, text in changes.items():
            if what != "public":
                entries.text_of(what, text)
        if name is not None:
            _as_name(name)
        with self.store.write() as c:
            for column, value in changes.items():
                try:
                    c.execute(f"UPDATE collection SET {column} = ? WHERE number = ?", (value, self.number))
                except sqlite3.IntegrityError:
                    raise Taken(name) from None
        return self.about

    @property
    def model(self) -> embed.TextModel | ImageModel:
        """The model that embeds it, loaded.

        Raises:
            ForetellError: it cannot be loaded, or is not the one that embedded what is there.
        """
        return self._model(None)

    def _model(self, name: str | None) -> embed.TextModel | ImageModel:
        with self.store.read() as c:
            stored, fingerprint = self._row(c, "model, fingerprint")
        loaded = load_model(name or stored)
        if (name and not fingerprint and loaded.name != stored) or fingerprint not in (None, loaded.fingerprint):
            what = f"{name!r}" if name else f"what is now found as {stored!r}"
            raise ForetellError(
                f"this knowledge was embedded by {stored!r}, and {what} is another model: its vectors mean other things"
            )
        return loaded

    # --- writing

    def add(
        self, *paths: str | Path, text: str | None = None, password: str | None = None, progress: bool = False
    ) -> Added:
        """Add files: documents, or photographs where the model is a world model. Folders are walked.

        A file that was added before adds nothing, wherever it lies now. One that has changed replaces its own
        entries in one transaction; passages that are still in it keep their ids and are not embedded again. What is
        interrupted keeps the files that were done, so that adding the same again goes on.

        Args:
            paths: files and folders.
            text: the column to search, of tables and records; by default the one that is likeliest.
            password: opens encrypted PDF files.
            progress: show a bar.

        Returns:
            What was added, and the files that could not be used or only in part, with the reason.

        Raises:
            ForetellError: a path is not there, the model cannot be used, or the disk is full.
        """
        from foretell.search.add import add

        added = add(self, [Path(path) for path in paths], text, password, progress)
        if progress:
            self.build(progress=True)
        else:
            self.build_behind()
        return added

    def insert(
        self, texts: Sequence[str], metadata: Sequence[Mapping[str, Value]] | None = None, *, progress: bool = False
    ) -> Sequence[int]:
        """Embed texts and add them. They are on the disk when this returns.

        Args:
            texts: passages.
            metadata: flat: text, numbers and truths by name; one for each text.
            progress: show a bar.

        Returns:
            Their ids.

        Raises:
            ForetellError: something is of the wrong kind, the model cannot be used, or the disk is full; then nothing
                was added.
        """
        fields = _as_many(metadata, texts)
        texts_of(texts, "text")
        model = self.model
        if model.kind != "text":
            raise ForetellError(f"this knowledge is of photographs ({model.name}): it takes images, not texts")
        vectors = _embedded(model.passages, texts, "embedding" if progress else None)
        drafts = [Draft(t, v, metadata=m) for t, v, m in zip(texts, vectors, fields, strict=True)]
        return self.write(drafts, model.fingerprint)

    def insert_vectors(
        self,
        vectors: ArrayLike,
        metadata: Sequence[Mapping[str, Value]] | None = None,
        texts: Sequence[str] | None = None,
    ) -> Sequence[int]:
        """Add entries whose vectors [n, D] come from elsewhere; the first ones decide D. Else as `insert`."""
        matrix = entries.as_vectors(vectors)
        fields = _as_many(metadata, matrix)
        texts = [str(m.get("text", "")) for m in fields] if texts is None else texts
        if len(texts) != len(matrix):
            raise ForetellError(f"there are {len(matrix)} vectors and {len(texts)} texts: expected as many")
        return self.write([Draft(t, v, metadata=m) for t, v, m in zip(texts, matrix, fields, strict=True)])

    def write(self, drafts: Sequence[Draft], fingerprint: str | None = None) -> Sequence[int]:
        """Add entries as they are; one with the key of another takes its place and id. Else as `insert`."""
        checked = [entries.checked(draft) for draft in drafts]
        with self.store.write() as c:
            ids = entries.put(c, self.number, checked, fingerprint)
        self.build_behind()
        return ids

    def update(
        self,
        id: int,
        *,
        text: str | None = None,
        vector: ArrayLike | None = None,
        metadata: Mapping[str, Value] | None = None,
    ) -> None:
        """Change an entry. A new text is embedded again, unless its vector is given.

        Raises:
            ForetellError: there is no such entry, or as `insert`.
        """
        (old,) = self.fetch([id])
        fingerprint, new = None, None
        if vector is not None:
            new = entries.as_vectors([vector])[0]
        elif text is not None and text != old.text:
            model = self.model
            if model.kind == "image":
                raise ForetellError("this knowledge is of photographs: give the vector with the text")
            new, fingerprint = model.passages([text])[0], model.fingerprint
        self.write(
            [
                Draft(
                    old.text if text is None else text,
                    old.vector if new is None else new,
                    old.page,
                    old.time,
                    old.metadata if metadata is None else metadata,
                    old.key,
                )
            ],
            fingerprint,
        )

    def delete(self, ids: Iterable[int]) -> int:
        """Delete entries; ids that are not there are passed over. Returns how many were."""
        with self.store.write() as c:
            return entries.drop(c, self.number, list(ids))

    def remove_file(self, file: str | Path) -> int:
        """Delete a file's entries; added again, it is new.

        Args:
            file: its path, or its name where no other file here has it.

        Returns:
            How many entries it had.

        Raises:
            ForetellError: no file of that name was added, or several were.
        """
        with self.store.write() as c:
            places = c.execute("SELECT path, number FROM source WHERE collection = ?", (self.number,)).fetchall()
            own = [number for path, number in places if path == str(Path(file).resolve())]
            found = own or [number for path, number in places if _file_name(path) == str(file)]
            if not found:
                raise ForetellError(f"no file {str(file)!r:.200} was added here")
            if len(found) > 1:
                raise ForetellError(
                    f"{len(found)} files called {str(file)!r:.200} were added here: give the path of one"
                )
            ids = [id for (id,) in c.execute(f"SELECT id FROM entry_{self.number} WHERE source = ?", found)]
            entries.drop(c, self.number, ids)
            c.execute("DELETE FROM source WHERE number = ?", found)
        return len(ids)

    # --- reading

    def files(self) -> Sequence[File]:
        """The files that were added, by name."""
        with self.store.read() as c:
            held = f"SELECT count(*) FROM entry_{self.number} WHERE source = number"
            rows = c.execute(
                f"SELECT path, kind, ({held}) FROM source WHERE collection = ? ORDER BY path", (self.number,)
            )
            return sorted((File(_file_name(path), *rest) for path, *rest in rows), key=lambda file: file.name)

    def fetch(self, ids: Sequence[int]) -> Sequence[Entry]:
        """Entries by their ids, in that order.

        Raises:
            ForetellError: one is not there.
        """
        with self.store.read() as c:
            rows = {row[0]: row for row in entries.read(c, self.number, ids)}
        missing = [id for id in ids if id not in rows]
        if missing:
            raise ForetellError(f"there is no entry {missing[0]!r}")
        return [entries.entry(rows[id]) for id in ids]

    def entries(self, start: int = 0, limit: int = 100) -> Sequence[Entry]:
        """Up to `limit` entries from id `start` on, by id."""
        with self.store.read() as c:
            rows = c.execute(
                f"SELECT {entries.COLUMNS} FROM entry_{self.number} WHERE id >= ? ORDER BY id LIMIT ?",
                (start, limit),
            )
            return [entries.entry(row) for row in rows]

    def search(
        self,
        query: str | Path | bytes,
        top: int = 10,
        *,
        level: int = 2,
        filter: Filter | None = None,
        rerank: bool | str = False,
        hybrid: bool = False,
        imagine: Mapping[str, float] | None = None,
        model: str | None = None,
    ) -> Sequence[Hit]:
        """Find the entries nearest in meaning.

        Args:
            query: a text; a photograph, its path or the bytes of the file, where the knowledge is of
                photographs.
            top: how many, at most 10,000. Fewer come where fewer are there.
            level: how hard to look, 0 to 4: larger is slower and misses less. It matters above some 25,000 entries;
                below, all are compared.
            filter: conditions on metadata, see `foretell.search.filters.Filter`.
            rerank: let a cross-encoder read the best, at least 20 of them, and sort them; a name chooses another than
                `foretell.search.rerank.DEFAULT`.
            hybrid: also look for the query's words (BM25), and fuse the two rankings.
            imagine: for photographs: search for the query as a world model imagines it changed, such as
                `{"brightness": 0.6}`.
            model: what the query is to be embedded by; another than the knowledge's is refused.

        Raises:
            ForetellError: the knowledge cannot answer such a query, a value is out of its range, or the model cannot
                be loaded.
        """
        self._asked(top, level)
        embedder = self._model(model)
        if embedder.kind == "image":
            if hybrid or rerank:
                raise ForetellError("this knowledge is of photographs, without words to rerank or to look for")
            return self.query(
                embedder.query(query if isinstance(query, bytes) else Path(query), imagine),
                top,
                level=level,
                filter=filter,
            )
        if imagine:
            raise ForetellError(f"this knowledge is of texts ({embedder.name}), and only a world model imagines")
        if not isinstance(query, str):
            raise ForetellError(f"this knowledge is of texts ({embedder.name}): it is asked with a text")
        vector = embedder.query(query)
        wanted = max(top, READ) if rerank else top
        hits = self._search(vector, wanted, level, filter, query if hybrid else None)
        if not rerank or not hits:
            return hits[:top]
        reader = load_reranker(rerank) if isinstance(rerank, str) else load_reranker()
        scores = reader.score(query, [hit.text for hit in hits]).tolist()
        ranked = sorted(zip(scores, hits, strict=True), key=lambda pair: -pair[0])[:top]
        return [replace(hit, score=score, scores=hit.scores | {"rerank": score}) for score, hit in ranked]

    def query(
        self,
        vector: ArrayLike,
        top: int = 10,
        *,
        level: int = 2,
        filter: Filter | None = None,
    ) -> Sequence[Hit]:
        """Find the entries nearest to a vector [D], by cosine similarity. Else as `search`."""
        self._asked(top, level)
        return self._search(entries.as_vectors([vector])[0], top, level, filter, None)

    # --- housekeeping

    def export(self, path: str | Path) -> Path:
        """Write everything to a Parquet file, which `import_` reads, and any other program.

        Raises:
            ForetellError: the file cannot be written; one that was there before stays.
        """
        from foretell.search.parquet import export

        return export(self, Path(path))

    @classmethod
    def import_(cls, store: Store | str | Path, path: str | Path, name: str | None = None) -> Knowledge:
        """Make a knowledge of what `export` wrote, in one transaction; nothing is embedded.

        Args:
            store: a folder, made if need be.
            path: of the Parquet file.
            name: what to call it; None for what it was called.

        Raises:
            ForetellError: the file is missing, damaged or of another kind, or the name is taken.
        """
        from foretell.search.parquet import import_

        opened, own = _store(store, create=True)
        try:
            return cls(opened, import_(opened, Path(path), name), close_store=own)
        except BaseException:
            if own:
                opened.close()
            raise

    def build(self, *, progress: bool = False) -> bool:
        """Build the graph now, if enough is new for one. A search never needs it; a large knowledge is faster with it.

        Returns:
            Whether there is a new graph.

        Raises:
            ForetellError: the disk is full or not writable; entries and searches stay as they are.
        """
        if self._builder:
            self._builder.join()
        if not self._due():
            return False
        if not progress:
            return self._index.build(stop=self._stop)
        from rich.console import Console
        from rich.progress import Progress

        with Progress(
            console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal
        ) as bar:
            task = bar.add_task("indexing", total=self.about.count)
            return self._index.build(lambda n: bar.advance(task, n), self._stop)

    def close(self) -> None:
        """Wait for what runs behind, and close the store where this knowledge opened it."""
        try:
            if self._builder:
                self._builder.join()
        finally:  # who interrupts the waiting gives the graph up; nothing but speed is lost
            self._stop.set()
            if self._builder:
                self._builder.join()
            if self._close_store:
                self.store.close()

    def __enter__(self) -> Knowledge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def build_behind(self) -> None:
        """Build the graph in a thread of its own where it is due; what writes here does so itself."""
        if self._builder and self._builder.is_alive():
            return
        if self._due():
            self._builder = threading.Thread(target=self._build_behind, name="foretell-index")
            self._builder.start()

    def _due(self) -> bool:
        with self.store.read() as c:
            return self._index.due(c)

    def _build_behind(self) -> None:
        try:
            while self._due() and self._index.build(stop=self._stop):
                pass  # what came meanwhile may be enough for another
        except ForetellError as error:
            log.warning("%s", error)

    def _row(self, c: sqlite3.Connection, columns: str) -> tuple[Any, ...]:
        row = c.execute(f"SELECT {columns} FROM collection WHERE number = ?", (self.number,)).fetchone()
        if row is None:
            raise Removed
        return row

    def _asked(self, top: int, level: int) -> None:
        if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= MOST:
            raise ForetellError(f"top is {top!r}, expected 1 to {MOST:,}")
        if isinstance(level, bool) or level not in LEVELS:
            raise ForetellError(f"level is {level!r}, expected 0 to {LEVELS[-1]}")

    def _search(
        self, vector: np.ndarray, top: int, level: int, filter: Filter | None, words: str | None
    ) -> Sequence[Hit]:
        with self.store.read() as c:
            dimension = self._index.refresh(c)
            if dimension is None:
                return []
            if len(vector) != dimension:
                raise ForetellError(f"the vector has {len(vector)} numbers, but this knowledge has {dimension}")
            allowed = None
            if filter is not None:
                condition, parameters = filters.where(filter, self.number)
                allowed = np.array(c.execute(condition, parameters).fetchall(), np.int64).reshape(-1)
            wanted = max(CONTEST, 2 * top) if words is not None else top
            near = self._nearest(c, vector, wanted, level, allowed)
            rows = {row[0]: row for row, _ in near}
            ranked = {row[0]: {"vector": score} for row, score in near}
            order = list(ranked)
            if words is not None:
                said = self._saying(c, words, wanted, allowed)
                for id, score in said:
                    ranked.setdefault(id, {})["words"] = score
                fused = _fuse([order, [id for id, _ in said]])
                for id, score in fused.items():
                    ranked[id]["fused"] = score
                order = sorted(fused, key=lambda id: -fused[id])[:top]
                rows |= {row[0]: row for row in entries.read(c, self.number, [id for id in order if id not in rows])}
        return [entries.hit(rows[id], ranked[id]) for id in order[:top]]

    def _nearest(
        self, c: sqlite3.Connection, query: np.ndarray, top: int, level: int, allowed: np.ndarray | None
    ) -> Sequence[tuple[Row, float]]:
        """The nearest entries and their cosine similarity, nearest first."""
        k, more = top, True
        near: Sequence[tuple[Row, float]] = []
        while more and len(near) < top:
            proposed, more = self._index.propose(query, k, level, allowed)
            near, k = self._scored(c, query, proposed.tolist(), top), 4 * k
        return near

    def _scored(
        self, c: sqlite3.Connection, query: np.ndarray, ids: Sequence[int], top: int
    ) -> Sequence[tuple[Row, float]]:
        rows = entries.read(c, self.number, ids)
        if not rows:
            return []
        x = np.frombuffer(b"".join([row[-1] for row in rows]), "<f4").reshape(len(rows), -1)
        scores = (x @ query) / (np.sqrt(np.einsum("nd,nd->n", x, x)) * math.sqrt(query @ query))
        best = np.lexsort(([row[0] for row in rows], -scores))[:top]  # ties by id: the same query gives the same order
        return [(rows[place], score) for place, score in zip(best.tolist(), scores[best].tolist(), strict=True)]

    def _saying(
        self, c: sqlite3.Connection, words: str, top: int, allowed: np.ndarray | None
    ) -> Sequence[tuple[int, float]]:
        """The entries that say any of the words, and their BM25, best first."""
        terms = {word for word in "".join(ch if ch.isalnum() else " " for ch in words).split()}
        if not terms:
            return []
        among, parameters = "", ()
        if allowed is not None:
            among, parameters = "AND rowid IN (SELECT value FROM json_each(?))", (json.dumps(allowed.tolist()),)
        asked = " OR ".join(f'"{term}"' for term in sorted(terms))
        rows = c.execute(
            f"SELECT rowid, -rank FROM text_{self.number} "
            f"WHERE text_{self.number} MATCH ? {among} ORDER BY rank LIMIT ?",
            (asked, *parameters, top),
        )
        return rows.fetchall()


def _as_name(name: str) -> None:
    if not name.strip() or len(name) > 200:
        raise ForetellError(f"name is {name!r:.60}, expected 1 to 200 characters")


def _file_name(place: str) -> str:
    """What a file is called: where it lay is nobody's business who asks over HTTP."""
    return Path(place.removeprefix("upload:")).name


def _as_many(
    metadata: Sequence[Mapping[str, Value]] | None, things: Sequence[Any] | np.ndarray
) -> Sequence[Mapping[str, Value]]:
    if metadata is None:
        return [{}] * len(things)
    if len(metadata) != len(things) or not all(isinstance(m, Mapping) for m in metadata):
        raise ForetellError(
            f"there are {len(things)} entries and {len(metadata)} metadata: expected a mapping for each"
        )
    return metadata


def _embedded(passages: Callable[[Sequence[Any]], np.ndarray], things: Sequence[Any], text: str | None) -> np.ndarray:
    step = 16
    turns = watched(range(0, len(things), step), text)
    parts = [passages(things[i : i + step]) for i in turns]
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _fuse(rankings: Sequence[Sequence[int]]) -> dict[int, float]:
    """Reciprocal rank fusion: Σ over rankings of 1 / (60 + rank)."""
    fused: dict[int, float] = {}
    for ranking in rankings:
        for rank, id in enumerate(ranking, 1):
            fused[id] = fused.get(id, 0.0) + 1 / (FUSION + rank)
    return fused


def _store(store: Store | str | Path, create: bool = False) -> tuple[Store, bool]:
    """An open store, and whether it was opened here."""
    return (store, False) if isinstance(store, Store) else (Store(store, create=create), True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


_ABOUT = """
SELECT contract_id, name, title, description, category, owner, created,
  coalesce((SELECT group_concat(kind, ', ') FROM
    (SELECT DISTINCT kind FROM source WHERE source.collection = collection.number ORDER BY kind)), ''),
  model, dimension, count, public FROM collection
"""


def _about(row: tuple[Any, ...]) -> About:
    return About(*row[:-1], public=bool(row[-1]))


def enter(c: sqlite3.Connection, values: Mapping[str, Any]) -> int:
    """Enter a collection and lay its tables; returns its number."""
    columns = ", ".join(values)
    try:
        insert = f"INSERT INTO collection ({columns}) VALUES ({', '.join('?' * len(values))}) RETURNING number"
        (number,) = c.execute(insert, tuple(values.values())).fetchone()
    except sqlite3.IntegrityError:
        raise Taken(values["name"]) from None
    run(c, COLLECTION.format(n=number))
    return number


def _find(c: sqlite3.Connection, store: Store, name: str, owner: str | None) -> int:
    rows = c.execute(
        "SELECT number FROM collection WHERE contract_id = ?1 OR name = ?1 AND owner = coalesce(?2, owner)",
        (name, owner),
    ).fetchall()
    if len(rows) == 1:
        return rows[0][0]
    if rows:
        raise ForetellError(f"{len(rows)} knowledges are called {name!r}: open one by its contract id")
    there = ", ".join(repr(n) for (n,) in c.execute("SELECT name FROM collection ORDER BY number LIMIT 10"))
    raise ForetellError(f"{store.folder} holds no knowledge {name!r:.80}; there are {there or 'none'}")
