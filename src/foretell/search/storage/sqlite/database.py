"""The SQLite file of a store in a folder: everything about its knowledges.

Entries, vectors, full text, filters and API keys are written in one transaction. A committed transaction survives kill
-9 and a power cut (write-ahead log, synchronous=FULL). Everything else in the folder can be built again. One
transaction writes at a time, over all processes; other writers wait for it. Readers never wait.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foretell.disk import sync_folder
from foretell.errors import ForetellError
from foretell.search.storage.protocol import Busy
from foretell.stop import WorkStopped, ending

VERSION = 2  # version of the layout: raise it when the tables change
FILE = "knowledge.db"
MAPPED = 2**31 - 2**16  # bytes of the file in memory, SQLite's most; the rest is read as usual
APPLICATION = 0x464F5245  # "FORE": marks the file of a store

LAYOUT = f"""
CREATE TABLE collection (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  contract_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, category TEXT NOT NULL, owner TEXT NOT NULL,
  created TEXT NOT NULL,
  public INTEGER NOT NULL DEFAULT 0,
  model TEXT NOT NULL, fingerprint TEXT, dimension INTEGER,
  count INTEGER NOT NULL DEFAULT 0,
  next_id INTEGER NOT NULL DEFAULT 0,
  seq INTEGER NOT NULL DEFAULT 0,     -- grows with every change; rows carry the one they were last written at
  pruned INTEGER NOT NULL DEFAULT 0,  -- deletions up to here are forgotten
  UNIQUE (owner, name)
);
CREATE TABLE graph (  -- files of HNSW: what was last written after the graph before it, up to seq
  collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
  seq INTEGER NOT NULL, name TEXT NOT NULL, entries INTEGER NOT NULL, bytes INTEGER NOT NULL, crc INTEGER NOT NULL,
  PRIMARY KEY (collection, seq)
);
CREATE TABLE source (
  number INTEGER PRIMARY KEY,
  collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
  path TEXT NOT NULL, hash TEXT NOT NULL, kind TEXT NOT NULL,
  UNIQUE (collection, path)
);
CREATE INDEX source_hash ON source (collection, hash);
CREATE TABLE key (  -- of the HTTP service
  hash TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, scopes TEXT NOT NULL,
  created TEXT NOT NULL, revoked TEXT
);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""

COLLECTION = """
CREATE TABLE entry_{n} (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, source INTEGER,
  page INTEGER, start REAL, stop REAL, text TEXT NOT NULL, metadata TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX entry_{n}_seq ON entry_{n} (seq);
CREATE INDEX entry_{n}_source ON entry_{n} (source) WHERE source IS NOT NULL;
CREATE TABLE field_{n} (key TEXT, value, id INTEGER, PRIMARY KEY (key, value, id)) WITHOUT ROWID;
CREATE TABLE deleted_{n} (seq INTEGER, id INTEGER, PRIMARY KEY (seq, id)) WITHOUT ROWID;
CREATE VIRTUAL TABLE text_{n} USING fts5 (text, content='', tokenize='porter unicode61 remove_diacritics 2');
"""
"""The tables of one collection. It has its own, so that removal drops them, and word statistics are its own."""

DROP = """
DROP TABLE entry_{n};
DROP TABLE field_{n};
DROP TABLE deleted_{n};
DROP TABLE text_{n};
DROP TABLE IF EXISTS piece_{n};
DROP TABLE IF EXISTS thumbnail_{n};
"""


class Database:
    """A folder with a SQLite file.

    Args:
        folder: contains knowledge.db, and index/ with files that can be built again.
        create: create the store where it is missing; otherwise a missing store is an error.
        wait: seconds that a writer waits for another.

    Raises:
        ForetellError: the store is missing, damaged, of another program or another layout, or the folder cannot be
            written to.
    """

    def __init__(self, folder: str | Path, *, create: bool = True, wait: float = 60.0) -> None:
        self.folder = Path(folder)
        self.wait = wait
        self.file = self.folder / FILE
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._turn = threading.Lock()
        self._watching = threading.Lock()
        if not create and not self.file.is_file():
            raise ForetellError(f"{self.folder} holds no knowledge: expected a folder with {FILE} in it")
        if self._emptied(create):
            raise ForetellError(f"{self.file} is empty: restore it from a backup or an export")
        with self._plainly():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            try:
                self._lay()
                self._watcher = self._connect()
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that reads the present state of the store, also while others write."""
        with self._plainly():
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._connect()
            try:
                connection.execute("BEGIN")
                with ending(connection.interrupt):
                    yield connection
            finally:
                connection.rollback()
                self._idle.put(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction. At its end all changes are on the disk; after an error none of them are.

        Raises:
            Busy: another writer took longer than `wait`.
            ForetellError: the disk is full or not writable; the store stays as it was.
        """
        if not self._turn.acquire(timeout=self.wait):
            raise self._busy()
        try:
            with self._plainly():
                connection = self._writer
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:  # a full disk may have ended it already
                        connection.rollback()
        finally:
            self._turn.release()

    def version(self) -> int:
        """A number that changes with every write to the store, in this process or another."""
        with self._plainly(), self._watching:
            return self._watcher.execute("PRAGMA data_version").fetchone()[0]

    def backup(self, folder: str | Path) -> Path:
        """Copy the present store into another folder, which is then a store. Writers continue meanwhile.

        Raises:
            ForetellError: the folder contains a store already, or cannot be written to.
        """
        target = Path(folder) / FILE
        if target.exists():
            raise ForetellError(f"{target} exists already: choose another folder for the backup")
        part, made = target.with_name(f".{FILE}.{os.getpid()}"), not target.parent.exists()
        with self._plainly(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                connection = sqlite3.connect(part)
                try:
                    with self.read() as here:
                        here.rollback()  # the copy takes its own snapshot
                        here.backup(connection)
                finally:
                    connection.close()
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
                part.replace(target)
                sync_folder(target.parent)
            finally:
                part.unlink(missing_ok=True)
                if made and not target.exists():
                    with suppress(OSError):
                        target.parent.rmdir()
        return target.parent

    def close(self) -> None:
        """Close the files. A closed store cannot be used again."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
        self._watcher.close()
        self._writer.close()

    def _emptied(self, create: bool) -> bool:
        """Whether the file has lost its content. While a process creates the store, it is empty for a moment."""
        try:
            empty = self.file.stat().st_size == 0
        except OSError:
            return False
        return empty and (not create or (self.folder / "index").exists())

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.file, timeout=self.wait, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA mmap_size = {MAPPED}")  # reads are copies from memory, not calls of the system
        return connection

    def _lay(self) -> None:
        """Create the tables, or check that they have this layout."""
        c = self._writer
        if (
            c.execute("PRAGMA user_version").fetchone() == (0,)
            and not c.execute("SELECT 1 FROM sqlite_master").fetchone()
        ):
            c.execute("PRAGMA page_size = 8192")  # an entry with its vector takes 3 KB: two fit
            self._write_ahead()
            with self.write():
                if not c.execute("SELECT 1 FROM sqlite_master").fetchone():  # otherwise another process was faster
                    run(c, LAYOUT)
            sync_folder(self.folder)
        (application,), (version,) = (
            c.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        if application != APPLICATION:
            raise ForetellError(f"{self.file} is a SQLite file of another program, not a store of foretell")
        if version != VERSION:
            writer, todo = (
                ("a newer foretell", "update foretell")
                if version > VERSION
                else ("an unreleased foretell", "export its knowledges with that one, and import the files here")
            )
            raise ForetellError(
                f"{self.file} was written by {writer} (layout {version}, this one reads layout {VERSION}): {todo}"
            )

    def _write_ahead(self) -> None:
        end = time.monotonic() + self.wait
        while True:
            try:
                self._writer.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:  # SQLite does not wait for this statement
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def _busy(self) -> Busy:
        return Busy(f"{self.folder}: another writer is at work, and did not finish within {self.wait:g} s; try again")

    @contextmanager
    def _plainly(self, file: Path | None = None) -> Iterator[None]:
        """Turn SQLite's errors into one sentence about the store's file, or about `file` where one is given."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.ProgrammingError) and "closed database" in str(error):
                raise ForetellError(f"{self.folder}: this store was closed; open it again") from None
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_INTERRUPT:
                raise WorkStopped from None
            if code == sqlite3.SQLITE_BUSY:
                raise self._busy() from None
            reasons = {
                sqlite3.SQLITE_FULL: "the disk is full; nothing new was written, and the old entries are kept",
                sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a backup or an export",
                sqlite3.SQLITE_NOTADB: "the file is not a store of foretell, or is damaged at its beginning",
                sqlite3.SQLITE_READONLY: "the file cannot be written to; look at its permissions",
                sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; look at the folder's permissions",
                sqlite3.SQLITE_IOERR: "the disk failed to read or write; nothing of this was written",
            }
            if isinstance(error, sqlite3.OperationalError):  # a table or a text that this program did not write
                reasons.setdefault(code, reasons[sqlite3.SQLITE_CORRUPT])
            if code not in reasons:
                raise
            raise ForetellError(f"{file or self.file}: {reasons[code]} ({error})") from error
        except ValueError as error:  # numbers or metadata of an entry that this program did not write
            raise ForetellError(
                f"{file or self.file}: an entry is damaged; restore the file from a backup or an export ({error})"
            ) from error
        except OSError as error:
            raise ForetellError(f"{error.filename or self.folder}: {error.strerror or error}") from error


def run(connection: sqlite3.Connection, script: str) -> None:
    """Run several statements inside the open transaction (`executescript` would end it)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
