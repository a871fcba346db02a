"""A knowledge: a named collection of passages, photographs or videos that are searched by meaning.

n entries · D width
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from foretell.errors import SEED, ForetellError, check_range
from foretell.search import catalogue, change, entries
from foretell.search.add import Added, add
from foretell.search.entries import Draft, Entry, Hit
from foretell.search.models.load import load_model
from foretell.search.models.text import DEFAULT, TextModel
from foretell.search.query import READ_USUAL, SearchArguments, answer, by_vector, check_model, check_top
from foretell.search.storage.export import export
from foretell.search.storage.filters import Filter, Value
from foretell.search.storage.hnsw import Level
from foretell.search.storage.protocol import About, AddedFile, Backend, Collection

if TYPE_CHECKING:
    from foretell.search.models.media import ImageModel


class Knowledge:
    """An opened knowledge of a store.

    Several threads and processes may use one at the same time. Each search sees everything that was committed before
    it.

    ```python
    with Knowledge.create("store", "papers") as papers:
        papers.add("paper.pdf")
        for hit in papers.search("what does the predictor learn?", top=5, rerank=True):
            print(hit.score, hit.page, hit.text)
    ```

    `create`, `open` and `import_` make one.
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
        """Create an empty knowledge.

        Args:
            store: a folder, which is created where it is missing, or a Milvus server: `milvus://HOST:PORT/DATABASE`.
            name: its name in commands and addresses, without slashes. An owner has one knowledge of a name.
            title: for people; the name where empty.
            description: for people.
            category: for people, such as `Artificial Intelligence`.
            owner: the name of its owner.
            model: the model that embeds it: a text model (`foretell.search.models.text.SPECS`, or a folder), or a world
                model (`foretell.load`) for photographs and videos. Any other name is kept as it is; then only vectors
                can be added.
            public: whether the HTTP service lets everyone read it.

        Raises:
            ForetellError: the owner has a knowledge of that name, or a value is not valid.
        """
        texts = {"title": title, "description": description, "category": category, "owner": owner}
        with catalogue.opened(store, create=True, keep=True) as (backend, own):
            made = catalogue.create(backend, name, model=model, public=public, **texts)
            return cls(backend, made, close_store=own)

    @classmethod
    def open(cls, store: Backend | str | Path, name: str, *, owner: str | None = None) -> Knowledge:
        """Open a knowledge by its name or its contract id.

        Raises:
            ForetellError: the store has none, or several owners have one with this name.
        """
        with catalogue.opened(store, keep=True) as (backend, own):
            found = catalogue.find(backend, name, owner)
            return cls(backend, backend.collection(found.contract_id), close_store=own)

    @classmethod
    def list(cls, store: Backend | str | Path) -> Sequence[About]:
        """The descriptions of all knowledges of a store, oldest first."""
        with catalogue.opened(store) as (backend, _):
            return backend.abouts()

    @classmethod
    def remove(cls, store: Backend | str | Path, name: str, *, owner: str | None = None) -> None:
        """Delete a knowledge with all its entries, for ever.

        Raises:
            ForetellError: the store has none with this name or contract id.
        """
        with catalogue.opened(store) as (backend, _):
            backend.remove(catalogue.find(backend, name, owner).contract_id)

    @classmethod
    def import_(cls, store: Backend | str | Path, path: str | Path, name: str | None = None) -> Knowledge:
        """Create a knowledge from a file that `export` wrote, in one transaction. Nothing is embedded.

        Args:
            store: a folder, which is created where it is missing, or a Milvus server: `milvus://HOST:PORT/DATABASE`.
            path: of the Parquet file.
            name: its new name; None for the name in the file.

        Raises:
            ForetellError: the file is missing, damaged or of another kind, or the name is taken or not valid.
        """
        with catalogue.imported(store, Path(path), name) as (backend, collection, own):
            return cls(backend, collection, close_store=own)

    # --- its description

    @property
    def about(self) -> About:
        """Its description, as it is now. Raises ForetellError where it was removed."""
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
        """Change its description; None leaves a field as it is."""
        given = {"name": name, "title": title, "description": description, "category": category}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        catalogue.check_texts(changes)
        self.collection.describe(changes if public is None else changes | {"public": public})
        return self.about

    @property
    def model(self) -> TextModel | ImageModel:
        """The model that embeds it, loaded.

        Raises:
            ForetellError: it cannot be loaded, or it is another model than the one that made the stored vectors.
        """
        return self._model(None)

    def _model(self, name: str | None) -> TextModel | ImageModel:
        record = self.collection.record()
        loaded = load_model(name or record.model)
        check_model(record, name, loaded)
        return loaded

    # --- writing

    def add(
        self, *paths: str | Path, text: str | None = None, password: str | None = None, progress: bool = False
    ) -> Added:
        """Add files: documents, or photographs and videos where the model is a world model. Folders are walked.

        A file whose content was added before adds nothing, even from another place. A file that has changed replaces
        its own entries in one transaction; passages that it still contains keep their ids and are not embedded again.
        An interruption keeps the files that are done. To continue, add the same paths again.

        Args:
            paths: files and folders.
            text: the column to search, of tables and records; by default the likeliest one.
            password: opens encrypted PDF files.
            progress: show a bar.

        Returns:
            Counts, and the files that could not be used or only in part, with the reason.

        Raises:
            ForetellError: a path does not exist, the model cannot be used, or the disk is full.
        """
        added = add(self.collection, self.model, [Path(path) for path in paths], text, password, progress=progress)
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
            metadata: for each text a flat mapping: names to texts, numbers and truths.
            progress: show a bar.

        Returns:
            Their ids.

        Raises:
            ForetellError: a value has the wrong type, the model cannot be used, or the disk is full. Then nothing was
                added.
        """
        model = self.model
        return self.write(change.of_texts(model, texts, metadata, progress=progress), model.fingerprint)

    def insert_vectors(
        self,
        vectors: ArrayLike,
        metadata: Sequence[Mapping[str, Value]] | None = None,
        texts: Sequence[str] | None = None,
    ) -> Sequence[int]:
        """Add entries with given vectors [n, D]; the first ones decide D. Otherwise as `insert`."""
        return self.write(change.of_vectors(vectors, metadata, texts))

    def write(self, drafts: Sequence[Draft], fingerprint: str | None = None) -> Sequence[int]:
        """Add entries as they are. A draft with the key of an entry replaces that entry. Otherwise as `insert`."""
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
        new, fingerprint = change.vector_of(old, text, vector, lambda: self.model)
        if not self.collection.update(id, text=text, vector=new, metadata=metadata, fingerprint=fingerprint):
            raise ForetellError(f"there is no entry {id!r}")

    def delete(self, ids: Iterable[int]) -> int:
        """Delete entries. Unknown ids are ignored. Returns how many entries were deleted."""
        deleted = self.collection.delete([int(id) for id in ids if isinstance(id, int | np.integer)])
        self.collection.build_behind()  # a graph that lost many entries finds fewer
        return deleted

    def remove_file(self, file: str | Path) -> int:
        """Delete a file's entries. A file that is added again later is new.

        Args:
            file: its path, or its name as `files` gives it.

        Returns:
            The number of its entries.

        Raises:
            ForetellError: no file with this name was added, or several were.
        """
        return self.collection.remove_file(change.place_of(self.collection.files(), file))

    # --- reading

    def files(self) -> Sequence[AddedFile]:
        """The files that were added, by name."""
        return sorted(self.collection.files().values(), key=lambda file: file.name)

    def fetch(self, ids: Sequence[int]) -> Sequence[Entry]:
        """Entries by their ids, in that order.

        Raises:
            ForetellError: there is no entry with one of these ids.
        """
        ids = [int(id) if isinstance(id, np.integer) else id for id in ids]
        found = {entry.id: entry for entry in self.collection.fetch(ids)}
        missing = [id for id in ids if id not in found]
        if missing:
            raise ForetellError(f"there is no entry {missing[0]!r}")
        return [found[id] for id in ids]

    def entries(self, start: int = 0, limit: int = 100) -> Sequence[Entry]:
        """Up to `limit` entries from id `start` on, by id. Raises ForetellError where a number is out of range."""
        for what, asked in (("start", start), ("limit", limit)):
            check_range(what, asked, SEED)
        return self.collection.page(start, limit)

    def thumbnail(self, id: int) -> bytes | None:
        """The file of an entry's small picture (WebP): of a photograph, or of some frames of a clip, side by side.

        Returns:
            None where the store keeps none: of texts, and of entries that were added before stores kept them.

        Raises:
            ForetellError: there is no such entry.
        """
        (entry,) = self.fetch([id])
        return self.collection.thumbnails([entry.id]).get(entry.id)

    def search(
        self,
        query: str | Path | bytes | np.ndarray,
        top: int = 10,
        *,
        level: Level = 2,
        filter: Filter | None = None,
        rerank: bool | str = False,
        read: int = READ_USUAL,
        hybrid: bool = False,
        imagine: Mapping[str, float] | None = None,
        model: str | None = None,
    ) -> Sequence[Hit]:
        """Find the entries nearest in meaning.

        Args:
            query: a text. In a knowledge of photographs or videos: the path of a photograph, the bytes of its file, or
                the path of a video. The middle of a video that is longer than a clip is the query. Where the model
                knows words, a `str` is a text, and a `Path` is a file. An array is what `model.read` gave of one.
            top: how many results, at most 10,000.
            level: how hard to look, 0 to 4: a larger one is slower and misses less. It matters above some 25,000
                entries; below, all entries are compared. `"exact"` compares all of any number.
            filter: conditions on metadata, see `foretell.search.storage.filters.Filter`.
            rerank: a reranker reads the best results and sorts them. Results that it does not read come after these. A
                name or a folder chooses another than the default: a cross-encoder
                (`foretell.search.models.cross_encoder.SPECS`) or a ColBERT (`foretell.search.models.colbert.SPECS`).
            read: how many results the reranker reads at most, 1 to 200. It reads at least 20 where it may.
            hybrid: also search for the query's words (BM25), and fuse the two rankings.
            imagine: search for the query as a world model imagines it: of photographs changed, `{"brightness": 0.6}`;
                of clips of steps what comes next, `{"next": 1}`, by several futures, of which the nearest counts.
            model: the model that embeds the query; it must be the knowledge's own.

        Raises:
            ForetellError: the knowledge cannot answer such a query, a value is out of its range, or the model cannot
                be loaded.
        """
        asked = SearchArguments(query, check_top(top, level), level, filter, rerank, read, hybrid, imagine)
        return answer(self.collection, self._model(model), asked)

    def query(
        self, vector: ArrayLike, top: int = 10, *, level: Level = 2, filter: Filter | None = None
    ) -> Sequence[Hit]:
        """Find the entries nearest to a vector [D], by cosine similarity. Otherwise as `search`."""
        return by_vector(self.collection, vector, top, level, filter)

    def export(self, path: str | Path) -> Path:
        """Write everything to a Parquet file. `import_` and other programs can read it.

        Raises:
            ForetellError: the file cannot be written. A file that was there before stays as it was.
        """
        return export(self.collection, Path(path))

    def build(self, *, progress: bool = False) -> bool:
        """Build the graph now, if there are enough new entries. It makes searches of a large knowledge faster.

        Returns:
            Whether there is a new graph.

        Raises:
            ForetellError: the disk is full or not writable. Entries and searches do not change.
        """
        return self.collection.build(progress=progress)

    def close(self) -> None:
        """Wait for work in the background, and close the store where this knowledge opened it."""
        try:
            self.collection.close()
        finally:
            if self._close_store:
                self.store.close()

    def __enter__(self) -> Knowledge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
