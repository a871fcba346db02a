"""Thumbnails of entries, in a table of their own, so that no search reads them.

A store of an earlier version gets the table with the first thumbnail.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence


def there(c: sqlite3.Connection, number: int) -> bool:
    """Whether a collection has thumbnails."""
    return bool(c.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"thumbnail_{number}",)).fetchone())


def told(c: sqlite3.Connection, number: int) -> str:
    """An expression of SQL that tells of a row of entries whether it has a thumbnail."""
    return f"EXISTS (SELECT 1 FROM thumbnail_{number} AS t WHERE t.id = entry_{number}.id)" if there(c, number) else "0"


def put(c: sqlite3.Connection, number: int, id: int, file: bytes) -> None:
    """Write the thumbnail of an entry, in place of an earlier one."""
    c.execute(f"CREATE TABLE IF NOT EXISTS thumbnail_{number} (id INTEGER PRIMARY KEY, file BLOB NOT NULL)")
    c.execute(f"INSERT OR REPLACE INTO thumbnail_{number} VALUES (?, ?)", (id, file))


def drop(c: sqlite3.Connection, number: int, ids: Sequence[int]) -> None:
    """Delete the thumbnails of entries."""
    if there(c, number):
        c.execute(f"DELETE FROM thumbnail_{number} WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))


def read(c: sqlite3.Connection, number: int, ids: Sequence[int]) -> dict[int, bytes]:
    """Id -> the file, of those that have one."""
    if not there(c, number):
        return {}
    query = f"SELECT id, file FROM thumbnail_{number} WHERE id IN (SELECT value FROM json_each(?))"
    return dict(c.execute(query, (json.dumps(ids),)))
