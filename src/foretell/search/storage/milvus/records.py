"""What a store knows beside entries: what knowledges say of themselves, which files they have, and API keys.

They are rows of one collection, `foretell`, whose vector says nothing: Milvus wants one. A server has no transactions
and no uniqueness but that of the primary key. So what must come last is written last (a file's row after its entries, a
restored knowledge's row after all of them), and who takes a name looks again whether somebody else took it meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from foretell.errors import ForetellError
from foretell.search.storage.milvus.client import Client, MilvusRow, plain, quoted
from foretell.search.storage.protocol import Origin, Record, Removed, Taken

NAME = "foretell"
FIELDS = {
    "id": {"kind": "VARCHAR", "max_length": 256},
    "kind": {"kind": "VARCHAR", "max_length": 16, "indexed": True},
    "knowledge": {"kind": "VARCHAR", "max_length": 128, "indexed": True},
    "name": {"kind": "VARCHAR", "max_length": 2048, "indexed": True},
    "hash": {"kind": "VARCHAR", "max_length": 1024, "indexed": True},
    "body": {"kind": "JSON"},
    "vector": {"kind": "FLOAT_VECTOR", "dim": 2},
}
LARGEST = 60_000
"""Bytes of what a knowledge says of itself, and of an entry's metadata; a server takes 65,536."""
FRESH = 1.0  # seconds for which what a knowledge says of itself is not asked again


class Records:
    """The rows of a store that are no entries. Raises ForetellError where there is no store and `create` is false."""

    def __init__(self, client: Client, *, create: bool) -> None:
        self.client = client
        self._known: dict[str, tuple[list[dict[str, Any]], float]] = {}
        self._lock = threading.Lock()
        if not client.has(NAME):
            if not create:
                raise ForetellError(f"{client.where} holds no knowledge: there is no collection {NAME!r} in it")
            client.create(NAME, FIELDS, {"index_type": "FLAT", "metric_type": "L2"})

    # --- what knowledges say of themselves

    def abouts(self, condition: str = "", *, now: bool = False) -> list[dict[str, Any]]:
        """What those knowledges say of themselves that fulfil a condition, oldest first."""
        with self._lock:
            known, until = self._known.get(condition, ([], 0.0))
        if not now and time.monotonic() < until:
            return known
        asked = f'kind == "about" and ({condition})' if condition else 'kind == "about"'
        found = [row["body"] for rows in self.client.every(NAME, asked, ["body"], now=now) for row in rows]
        found.sort(key=lambda about: (about["created"], about["contract_id"]))
        with self._lock:
            self._known = {key: value for key, value in self._known.items() if value[1] > time.monotonic()}
            self._known[condition] = found, time.monotonic() + FRESH
        return found

    def about(self, contract_id: str, *, now: bool = False) -> dict[str, Any]:
        """What a knowledge says of itself. Raises Removed."""
        found = self.abouts(f'knowledge == "{plain(contract_id)}"', now=now)
        if not found:
            raise Removed
        return found[0]

    def named(self, name: str, owner: str) -> list[str]:
        """Contract ids of an owner's knowledges of a name: one at most, but while two take it at the same time."""
        found = self.abouts(f'name == "{plain(name)}"', now=True)
        return [about["contract_id"] for about in found if about["owner"] == owner]

    def tell(self, about: Mapping[str, Any], *, new: bool = False) -> None:
        """Write what a knowledge says of itself. new: its name must be its owner's only one, else raises Taken."""
        if len(json.dumps(about).encode()) > LARGEST:
            raise ForetellError(f"title and description together take more than {LARGEST:,} bytes; shorten them")
        contract_id, name, owner = about["contract_id"], about["name"], about["owner"]
        if new and self.named(name, owner):
            raise Taken(name)
        row = _row("about", contract_id, contract_id, name, "", dict(about))
        self._put(row)
        if new and self.named(name, owner) != [contract_id]:  # both step back rather than both stay
            self.forget(contract_id)
            raise Taken(name)

    def forget(self, contract_id: str) -> None:
        """Delete what there is about a knowledge, and about its files."""
        self.client.delete(NAME, f'id == "{_id("about", contract_id)}"')
        self.client.delete(NAME, f'knowledge == "{plain(contract_id)}"')
        with self._lock:
            self._known.clear()

    # --- files

    def same_content(
        self, contract_id: str, places: Sequence[str], hashes: Sequence[str], *, now: bool = False
    ) -> dict[str, str]:
        """Place -> hash: of the files at these places, and of all files with these hashes or with theirs."""
        ids = [_id("file", f"{contract_id} {place}") for place in places]
        rows = list(self.client.among(NAME, "id", ids, ["body"], now=now))
        asked = {*hashes, *(row["body"]["hash"] for row in rows)}
        of = f'kind == "file" and knowledge == "{plain(contract_id)}"'
        condition = f"{of} and hash in {quoted([plain(hash) for hash in asked])}"
        rows += [row for some in self.client.every(NAME, condition, ["body"]) for row in some]
        return {row["body"]["place"]: row["body"]["hash"] for row in rows}

    def files(self, contract_id: str) -> list[Origin]:
        """A knowledge's files."""
        asked = f'kind == "file" and knowledge == "{plain(contract_id)}"'
        bodies = [row["body"] for rows in self.client.every(NAME, asked, ["body"]) for row in rows]
        return [Origin(**body) for body in bodies]

    def enter(self, contract_id: str, files: Iterable[Origin]) -> None:
        """Write that a knowledge has files."""
        rows = [
            _row("file", f"{contract_id} {file.place}", contract_id, "", file.hash, file._asdict()) for file in files
        ]
        self.client.put(NAME, rows)

    def leave(self, contract_id: str, place: str) -> None:
        """Write that a knowledge no longer has a file."""
        self.client.delete(NAME, f'id == "{_id("file", f"{contract_id} {place}")}"')

    # --- keys

    def key(self, hash: str) -> dict[str, Any] | None:
        """The key of a hash."""
        found = self.client.get(NAME, f'id == "{_id("key", hash)}"', ["body"])
        return found[0]["body"] if found else None

    def keys(self) -> dict[str, dict[str, Any]]:
        """All keys, by their hash."""
        rows = [row for rows in self.client.every(NAME, 'kind == "key"', ["body"], now=True) for row in rows]
        return {row["body"]["hash"]: row["body"] for row in rows}

    def put_key(self, key: dict[str, Any]) -> None:
        """Write a key, whose `hash` it is known by."""
        self._put(_row("key", key["hash"], "", key["name"], "", key))

    def _put(self, row: MilvusRow) -> None:
        self.client.put(NAME, [row])
        with self._lock:
            self._known.clear()


def record_of(about: Mapping[str, Any]) -> Record:
    """The part of it that is asked first."""
    return Record(*(about[field] for field in Record._fields))


def _id(kind: str, of: str) -> str:
    return hashlib.blake2b(f"{kind} {of}".encode(), digest_size=32).hexdigest()


def _row(kind: str, of: str, contract_id: str, name: str, hash: str, body: dict[str, Any]) -> MilvusRow:
    return {
        "id": _id(kind, of),
        "kind": kind,
        "knowledge": plain(contract_id),
        "name": plain(name),
        "hash": plain(hash),
        "body": body,
        "vector": [0.0, 0.0],
    }
