"""Stores and their collections: the types and protocols that every store fulfils.

There are two kinds of store: a folder of this machine (`foretell.search.storage.sqlite`), and a Milvus server
(`foretell.search.storage.milvus`). A store contains everything about its knowledges: descriptions, entries with their
vectors, the files of the entries, and API keys. A program that can reach the store needs no other file. Models, files
and rights are the business of the modules above.

n entries · D width
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from foretell.errors import ForetellError
from foretell.search.entries import Draft, Entry, Hit, Value
from foretell.search.storage.filters import Filter
from foretell.search.storage.hnsw import Level


class Busy(ForetellError):
    """Another writer has blocked the store for too long."""


class Removed(ForetellError):
    """The knowledge was removed."""

    def __init__(self) -> None:
        super().__init__("this knowledge was removed")


class Taken(ForetellError):
    """The owner already has a knowledge of that name."""

    def __init__(self, name: object) -> None:
        super().__init__(f"there is a knowledge {name!r} already; choose another name")


@dataclass(frozen=True)
class About:
    """The description of a knowledge."""

    contract_id: str
    """43 characters of base64url, which never change."""
    name: str
    title: str
    description: str
    category: str
    owner: str
    created: str
    """ISO 8601, in UTC."""
    file_type: str
    """The types of the added files: `PDF`, or `PDF, TXT`; empty where there is no file."""
    model: str
    dimension: int | None
    """D of the vectors; None while there is none."""
    count: int
    public: bool
    index_type: str = "hnsw"


@dataclass(frozen=True)
class AddedFile:
    """A file that was added."""

    name: str
    """Its name, with so many of its folders that no other file has the same."""
    kind: str
    """Such as `PDF`."""
    entries: int


class Record(NamedTuple):
    """The part of a description that every request needs."""

    contract_id: str
    name: str
    owner: str
    public: bool
    model: str
    fingerprint: str | None
    """That of the model of the stored vectors; None while there is none."""


SCOPES = ("read", "write", "admin")
"""Each scope includes those before it. `read` and `write` reach the knowledges of the key's owner, `admin` all."""


@dataclass(frozen=True)
class Key:
    """A store's record of an API key. It does not contain the key itself."""

    name: str
    owner: str
    scope: str
    created: str
    """ISO 8601, in UTC."""
    revoked: str | None

    def allows(self, scope: str) -> bool:
        """Whether the key includes this scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


class Former(NamedTuple):
    """The stored state of a file that will be added."""

    hash: str | None
    """The hash of its stored content; None where the file is new."""
    known: bool
    """Whether its present content is stored, from this place or another."""
    keys: set[str]
    """The keys of its entries."""


class Addition(NamedTuple):
    """A file, read and embedded, that will be written. Without entries, the file is removed."""

    place: str
    """Its path. The next file at this place replaces it."""
    hash: str
    """The hash of its content. Content that is stored under the same hash is not added again."""
    kind: str
    drafts: Sequence[Draft]
    """Its new entries; each has a key."""
    kept: set[str]
    """Keys of its entries that are stored already."""
    known: bool = False
    """Whether another place has the same content; the entries belong to that place."""

    @property
    def empty(self) -> bool:
        """Whether the file has no entries."""
        return not (self.drafts or self.kept or self.known)


class PutOutcome(NamedTuple):
    """The result of writing files."""

    unchanged: int
    """Files that another process has added meanwhile."""
    entries: int
    """New entries."""
    removed: int
    """Entries that changed files no longer contain."""


class Origin(NamedTuple):
    """A file that entries came from."""

    place: str
    hash: str
    kind: str


class StoredEntry(NamedTuple):
    """An entry with its file, and the other files with the same content; no file where it came from none."""

    entry: Entry
    origins: Sequence[Origin]
    thumbnail: bytes | None = None


@runtime_checkable
class Collection(Protocol):
    """The entries of one knowledge. Every method raises Removed where the knowledge was removed.

    Several threads and processes may use one at the same time.
    """

    contract_id: str

    @property
    def quick(self) -> bool:
        """Whether a search by a vector, without a filter, takes less time than starting a thread."""
        ...

    def record(self) -> Record:
        """Its present state."""
        ...

    def about(self) -> About:
        """Its present state."""
        ...

    def describe(self, changes: Mapping[str, Any]) -> None:
        """Change `name`, `title`, `description`, `category` or `public`. Raises Taken."""
        ...

    def put(self, drafts: Sequence[Draft], fingerprint: str | None) -> Sequence[int]:
        """Write checked entries, and return their ids. A draft with the key of an entry replaces that entry.

        Raises:
            ForetellError: another model made the stored vectors, or a vector has another length.
        """
        ...

    def update(
        self,
        id: int,
        *,
        text: str | None,
        vector: np.ndarray | None,
        metadata: Mapping[str, Value] | None,
        fingerprint: str | None,
    ) -> bool:
        """Change an entry; None leaves a field as it is. Returns whether there is such an entry. Raises as `put`."""
        ...

    def put_files(self, files: Sequence[Addition], fingerprint: str | None) -> PutOutcome:
        """Write files; each replaces the entries that are stored of it. Raises as `put`.

        Files with the same content share the entries of one of them. When that file changes, another inherits them.

        Raises:
            Busy: another process has removed content that this one counted on.
        """
        ...

    def known(self, keys: Sequence[str]) -> set[str]:
        """The keys, of those given, that entries have."""
        ...

    def file(self, place: str, hash: str) -> Former:
        """The stored state of the file at a place, whose content now has this hash."""
        ...

    def files(self) -> Mapping[str, AddedFile]:
        """The files that were added, by their place."""
        ...

    def remove_file(self, place: str) -> int:
        """Forget a file, and delete its entries unless another file shares them; returns how many it had."""
        ...

    def delete(self, ids: Sequence[int]) -> int:
        """Delete entries; returns how many were deleted."""
        ...

    def fetch(self, ids: Sequence[int]) -> Sequence[Entry]:
        """Entries by their ids, in no order; unknown ids are ignored."""
        ...

    def page(self, start: int, limit: int) -> Sequence[Entry]:
        """Up to `limit` entries from id `start` on, by id."""
        ...

    def thumbnails(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        """Id -> the file of the small picture (WebP), of the entries that have one."""
        ...

    def rows(self, count: int) -> Iterator[Sequence[StoredEntry]]:
        """All entries, by id, up to `count` at a time."""
        ...

    def search(
        self, vector: np.ndarray, top: int, level: Level, filter: Filter | None, words: str | None
    ) -> Sequence[Hit]:
        """The entries nearest to a vector [D] that fulfil the filter; with `words`, fused with the best by words.

        Raises:
            ForetellError: the vector has another length, the filter another form, or this store cannot search words.
        """
        ...

    def state(self) -> str:
        """How it finds entries, and how well, for a person."""
        ...

    def build(self, *, progress: bool = False) -> bool:
        """Build the graph now; returns whether there was anything to build."""
        ...

    def build_behind(self) -> None:
        """Start to build the graph in the background, if it is due, and return at once."""
        ...

    def close(self, *, wait: bool = True) -> None:
        """Wait for work in the background, or stop it."""
        ...


@runtime_checkable
class Backend(Protocol):
    """A store of knowledges and API keys."""

    @property
    def where(self) -> str:
        """Its address, for messages."""
        ...

    @property
    def incoming(self) -> Path:
        """A folder of this machine for files that are uploaded over HTTP."""
        ...

    def abouts(self) -> Sequence[About]:
        """The descriptions of all knowledges, oldest first."""
        ...

    def find(self, name: str, owner: str | None = None) -> Sequence[Record]:
        """The knowledges with this contract id, or with this name (and owner, where given), oldest first."""
        ...

    def create(self, values: Mapping[str, Any]) -> Collection:
        """Create an empty knowledge; `values` are the fields of About that do not depend on entries. Raises Taken."""
        ...

    def restore(self, values: Mapping[str, Any], rows: Iterable[Sequence[StoredEntry]]) -> Collection:
        """Create a knowledge with all its entries, or nothing; `values` also contains the `fingerprint`."""
        ...

    def collection(self, contract_id: str) -> Collection:
        """The entries of a knowledge. Raises Removed where the store does not have it."""
        ...

    def remove(self, contract_id: str) -> None:
        """Delete a knowledge for ever. Raises Removed where the store does not have it."""
        ...

    def add_key(self, hash: str, key: Key) -> None:
        """Store a key and its hash. Raises ForetellError where the name is, or was, used."""
        ...

    def keys(self) -> Sequence[Key]:
        """All keys, oldest first."""
        ...

    def key(self, hash: str) -> Key | None:
        """The key with this hash; None where there is none, or it was revoked."""
        ...

    def revoke(self, name: str, when: str) -> bool:
        """Revoke a key; returns whether there is one with that name."""
        ...

    def backup(self, folder: str | Path) -> Path:
        """Copy the present state into a folder. Raises ForetellError where the store must be copied by other tools."""
        ...

    def close(self) -> None:
        """Close files and connections."""
        ...


def new_contract_id() -> str:
    """A new unique id. It begins with a letter or a digit, so that no command reads it as an option."""
    while not (name := urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="))[0].isalnum():
        pass
    return name


def names_of(places: Iterable[str]) -> dict[str, str]:
    """Place -> the name of the file there. Files of the same name are told apart by the folders nearest to them.

    HTTP clients must not learn more of the paths of this machine.
    """
    parts = {place: Path(place.removeprefix("upload:")).parts for place in places}
    names, depth, open_ = {place: name_of(place) for place in parts}, 1, set(parts)
    while open_:
        seen = Counter(names.values())
        open_ = {place for place in open_ if seen[names[place]] > 1 and len(parts[place]) > depth + 1}
        depth += 1
        names |= {place: "/".join(parts[place][-depth:]) for place in open_}
    return names


def name_of(place: str) -> str:
    """The name of the file at a place, without its folder: HTTP clients must not learn paths of this machine."""
    return Path(place.removeprefix("upload:")).name
