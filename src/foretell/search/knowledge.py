"""A knowledge: a named collection of passages, photographs or videos, found by what they mean.

n entries · D width
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from foretell.errors import SEED, ForetellError, check_range
from foretell.progress import watched
from foretell.search import entries
from foretell.search.entries import Draft, Entry, Hit
from foretell.search.models.load import canonical, load_model, load_reranker
from foretell.search.models.onnx import texts_of
from foretell.search.models.text import DEFAULT, TextModel
from foretell.search.storage.filters import Filter, Value
from foretell.search.storage.open import open_backend
from foretell.search.storage.protocol import About, Backend, Collection, File, Record, new_contract_id
from foretell.search.storage.sqlite.graph import LEVELS

if TYPE_CHECKING:
    from foretell.search.add import Added
    from foretell.search.models.media import ImageModel

READ = 20
"""How many of the best a reranker reads at least: each costs it as much as ten searches."""
MOST = 10_000
"""How many results a search gives at most."""


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

    def __init__(self, store: Backend, collection: Collection, *, close_store: bool = False) -> None:
        self.store = store
        self.collection = collection
        self._close_store = close_store

    # --- the knowledges of a store

    @classmethod
    def create(
        cls,
        store: Backend | str | Path,
        name: str,
        *,
        title: str = "",
        description: str = "",
        category: str = "",
        owner: str = "",
        model: str = DEFAULT,
        public: bool = False,
    ) -> Knowledge:
        """Make an empty knowledge.

        Args:
            store: a folder, made if need be, or a Milvus server: `milvus://HOST:PORT/DATABASE`.
            name: what it is called in commands and addresses, without slashes; one of its owner's knowledges.
            title: for people; the name where empty.
            description: for people.
            category: for people, such as `Artificial Intelligence`.
            owner: who made it.
            model: what embeds it: a text model (`foretell.search.models.text.SPECS`, or a folder), or a world model
                (`foretell.load`) for photographs and videos. Any other name is kept as it is; then only vectors can be
                added.
            public: whether the HTTP service lets everyone read it.

        Raises:
            ForetellError: the owner has one of that name, or a name is not one.
        """
        about = {"name": name, "title": title or name, "description": description, "category": category}
        about |= {"owner": owner, "model": canonical(model)}
        for what, text in about.items():
            entries.text_of(what, text)
        _as_name(name)
        if not model.strip():
            raise ForetellError(f"model is {model!r}, expected a name such as {DEFAULT}, or a folder")
        values = about | {"contract_id": new_contract_id(), "created": _now(), "public": public}
        with _opened(store, create=True, keep=True) as (opened, own):
            return cls(opened, opened.create(values), close_store=own)

    @classmethod
    def open(cls, store: Backend | str | Path, name: str, *, owner: str | None = None) -> Knowledge:
        """Open a knowledge by its name or its contract id.

        Raises:
            ForetellError: there is none, or several owners have one of that name.
        """
        with _opened(store, keep=True) as (opened, own):
            found = _find(opened, name, owner)
            return cls(opened, opened.collection(found.contract_id), close_store=own)

    @classmethod
    def list(cls, store: Backend | str | Path) -> Sequence[About]:
        """All knowledges of a store, oldest first."""
        with _opened(store) as (opened, _):
            return opened.abouts()

    @classmethod
    def remove(cls, store: Backend | str | Path, name: str, *, owner: str | None = None) -> None:
        """Delete a knowledge and all that is in it, for ever.

        Raises:
            ForetellError: there is none of that name or contract id.
        """
        with _opened(store) as (opened, _):
            opened.remove(_find(opened, name, owner).contract_id)

    # --- what it is

    @property
    def about(self) -> About:
        """What it says of itself, as it is now. Raises ForetellError where it was removed."""
        return self.collection.about()

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
        self.collection.describe(changes)
        return self.about

    @property
    def model(self) -> TextModel | ImageModel:
        """The model that embeds it, loaded.

        Raises:
            ForetellError: it cannot be loaded, or is not the one that embedded what is there.
        """
        return self._model(None)

    def _model(self, name: str | None) -> TextModel | ImageModel:
        record = self.collection.record()
        stored, fingerprint = record.model, record.fingerprint
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
        """Add files: documents, or photographs and videos where the model is a world model. Folders are walked.

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
            self.collection.build_behind()
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
            raise ForetellError(f"this knowledge is of {model.of} ({model.name}): it takes files of them, not texts")
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
        ids = self.collection.put(checked, fingerprint)
        self.collection.build_behind()
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
            if model.kind != "text":
                raise ForetellError(f"this knowledge is of {model.of}: give the vector with the text")
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
        return self.collection.delete([int(id) for id in ids if isinstance(id, int | np.integer)])

    def remove_file(self, file: str | Path) -> int:
        """Delete a file's entries; added again, it is new.

        Args:
            file: its path, or its name where no other file here has it.

        Returns:
            How many entries it had.

        Raises:
            ForetellError: no file of that name was added, or several were.
        """
        files = self.collection.files()
        own = str(Path(file).resolve())
        found = [own] if own in files else [place for place, each in files.items() if each.name == str(file)]
        if not found:
            raise ForetellError(f"no file {str(file)!r:.200} was added here")
        if len(found) > 1:
            raise ForetellError(f"{len(found)} files called {str(file)!r:.200} were added here: give the path of one")
        return self.collection.remove_file(found[0])

    # --- reading

    def files(self) -> Sequence[File]:
        """The files that were added, by name."""
        return sorted(self.collection.files().values(), key=lambda file: file.name)

    def fetch(self, ids: Sequence[int]) -> Sequence[Entry]:
        """Entries by their ids, in that order.

        Raises:
            ForetellError: one is not there.
        """
        ids = [int(id) if isinstance(id, np.integer) else id for id in ids]
        found = {entry.id: entry for entry in self.collection.fetch(ids)}
        missing = [id for id in ids if id not in found]
        if missing:
            raise ForetellError(f"there is no entry {missing[0]!r}")
        return [found[id] for id in ids]

    def entries(self, start: int = 0, limit: int = 100) -> Sequence[Entry]:
        """Up to `limit` entries from id `start` on, by id. Raises ForetellError where one is no such number."""
        for what, asked in (("start", start), ("limit", limit)):
            check_range(what, asked, SEED)
        return self.collection.page(start, limit)

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
            query: a text; a photograph (its path, or the bytes of the file) or the path of a video, where the knowledge
                is of photographs or videos. Of a video that is longer than a clip, the middle is asked for.
            top: how many, at most 10,000. Fewer come where fewer are there.
            level: how hard to look, 0 to 4: larger is slower and misses less. It matters above some 25,000 entries;
                below, all are compared.
            filter: conditions on metadata, see `foretell.search.storage.filters.Filter`.
            rerank: let a reranker read the best, at least 20 of them, and sort them; a name or a folder chooses another
                than `DEFAULT` of `foretell.search.models.cross_encoder`: a cross-encoder (`SPECS` there) or a ColBERT
                (`foretell.search.models.colbert.SPECS`).
            hybrid: also look for the query's words (BM25), and fuse the two rankings.
            imagine: for photographs: search for the query as a world model imagines it changed, such as
                `{"brightness": 0.6}`.
            model: what the query is to be embedded by; another than the knowledge's is refused.

        Raises:
            ForetellError: the knowledge cannot answer such a query, a value is out of its range, or the model cannot
                be loaded.
        """
        top = self._asked(top, level)
        embedder = self._model(model)
        if embedder.kind != "text":
            if hybrid or rerank:
                raise ForetellError(f"this knowledge is of {embedder.of}, without words to rerank or to look for")
            if not isinstance(query, bytes) and not os.path.isfile(query):  # Path.is_file raises for long names
                asked = f"{query!s:.200}"
                raise ForetellError(f"this knowledge is of {embedder.of}: it is asked with a file, and {asked} is none")
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
        hits = self.collection.search(vector, wanted, level, filter, query if hybrid else None)
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
        top = self._asked(top, level)
        return self.collection.search(entries.as_vectors([vector])[0], top, level, filter, None)

    # --- housekeeping

    def export(self, path: str | Path) -> Path:
        """Write everything to a Parquet file, which `import_` reads, and any other program.

        Raises:
            ForetellError: the file cannot be written; one that was there before stays.
        """
        from foretell.search.storage.export import export

        return export(self, Path(path))

    @classmethod
    def import_(cls, store: Backend | str | Path, path: str | Path, name: str | None = None) -> Knowledge:
        """Make a knowledge of what `export` wrote, in one transaction; nothing is embedded.

        Args:
            store: a folder, made if need be, or a Milvus server: `milvus://HOST:PORT/DATABASE`.
            path: of the Parquet file.
            name: what to call it; None for what it was called.

        Raises:
            ForetellError: the file is missing, damaged or of another kind, or the name is taken or not one.
        """
        from foretell.search.storage.export import exported

        with exported(Path(path)) as (about, rows), _opened(store, create=True, keep=True) as (opened, own):
            about["name"] = about["name"] if name is None else name
            _as_name(about["name"])
            if opened.find(about["contract_id"]):
                about["contract_id"] = new_contract_id()
            return cls(opened, opened.restore(about, rows), close_store=own)

    def build(self, *, progress: bool = False) -> bool:
        """Build the graph now, if enough is new for one. A search never needs it; a large knowledge is faster with it.

        Returns:
            Whether there is a new graph.

        Raises:
            ForetellError: the disk is full or not writable; entries and searches stay as they are.
        """
        return self.collection.build(progress=progress)

    def close(self) -> None:
        """Wait for what runs behind, and close the store where this knowledge opened it."""
        try:
            self.collection.close()
        finally:
            if self._close_store:
                self.store.close()

    def __enter__(self) -> Knowledge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, top: int, level: int) -> int:
        if isinstance(top, bool) or not isinstance(top, int | np.integer) or not 1 <= top <= MOST:
            raise ForetellError(f"top is {top!r}, expected 1 to {MOST:,}")
        if isinstance(level, bool) or level not in LEVELS:
            raise ForetellError(f"level is {level!r}, expected 0 to {LEVELS[-1]}")
        return int(top)


def _as_name(name: str) -> None:
    if not name.strip() or len(name) > 200:
        raise ForetellError(f"name is {name!r:.60}, expected 1 to 200 characters")
    # In the service's addresses a name is one part of a path. Stores that have others keep them: by their contract ids.
    if name in (".", "..") or any(ord(letter) < 32 or letter in "/\\\x7f" for letter in name):
        raise ForetellError(f"name is {name!r:.60}, expected one line of text that is no path, without / and \\")


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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def _opened(store: Backend | str | Path, *, create: bool = False, keep: bool = False) -> Iterator[tuple[Backend, bool]]:
    """An open store, and whether it was opened here: then it is closed again, with `keep` only if something fails."""
    if not isinstance(store, str | Path):
        yield store, False
        return
    with ExitStack() as stack:
        opened = stack.enter_context(closing(open_backend(store, create=create)))
        yield opened, True
        if keep:
            stack.pop_all()


def _find(backend: Backend, name: str, owner: str | None) -> Record:
    entries.text_of("name", name)
    found = backend.find(name, owner)
    if len(found) == 1:
        return found[0]
    if found:
        raise ForetellError(f"{len(found)} knowledges are called {name!r}: open one by its contract id")
    there = ", ".join(repr(about.name) for about in backend.abouts()[:10])
    raise ForetellError(f"{backend.where} holds no knowledge {name!r:.80}; there are {there or 'none'}")
