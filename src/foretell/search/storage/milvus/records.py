"""The records of a Milvus store: descriptions of knowledges, their files, and API keys.

A record is a row of the collection `foretell`. Its vector is empty of meaning: Milvus demands one. A server has no
transactions, and only primary keys are unique. So records are written last: a file's record after its entries, an
imported knowledge's record after all its entries. And a process that takes a name checks afterwards whether another
process has taken it too.
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
"""Bytes of a description, and of an entry's metadata, at most; a server accepts 65,536."""
FRESH = 1.0  # seconds for which descriptions are remembered


class KnowledgeRecords:
    """The records of a store. Raises ForetellError where the store is missing and `create` is false."""

    def __init__(self, client: Client, *, create: bool) -> None:
        self.client = client
        self._known: dict[str, tuple[list[dict[str, Any]], float]] = {}
        self._lock = threading.Lock()
        if not client.has(NAME):
            if not create:
                raise ForetellError(f"{client.where} holds no knowledge: there is no collection {NAME!r} in it")
            client.create(NAME, FIELDS, {"index_type": "FLAT", "metric_type": "L2"})

    # --- descriptions

    def abouts(self, condition: str = "", *, now: bool = False) -> list[dict[str, Any]]:
        """The descriptions of the knowledges that fulfil a condition, oldest first."""
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
        """The description of a knowledge. Raises Removed."""
        found = self.abouts(f'knowledge == "{plain(contract_id)}"', now=now)
        if not found:
            raise Removed
        return found[0]

    def named(self, name: str, owner: str) -> list[str]:
        """Contract ids of an owner's knowledges with this name: more than one only while two processes take it."""
        found = self.abouts(f'name == "{plain(name)}"', now=True)
        return [about["contract_id"] for about in found if about["owner"] == owner]

    def tell(self, about: Mapping[str, Any], *, new: bool = False) -> None:
        """Write a description. new: raises Taken where its owner has another knowledge of that name."""
        if len(json.dumps(about).encode()) > LARGEST:
            raise ForetellError(f"title and description together take more than {LARGEST:,} bytes; shorten them")
        contract_id, name, owner = about["contract_id"], about["name"], about["owner"]
        if new and self.named(name, owner):
            raise Taken(name)
        row = _row("about", contract_id, contract_id, name, "", dict(about))
        self._put(row)
        if new and self.named(name, owner) != [contract_id]:  # two processes took the name: neither gets it
            self.forget(contract_id)
            raise Taken(name)

    def forget(self, contract_id: str) -> None:
        """Delete the records of a knowledge and of its files."""
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
        """The files of a knowledge."""
        asked = f'kind == "file" and knowledge == "{plain(contract_id)}"'
        bodies = [row["body"] for rows in self.client.every(NAME, asked, ["body"]) for row in rows]
        return [Origin(**body) for body in bodies]

    def enter(self, contract_id: str, files: Iterable[Origin]) -> None:
        """Write the records of files."""
        rows = [
            _row("file", f"{contract_id} {file.place}", contract_id, "", file.hash, file._asdict()) for file in files
        ]
        self.client.put(NAME, rows)

    def leave(self, contract_id: str, place: str) -> None:
        """Delete the record of a file."""
        self.client.delete(NAME, f'id == "{_id("file", f"{contract_id} {place}")}"')

    # --- keys

    def key(self, hash: str) -> dict[str, Any] | None:
        """The API key with this hash."""
        found = self.client.get(NAME, f'id == "{_id("key", hash)}"', ["body"])
        return found[0]["body"] if found else None

    def keys(self) -> dict[str, dict[str, Any]]:
        """All API keys, by their hash."""
        rows = [row for rows in self.client.every(NAME, 'kind == "key"', ["body"], now=True) for row in rows]
        return {row["body"]["hash"]: row["body"] for row in rows}

    def put_key(self, key: dict[str, Any]) -> None:
        """Write an API key; `hash` identifies it."""
        self._put(_row("key", key["hash"], "", key["name"], "", key))

    def _put(self, row: MilvusRow) -> None:
        self.client.put(NAME, [row])
        with self._lock:
            self._known.clear()


def record_of(about: Mapping[str, Any]) -> Record:
    """The Record of a description."""
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
