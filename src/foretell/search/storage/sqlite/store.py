"""A store in a folder: its knowledges and API keys, in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foretell.errors import ForetellError
from foretell.search.entries import as_draft, checked
from foretell.search.storage.protocol import About, Key, Record, Removed, StoredEntry, Taken
from foretell.search.storage.sqlite import records as sql
from foretell.search.storage.sqlite.collection import ABOUT, RECORD, FolderCollection, about_of, record_of
from foretell.search.storage.sqlite.database import COLLECTION, DROP, Database, run


class Store(Database):
    """A folder of knowledges: a `foretell.search.storage.protocol.Backend` without a server.

    Args and errors: as of `foretell.search.storage.sqlite.database.Database`.
    """

    def __init__(self, folder: str | Path, *, create: bool = True, wait: float = 60.0) -> None:
        super().__init__(folder, create=create, wait=wait)
        self._found: dict[tuple[str, str | None], Sequence[Record]] = {}  # valid for one version of the database
        self._version = -1
        self._remembering = threading.Lock()

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.folder)

    @property
    def incoming(self) -> Path:
        """Beside the database, so that uploads fill no other disk."""
        return self.folder / "incoming"

    def abouts(self) -> Sequence[About]:
        """As `Backend.abouts`."""
        with self.read() as c:
            return [about_of(row) for row in c.execute(f"{ABOUT} ORDER BY number")]

    def find(self, name: str, owner: str | None = None) -> Sequence[Record]:
        """As `Backend.find`. Answers are remembered until the next write."""
        version = self.version()  # before reading: a remembered answer is at least as new
        with self._remembering:
            if version != self._version:
                self._version = version
                self._found.clear()
            found = self._found.get((name, owner))
        if found is None:
            named, asked = ("name = ?1", (name,)) if owner is None else ("name = ?1 AND owner = ?2", (name, owner))
            with self.read() as c:
                rows = c.execute(f"{RECORD} WHERE contract_id = ?1 OR {named} ORDER BY number", asked)
                found = [record_of(row) for row in rows]
            with self._remembering:
                if found and version == self._version:
                    self._found[name, owner] = found
        return found

    def create(self, values: Mapping[str, Any]) -> FolderCollection:
        """As `Backend.create`."""
        with self.write() as c:
            number = _enter(c, values)
        return FolderCollection(self, number, values["contract_id"])

    def restore(self, values: Mapping[str, Any], rows: Iterable[Sequence[StoredEntry]]) -> FolderCollection:
        """As `Backend.restore`, in one transaction."""
        with self.write() as c:
            number = _enter(c, values)
            sources: dict[str, int] = {}
            for some in rows:
                for entry, origins, small in some:
                    c.execute("UPDATE collection SET next_id = ? WHERE number = ?", (entry.id, number))
                    for origin in origins:
                        if origin.place not in sources:
                            (sources[origin.place],) = c.execute(
                                "INSERT INTO source (collection, path, hash, kind) VALUES (?, ?, ?, ?) "
                                "RETURNING number",
                                (number, *origin),
                            ).fetchone()
                    draft = as_draft(entry, small)
                    sql.put(c, number, [checked(draft)], source=sources[origins[0].place] if origins else None)
        return FolderCollection(self, number, values["contract_id"])

    def collection(self, contract_id: str) -> FolderCollection:
        """As `Backend.collection`."""
        with self.read() as c:
            row = c.execute("SELECT number FROM collection WHERE contract_id = ?", (contract_id,)).fetchone()
        if row is None:
            raise Removed
        return FolderCollection(self, row[0], contract_id)

    def remove(self, contract_id: str) -> None:
        """As `Backend.remove`."""
        with self.write() as c:
            row = c.execute("DELETE FROM collection WHERE contract_id = ? RETURNING number", (contract_id,)).fetchone()
            if row is None:
                raise Removed
            run(c, DROP.format(n=row[0]))
        for path in (self.folder / "index").glob(f"{row[0]}[-.]*"):
            path.unlink(missing_ok=True)

    def add_key(self, hash: str, key: Key) -> None:
        """As `Backend.add_key`."""
        with self.write() as c:
            try:
                values = (hash, key.name, key.owner, key.scope, key.created)
                c.execute("INSERT INTO key (hash, name, owner, scopes, created) VALUES (?, ?, ?, ?, ?)", values)
            except sqlite3.IntegrityError:
                raise ForetellError(f"there is, or was, a key {key.name!r}; choose another name") from None

    def keys(self) -> Sequence[Key]:
        """As `Backend.keys`."""
        with self.read() as c:
            return [Key(*row) for row in c.execute(f"{_KEY} ORDER BY created, name")]

    def key(self, hash: str) -> Key | None:
        """As `Backend.key`."""
        with self.read() as c:
            row = c.execute(f"{_KEY} WHERE hash = ? AND revoked IS NULL", (hash,)).fetchone()
        return Key(*row) if row else None

    def revoke(self, name: str, when: str) -> bool:
        """As `Backend.revoke`."""
        with self.write() as c:
            revoked = c.execute("UPDATE key SET revoked = coalesce(revoked, ?) WHERE name = ?", (when, name))
            return revoked.rowcount > 0


_KEY = "SELECT name, owner, scopes, created, revoked FROM key"


def _enter(c: sqlite3.Connection, values: Mapping[str, Any]) -> int:
    """Insert a collection and create its tables; returns its number."""
    columns = ", ".join(values)
    try:
        insert = f"INSERT INTO collection ({columns}) VALUES ({', '.join('?' * len(values))}) RETURNING number"
        (number,) = c.execute(insert, tuple(values.values())).fetchone()
    except sqlite3.IntegrityError:
        raise Taken(values["name"]) from None
    run(c, COLLECTION.format(n=number))
    return number
