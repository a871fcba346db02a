"""A store on a Milvus server: its knowledges and API keys."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foretell.errors import ForetellError
from foretell.search.storage.milvus.client import Client, plain
from foretell.search.storage.milvus.collection import MilvusCollection
from foretell.search.storage.milvus.records import KnowledgeRecords, record_of
from foretell.search.storage.protocol import About, Key, Record, StoredEntry, Taken


class MilvusStore:
    """A database of a Milvus server: a `foretell.search.storage.protocol.Backend` for many machines.

    Args and errors: as of `foretell.search.storage.milvus.client.Client`; `create` also creates the store in
    the database.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self._client = Client(url, create=create)
        try:
            self._records = KnowledgeRecords(self._client, create=create)
        except BaseException:
            self._client.close()
            raise

    @property
    def where(self) -> str:
        """The address, without a password."""
        return self._client.where

    @property
    def incoming(self) -> Path:
        """In the folder of this machine's temporary files."""
        return Path(tempfile.gettempdir()) / "foretell-incoming"

    def abouts(self) -> Sequence[About]:
        """As `Backend.abouts`."""
        every = self._records.abouts(now=True)
        return [MilvusCollection(self._records, about["contract_id"]).of(about) for about in every]

    def find(self, name: str, owner: str | None = None) -> Sequence[Record]:
        """As `Backend.find`."""
        asked = plain(name)
        found = [record_of(about) for about in self._records.abouts(f'knowledge == "{asked}" or name == "{asked}"')]
        return [each for each in found if each.contract_id == name or owner in (None, each.owner)]

    def create(self, values: Mapping[str, Any]) -> MilvusCollection:
        """As `Backend.create`."""
        self._records.tell({"fingerprint": None, **values, "dimension": None, "kinds": []}, new=True)
        return MilvusCollection(self._records, values["contract_id"])

    def restore(self, values: Mapping[str, Any], rows: Iterable[Sequence[StoredEntry]]) -> MilvusCollection:
        """As `Backend.restore`. The knowledge appears once all its entries are written."""
        made = MilvusCollection(self._records, values["contract_id"])
        if self._records.named(values["name"], values["owner"]):
            raise Taken(values["name"])
        dimension, kinds = None, set[str]()
        try:
            for some in rows:
                if dimension is None and some:
                    dimension = len(some[0].entry.vector)
                    made.lay(dimension)
                files = made.restore(some)
                self._records.enter(values["contract_id"], files)
                kinds |= {file.kind for file in files}
            about = {**values, "public": bool(values["public"]), "dimension": dimension, "kinds": sorted(kinds)}
            self._records.tell(about, new=True)
        except BaseException:
            self._drop(made)
            raise
        return made

    def collection(self, contract_id: str) -> MilvusCollection:
        """As `Backend.collection`."""
        self._records.about(contract_id)
        return MilvusCollection(self._records, contract_id)

    def remove(self, contract_id: str) -> None:
        """As `Backend.remove`."""
        self._drop(self.collection(contract_id))

    def _drop(self, collection: MilvusCollection) -> None:
        self._records.forget(collection.contract_id)
        self._client.drop(collection.name)
        self._client.drop(collection.thumbnails_name)

    def add_key(self, hash: str, key: Key) -> None:
        """As `Backend.add_key`."""
        if any(other["name"] == key.name for other in self._records.keys().values()):
            raise ForetellError(f"there is, or was, a key {key.name!r}; choose another name")
        self._records.put_key(asdict(key) | {"hash": hash})

    def keys(self) -> Sequence[Key]:
        """As `Backend.keys`."""
        return sorted(map(_key, self._records.keys().values()), key=lambda key: (key.created, key.name))

    def key(self, hash: str) -> Key | None:
        """As `Backend.key`."""
        found = self._records.key(hash)
        return _key(found) if found and not found["revoked"] else None

    def revoke(self, name: str, when: str) -> bool:
        """As `Backend.revoke`."""
        found = [key for key in self._records.keys().values() if key["name"] == name]
        for key in found:
            self._records.put_key(key | {"revoked": key["revoked"] or when})
        return bool(found)

    def backup(self, folder: str | Path) -> Path:
        """Raises ForetellError: Milvus has its own tools for it."""
        raise ForetellError(
            f"{self.where} is backed up by Milvus's own tools (milvus-backup); `foretell knowledge export` writes one "
            "knowledge to a file"
        )

    def close(self) -> None:
        """As `Backend.close`."""
        self._client.close()


def _key(row: Mapping[str, Any]) -> Key:
    return Key(row["name"], row["owner"], row["scope"], row["created"], row["revoked"])
