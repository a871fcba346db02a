"""Where knowledges are kept, as the engine sees it.

Two places keep them: a folder of this machine (`foretell.search.storage.sqlite.store`), and a Milvus server
(`foretell.search.storage.milvus`). A place keeps everything that belongs to its knowledges: what they say of
themselves, entries with their vectors, which files entries came from, and API keys; so whoever can reach it needs
nothing else.
What all of that means (models, files, rerankers, who may read) is written once, above.

n entries · D width
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from foretell.errors import ForetellError
from foretell.search.entries import Draft, Entry, Hit
from foretell.search.storage.filters import Filter


class Busy(ForetellError):
    """Another writer held the store for too long."""


class Removed(ForetellError):
    """A knowledge is no longer there."""

    def __init__(self) -> None:
        super().__init__("this knowledge was removed")


class Taken(ForetellError):
    """The owner has a knowledge of that name."""

    def __init__(self, name: object) -> None:
        super().__init__(f"there is a knowledge {name!r} already; choose another name")


@dataclass(frozen=True)
class About:
    """What a knowledge says of itself."""

    contract_id: str
    """43 characters of base64url: what it is known by for ever."""
    name: str
    title: str
    description: str
    category: str
    owner: str
    created: str
    """ISO 8601, in UTC."""
    file_type: str
    """Of the files that were added: `PDF`, `PDF, TXT`; empty for none."""
    model: str
    dimension: int | None
    """D of the vectors; None before there is any."""
    count: int
    public: bool
    index_type: str = "hnsw"


@dataclass(frozen=True)
class AddedFile:
    """A file that was added."""

    name: str
    kind: str
    """Such as `PDF`."""
    entries: int


class Record(NamedTuple):
    """What every use of a knowledge asks first."""

    contract_id: str
    name: str
    owner: str
    public: bool
    model: str
    fingerprint: str | None
    """Of the model that embedded what is there; None before there is anything."""


SCOPES = ("read", "write", "admin")
"""Each allows what those before it do. `read` and `write` reach the knowledges of the key's owner, `admin` all."""


@dataclass(frozen=True)
class Key:
    """What is known of a key; not the key."""

    name: str
    owner: str
    scope: str
    created: str
    """ISO 8601, in UTC."""
    revoked: str | None

    def allows(self, scope: str) -> bool:
        """Whether it may do what this scope may."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


class Former(NamedTuple):
    """What is there of a file that is to be added."""

    hash: str | None
    """Of the content that was added of it; None where it never was."""
    known: bool
    """What it now holds is there, at whatever place."""
    keys: set[str]
    """Of its entries."""


class Addition(NamedTuple):
    """A file, read and embedded, to be written; one without entries is no longer there."""

    place: str
    """Where it lies: the next file there takes its place."""
    hash: str
    """Of its content: what is there under the same hash is not added again."""
    kind: str
    drafts: Sequence[Draft]
    """Its entries that are new; each has a key."""
    kept: set[str]
    """Keys of its entries that are there already."""
    known: bool = False
    """Its content is there at another place, which has the entries of both."""

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not (self.drafts or self.kept or self.known)


class Outcome(NamedTuple):
    """What came of writing files."""

    unchanged: int
    """Files that somebody else had added meanwhile."""
    entries: int
    """New ones."""
    removed: int
    """Entries of changed files that are no longer in them."""


class Origin(NamedTuple):
    """A file as a store knows it."""

    place: str
    hash: str
    kind: str


class Stored(NamedTuple):
    """An entry with the file that it came from, and those of the same content; none where it came from no file."""

    entry: Entry
    origins: Sequence[Origin]


@runtime_checkable
class Collection(Protocol):
    """The entries of one knowledge. Every method raises Removed where it is no longer there.

    Several threads and processes may use one at the same time.
    """

    contract_id: str

    @property
    def quick(self) -> bool:
        """Whether a search for a vector, without conditions, would be over before a thread had begun it."""
        ...

    def record(self) -> Record:
        """As it is now."""
        ...

    def about(self) -> About:
        """As it is now."""
        ...

    def describe(self, changes: Mapping[str, Any]) -> None:
        """Change `name`, `title`, `description`, `category` or `public`. Raises Taken."""
        ...

    def put(self, drafts: Sequence[Draft], fingerprint: str | None) -> Sequence[int]:
        """Write checked entries, of which those with a known key take that entry's place; returns their ids.

        Raises:
            ForetellError: another model embedded what is there, or a vector is of another length.
        """
        ...

    def put_files(self, files: Sequence[Addition], fingerprint: str | None) -> Outcome:
        """Write the entries of files, each in the place of what was there of it. Raises as `put`.

        Files of the same content share the entries of one of them. Where that one changes, another has them.

        Raises:
            Busy: content that was known is not there any more.
        """
        ...

    def known(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that entries have."""
        ...

    def file(self, place: str, hash: str) -> Former:
        """What is there of the file at a place, whose content now has this hash."""
        ...

    def files(self) -> Mapping[str, AddedFile]:
        """The files that were added, by their place."""
        ...

    def remove_file(self, place: str) -> int:
        """Delete a file's entries, unless another has the same, and that it was added; returns how many it had."""
        ...

    def delete(self, ids: Sequence[int]) -> int:
        """Delete entries; returns how many were there."""
        ...

    def fetch(self, ids: Sequence[int]) -> Sequence[Entry]:
        """Entries by their ids, in no order, without those that are not there."""
        ...

    def page(self, start: int, limit: int) -> Sequence[Entry]:
        """Up to `limit` entries from id `start` on, by id."""
        ...

    def rows(self, count: int) -> Iterator[Sequence[Stored]]:
        """All entries, by id, up to `count` at a time."""
        ...

    def search(
        self, vector: np.ndarray, top: int, level: int, filter: Filter | None, words: str | None
    ) -> Sequence[Hit]:
        """The entries nearest to a vector [D], of those that fulfil the filter; fused with those that say words.

        Raises:
            ForetellError: the vector is of another length, the filter of another form, or words cannot be found here.
        """
        ...

    def build(self, *, progress: bool = False) -> bool:
        """Build now what makes searches faster; returns whether there was anything to build."""
        ...

    def build_behind(self) -> None:
        """Begin to build it, where it is due, and come back at once."""
        ...

    def close(self) -> None:
        """Wait for what runs behind."""
        ...


@runtime_checkable
class Backend(Protocol):
    """A place of knowledges and API keys."""

    @property
    def where(self) -> str:
        """What people call it."""
        ...

    @property
    def incoming(self) -> Path:
        """A folder of this machine for files that are being added over HTTP."""
        ...

    def abouts(self) -> Sequence[About]:
        """Every knowledge, oldest first."""
        ...

    def find(self, name: str, owner: str | None = None) -> Sequence[Record]:
        """The knowledges with this contract id, or with this name (and owner, where given), oldest first."""
        ...

    def create(self, values: Mapping[str, Any]) -> Collection:
        """Make an empty knowledge; `values` are About's but for what comes with entries. Raises Taken."""
        ...

    def restore(self, values: Mapping[str, Any], rows: Iterable[Sequence[Stored]]) -> Collection:
        """Make a knowledge with entries as they were elsewhere, as a whole; `values` also has the `fingerprint`."""
        ...

    def collection(self, contract_id: str) -> Collection:
        """A knowledge's entries. Raises Removed where there is none."""
        ...

    def remove(self, contract_id: str) -> None:
        """Delete a knowledge for ever. Raises Removed where there is none."""
        ...

    def add_key(self, hash: str, key: Key) -> None:
        """Keep a key's hash. Raises ForetellError where there is, or was, one of its name."""
        ...

    def keys(self) -> Sequence[Key]:
        """All keys, oldest first."""
        ...

    def key(self, hash: str) -> Key | None:
        """The key of this hash, unless it was revoked."""
        ...

    def revoke(self, name: str, when: str) -> bool:
        """Revoke a key; returns whether there is one of that name."""
        ...

    def backup(self, folder: str | Path) -> Path:
        """Copy everything into a folder, as it is now. Raises ForetellError where that is not for us to do."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def new_contract_id() -> str:
    """A name that nothing else has, and no command takes for an option."""
    while not (name := urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="))[0].isalnum():
        pass
    return name


def name_of(place: str) -> str:
    """What a file is called: where it lay is nobody's business who asks over HTTP."""
    return Path(place.removeprefix("upload:")).name
