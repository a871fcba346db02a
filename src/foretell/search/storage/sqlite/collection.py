"""A knowledge in a folder: its entries in SQLite, and an index that finds them.

n entries · D width
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from foretell.errors import ForetellError
from foretell.progress import bar
from foretell.search.entries import Draft, Entry, Hit, Value, changed
from foretell.search.storage.checks import check_query
from foretell.search.storage.duplicates import inherited, plan, with_same_content
from foretell.search.storage.filters import Filter
from foretell.search.storage.hnsw import Level
from foretell.search.storage.protocol import (
    About,
    AddedFile,
    Addition,
    Former,
    Origin,
    PutOutcome,
    Record,
    Removed,
    StoredEntry,
    Taken,
    names_of,
)
from foretell.search.storage.sqlite import records as sql
from foretell.search.storage.sqlite import thumbnails
from foretell.search.storage.sqlite.database import Database
from foretell.search.storage.sqlite.graph import GraphIndex
from foretell.search.storage.sqlite.search import search

log = logging.getLogger(__name__)


class FolderCollection:
    """A `foretell.search.storage.protocol.Collection` of a folder.

    A search sees all entries that any process committed before it, and none that come later.
    """

    def __init__(self, database: Database, number: int, contract_id: str) -> None:
        self.contract_id = contract_id
        self.number = number
        self.index = GraphIndex(database, number)
        self._database = database
        self._builder: threading.Thread | None = None
        self._starting = threading.Lock()  # several threads of a service may write at the same time
        self._stop = threading.Event()
        self._known = -1  # the version of the database at the last search

    @property
    def quick(self) -> bool:
        """As `Collection.quick`: there are few entries, and none were written since the last search."""
        return self.index.small and self._known == self._database.version()

    def record(self) -> Record:
        """As `Collection.record`."""
        with self._database.read() as c:
            return record_of(self._row(c, RECORD))

    def about(self) -> About:
        """As `Collection.about`."""
        with self._database.read() as c:
            return about_of(self._row(c, ABOUT))

    def describe(self, changes: Mapping[str, Any]) -> None:
        """As `Collection.describe`."""
        with self._database.write() as c:
            for column, value in changes.items():
                try:
                    c.execute(f"UPDATE collection SET {column} = ? WHERE number = ?", (value, self.number))
                except sqlite3.IntegrityError:
                    raise Taken(changes["name"]) from None

    # --- writing

    def put(self, drafts: Sequence[Draft], fingerprint: str | None) -> Sequence[int]:
        """As `Collection.put`, in one transaction."""
        with self._database.write() as c:
            return sql.put(c, self.number, drafts, fingerprint)

    def update(
        self,
        id: int,
        *,
        text: str | None,
        vector: np.ndarray | None,
        metadata: Mapping[str, Value] | None,
        fingerprint: str | None,
    ) -> bool:
        """As `Collection.update`, in one transaction."""
        with self._database.write() as c:
            found = sql.read(c, self.number, [id])
            if found:
                draft = changed(sql.entry(found[0]), text, vector, metadata)
                sql.put(c, self.number, [draft], fingerprint)
        return bool(found)

    def put_files(self, files: Sequence[Addition], fingerprint: str | None) -> PutOutcome:
        """As `Collection.put_files`, in one transaction."""
        n, added, removed = self.number, 0, 0
        with self._database.write() as c:
            self._row(c, RECORD)
            changed, heirs = plan(files, self._same_content(c, [f.place for f in files], [f.hash for f in files]))
            old = {file.place: self._of(c, file.place) for file in changed}
            sources: dict[str, int] = {}
            for file in changed:
                if file.empty:
                    continue
                (sources[file.place],) = c.execute(
                    "INSERT INTO source (collection, path, hash, kind) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (collection, path) DO UPDATE SET hash = excluded.hash RETURNING number",
                    (n, file.place, file.hash, file.kind),
                ).fetchone()
            for place, heir in heirs.items():
                ids = [id for id, _ in old[place]]
                had = [sql.entry(row) for row in sql.read(c, n, ids)]
                (to,) = c.execute("SELECT number FROM source WHERE collection = ? AND path = ?", (n, heir)).fetchone()
                sql.put(c, n, inherited(had, thumbnails.read(c, n, ids), place, heir), source=to)
            for file in changed:
                keep = file.kept | {draft.key for draft in file.drafts}
                removed += sql.drop(c, n, [id for id, key in old[file.place] if key not in keep])
                if file.empty:
                    c.execute("DELETE FROM source WHERE collection = ? AND path = ?", (n, file.place))
                elif file.drafts:
                    added += len(sql.put(c, n, file.drafts, fingerprint, sources[file.place]))
        return PutOutcome(len(files) - sum(not file.known for file in changed), added, removed)

    def delete(self, ids: Sequence[int]) -> int:
        """As `Collection.delete`."""
        with self._database.write() as c:
            return sql.drop(c, self.number, ids)

    def remove_file(self, place: str) -> int:
        """As `Collection.remove_file`, in one transaction."""
        return self.put_files([Addition(place, "", "", [], set())], None).removed

    # --- reading

    def known(self, keys: Sequence[str]) -> set[str]:
        """As `Collection.known`."""
        query = f"SELECT key FROM entry_{self.number} WHERE key IN (SELECT value FROM json_each(?))"
        with self._database.read() as c:
            self._row(c, RECORD)
            return {key for (key,) in c.execute(query, (json.dumps(list(keys)),))}

    def file(self, place: str, hash: str) -> Former:
        """As `Collection.file`."""
        with self._database.read() as c:
            self._row(c, RECORD)
            before = self._same_content(c, [place], [hash])
            keys = {key for _, key in self._of(c, place)}
        return Former(before.get(place), hash in before.values(), keys)

    def files(self) -> Mapping[str, AddedFile]:
        """As `Collection.files`."""
        held = (
            f"SELECT count(*) FROM entry_{self.number} JOIN source AS own ON own.number = source "
            "WHERE own.collection = one.collection AND own.hash = one.hash"
        )
        with self._database.read() as c:
            self._row(c, RECORD)
            query = f"SELECT path, kind, ({held}) FROM source AS one WHERE collection = ?"
            rows = c.execute(query, (self.number,)).fetchall()
            names = names_of(path for path, _, _ in rows)
            return {path: AddedFile(names[path], kind, count) for path, kind, count in rows}

    def fetch(self, ids: Sequence[int]) -> Sequence[Entry]:
        """As `Collection.fetch`."""
        with self._database.read() as c:
            self._row(c, RECORD)
            return [sql.entry(row) for row in sql.read(c, self.number, ids)]

    def page(self, start: int, limit: int) -> Sequence[Entry]:
        """As `Collection.page`."""
        with self._database.read() as c:
            self._row(c, RECORD)
            query = f"SELECT {sql.columns(c, self.number)} FROM entry_{self.number} WHERE id >= ? ORDER BY id LIMIT ?"
            return [sql.entry(row) for row in c.execute(query, (start, limit))]

    def thumbnails(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        """As `Collection.thumbnails`."""
        with self._database.read() as c:
            self._row(c, RECORD)
            return thumbnails.read(c, self.number, ids)

    def rows(self, count: int) -> Iterator[Sequence[StoredEntry]]:
        """As `Collection.rows`: all as they are at one moment."""
        with self._database.read() as c:
            self._row(c, RECORD)
            files = c.execute("SELECT path, hash, kind FROM source WHERE collection = ?", (self.number,))
            origins = with_same_content(Origin(*file) for file in files)
            rows = c.execute(
                f"SELECT path, {sql.columns(c, self.number)} FROM entry_{self.number} "
                f"LEFT JOIN source ON number = source ORDER BY entry_{self.number}.id"
            )
            while some := rows.fetchmany(count):
                small = thumbnails.read(c, self.number, [row[1] for row in some])
                yield [StoredEntry(sql.entry(row[1:]), origins.get(row[0], ()), small.get(row[1])) for row in some]

    def search(
        self, vector: np.ndarray, top: int, level: Level, filter: Filter | None, words: str | None
    ) -> Sequence[Hit]:
        """As `Collection.search`."""
        version = self._database.version()  # before reading: the index is then at least as new
        with self._database.read() as c:
            dimension = self.index.refresh(c)
            self._known = version
            if dimension is None:
                return []
            check_query(vector, dimension)
            return search(c, self.index, self.number, vector, top, level, filter, words)

    # --- the index

    def build(self, *, progress: bool = False) -> bool:
        """As `Collection.build`."""
        if self._builder:
            self._builder.join()
        with self._database.read() as c:
            if not (self.index.due(c) or self.index.worn(c)):
                return False
        if not progress:
            return self.index.build(stop=self._stop)
        with bar("indexing", self.about().count) as indexing:
            return self.index.build(indexing.advance, self._stop)

    def state(self) -> str:
        """As `Collection.state`."""
        with self._database.read() as c:
            self.index.refresh(c)
        return self.index.state()

    def build_behind(self) -> None:
        """As `Collection.build_behind`, in its own thread."""
        with self._starting:
            if self._builder and self._builder.is_alive():
                return
            if self._due():
                self._builder = threading.Thread(target=self._build_behind, name="foretell-index")
                self._builder.start()

    def close(self, *, wait: bool = True) -> None:
        """As `Collection.close`."""
        try:
            if self._builder and wait:
                self._builder.join()
        finally:  # an interruption ends the building; then searches are slower, and nothing is lost
            self._stop.set()
            if self._builder:
                self._builder.join()

    def _of(self, c: sqlite3.Connection, place: str) -> list[tuple[int, str]]:
        """Ids and keys of the entries of the file at a place."""
        own = (
            f"SELECT id, key FROM entry_{self.number} JOIN source ON number = source WHERE collection = ? AND path = ?"
        )
        return c.execute(own, (self.number, place)).fetchall()

    def _same_content(self, c: sqlite3.Connection, places: Sequence[str], hashes: Sequence[str]) -> dict[str, str]:
        """Place -> hash: of the files at these places, and of all files with these hashes or with theirs."""
        files = "SELECT path, hash FROM source WHERE collection = ? AND {} IN (SELECT value FROM json_each(?))"
        own = dict(c.execute(files.format("path"), (self.number, json.dumps(list(places)))))
        hashes = [*hashes, *own.values()]
        return own | dict(c.execute(files.format("hash"), (self.number, json.dumps(hashes))))

    def _due(self) -> bool:
        with self._database.read() as c:
            return self.index.due(c)

    def _build_behind(self) -> None:
        try:
            while self._due() and self.index.build(stop=self._stop):
                pass  # new entries may be enough for another graph
        except ForetellError as error:
            log.warning("%s", error)

    def _row(self, c: sqlite3.Connection, query: str) -> tuple[Any, ...]:
        row = c.execute(f"{query} WHERE number = ?", (self.number,)).fetchone()
        if row is None:
            raise Removed
        return row


RECORD = "SELECT contract_id, name, owner, public, model, fingerprint FROM collection"
ABOUT = """
SELECT contract_id, name, title, description, category, owner, created,
  coalesce((SELECT group_concat(kind, ', ') FROM
    (SELECT DISTINCT kind FROM source WHERE source.collection = collection.number ORDER BY kind)), ''),
  model, dimension, count, public FROM collection
"""


def record_of(row: tuple[Any, ...]) -> Record:
    """A row of `RECORD`."""
    contract_id, name, owner, public, model, fingerprint = row
    return Record(contract_id, name, owner, bool(public), model, fingerprint)


def about_of(row: tuple[Any, ...]) -> About:
    """A row of `ABOUT`."""
    return About(*row[:-1], public=bool(row[-1]))
