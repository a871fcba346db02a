"""A knowledge on a Milvus server: its entries are the rows of its own Milvus collection, with an HNSW graph.

An entry's id is a hash of its key, so that all processes give it the same id. It has 53 bits, which fit the numbers of
every client. If two keys have the same hash, the second one is hashed again with a counter.

n entries · D width
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from foretell.errors import ForetellError
from foretell.search.entries import Draft, Entry, Hit, as_draft, changed
from foretell.search.storage.checks import check_model, check_query, check_widths
from foretell.search.storage.duplicates import inherited, plan, with_same_content
from foretell.search.storage.filters import Filter, Value
from foretell.search.storage.hnsw import EF_CONSTRUCTION, SCAN, Level, M, ef
from foretell.search.storage.milvus.client import AT_ONCE, Client, MilvusRow, original, plain, quoted
from foretell.search.storage.milvus.records import KnowledgeRecords, record_of
from foretell.search.storage.milvus.rows import (
    TEXT,
    entry_of,
    expression,
    file_of,
    has_thumbnail,
    hashed,
    hit_of,
    numbers_of,
    row_of,
)
from foretell.search.storage.protocol import (
    About,
    AddedFile,
    Addition,
    Former,
    Origin,
    PutOutcome,
    Record,
    StoredEntry,
    Taken,
    names_of,
)

WHOLE = ("id", "key", "text", "entry", "vector")


class MilvusCollection:
    """A `foretell.search.storage.protocol.Collection` on a server."""

    def __init__(self, records: KnowledgeRecords, contract_id: str) -> None:
        self.contract_id = contract_id
        self.name = collection_of(contract_id)
        self.thumbnails_name = f"thumbnails_of_{self.name}"
        self.quick = False  # a call to a server takes time
        self._records = records
        self._client: Client = records.client

    def record(self) -> Record:
        """As `Collection.record`."""
        return record_of(self._records.about(self.contract_id))

    def about(self) -> About:
        """As `Collection.about`."""
        return self.of(self._records.about(self.contract_id))

    def of(self, about: Mapping[str, Any]) -> About:
        """The About of a description in the records."""
        said = {k: v for k, v in about.items() if k not in ("fingerprint", "kinds")}
        count = 0 if about["dimension"] is None else self._client.count(self.name)
        return About(**said, file_type=", ".join(sorted(about["kinds"])), count=count)

    def describe(self, changes: Mapping[str, Any]) -> None:
        """As `Collection.describe`."""
        about = self._records.about(self.contract_id, now=True)
        if "name" in changes:  # other fields change nothing about whose name it is
            named = self._records.named(changes["name"], about["owner"])
            if any(contract_id != self.contract_id for contract_id in named):
                raise Taken(changes["name"])
        self._records.tell({**about, **changes})

    # --- writing

    def put(self, drafts: Sequence[Draft], fingerprint: str | None) -> Sequence[int]:
        """As `Collection.put`, but a failure may leave some entries. Writing them again with the same keys is safe."""
        return self._put(drafts, fingerprint, [None] * len(drafts))

    def update(
        self,
        id: int,
        *,
        text: str | None,
        vector: np.ndarray | None,
        metadata: Mapping[str, Value] | None,
        fingerprint: str | None,
    ) -> bool:
        """As `Collection.update`. The last of two processes that do so at the same time decides."""
        found = self.fetch([id])
        if found:
            self.put([changed(found[0], text, vector, metadata)], fingerprint)
        return bool(found)

    def put_files(self, files: Sequence[Addition], fingerprint: str | None) -> PutOutcome:
        """As `Collection.put_files`. A file counts as added once all its entries are written."""
        places, hashes = [file.place for file in files], [file.hash for file in files]
        changed, heirs = plan(files, self._records.same_content(self.contract_id, places, hashes, now=True))
        old = self._of_files([file.place for file in changed])
        had = {place: [entry_of(row) for row in self._with("file", [file_of(place)], WHOLE)] for place in heirs}
        for place, heir in heirs.items():
            small = self.thumbnails([each.id for each in had[place] if each.has_thumbnail])
            drafts = inherited(had[place], small, place, heir)
            self._put(drafts, None, [heir] * len(drafts))
        drafts = [(draft, file.place) for file in changed for draft in file.drafts]
        self._put([draft for draft, _ in drafts], fingerprint, [place for _, place in drafts])
        keep = {key for file in changed for key in (*file.kept, *(draft.key for draft in file.drafts))}
        gone = [row["id"] for row in old if row["key"] not in keep]
        removed = self.delete(gone) if gone else 0
        for file in changed:
            if file.empty:
                self._records.leave(self.contract_id, file.place)
        if new := [Origin(file.place, file.hash, file.kind) for file in changed if not file.empty]:
            self._records.enter(self.contract_id, new)
            about = self._records.about(self.contract_id)
            kinds = {*about["kinds"], *(file.kind for file in new)}
            if len(kinds) > len(about["kinds"]):
                self._records.tell(about | {"kinds": sorted(kinds)})
        return PutOutcome(len(files) - sum(not file.known for file in changed), len(drafts), removed)

    def files(self) -> Mapping[str, AddedFile]:
        """As `Collection.files`."""
        found = self._records.files(self.contract_id)
        held = Counter[str]()
        for file in found:
            held[file.hash] += self._client.count(self.name, f'file == "{file_of(file.place)}"')
        names = names_of(file.place for file in found)
        return {file.place: AddedFile(names[file.place], file.kind, held[file.hash]) for file in found}

    def remove_file(self, place: str) -> int:
        """As `Collection.remove_file`."""
        return self.put_files([Addition(place, "", "", [], set())], None).removed

    def delete(self, ids: Sequence[int]) -> int:
        """As `Collection.delete`."""
        rows = self._with("id", numbers_of(ids), ["id", "entry"], now=True)
        there, pictured = [row["id"] for row in rows], [row["id"] for row in rows if has_thumbnail(row)]
        for name, some in ((self.thumbnails_name, pictured), (self.name, there)):
            for start in range(0, len(some), AT_ONCE):
                self._client.delete(name, f"id in {quoted(some[start : start + AT_ONCE])}")
        return len(there)

    def restore(self, rows: Sequence[StoredEntry]) -> set[Origin]:
        """Write entries of another store; returns their files."""
        made, files, small = [], set[Origin](), dict[int, bytes]()
        for entry, origins, thumbnail in rows:
            draft = as_draft(entry, thumbnail)
            made.append(row_of(entry.id, draft, entry.key, origins[0].place if origins else None))
            files.update(origins)
            if thumbnail is not None:
                small[entry.id] = thumbnail
        self._keep(small)
        self._client.put(self.name, made)
        return files

    def lay(self, dimension: int) -> None:
        """Create the Milvus collection for vectors of D numbers, if it is missing."""
        self._client.create(
            self.name,
            {
                "id": {"kind": "INT64"},
                "key": {"kind": "VARCHAR", "max_length": 256, "indexed": True},
                "file": {"kind": "VARCHAR", "max_length": 64, "indexed": True},
                "text": {"kind": "VARCHAR", "max_length": TEXT},
                "entry": {"kind": "JSON"},
                "fields": {"kind": "JSON"},
                "vector": {"kind": "FLOAT_VECTOR", "dim": dimension},
            },
            {
                "index_type": "HNSW",
                "metric_type": "COSINE",
                "params": {"M": M, "efConstruction": EF_CONSTRUCTION},
            },
        )

    def _put(self, drafts: Sequence[Draft], fingerprint: str | None, places: Sequence[str | None]) -> Sequence[int]:
        about = self._records.about(self.contract_id)
        check_model(fingerprint, about["fingerprint"])
        if not drafts:
            return []
        dimension = about["dimension"]
        if dimension is None:
            self.lay(len(drafts[0].vector))
            dimension = self._client.width(self.name)
        check_widths(drafts, dimension)
        keys = [draft.key or secrets.token_hex(16) for draft in drafts]
        there = self._places(keys)
        rows: dict[int, MilvusRow] = {}
        small: dict[int, bytes] = {}
        for draft, key, place in zip(drafts, keys, places, strict=True):
            id, old, has = there[key]
            rows[id] = row_of(id, draft, key, place, old, has)
            if draft.thumbnail is not None:
                small[id] = draft.thumbnail
        self._keep(small)  # before the entries, which say that they have one
        self._client.put(self.name, list(rows.values()))
        if about["dimension"] is None or (fingerprint and about["fingerprint"] is None):
            about = self._records.about(self.contract_id, now=True)
            told = {"dimension": dimension, "fingerprint": about["fingerprint"] or fingerprint}
            self._records.tell(about | told)
        return [there[key][0] for key in keys]

    def _keep(self, small: Mapping[int, bytes]) -> None:
        """Write thumbnails by their entries' ids."""
        if not small:
            return
        fields = {"id": {"kind": "INT64"}, "file": {"kind": "VARCHAR", "max_length": TEXT}}
        vector = {"vector": {"kind": "FLOAT_VECTOR", "dim": 2}}  # Milvus demands one
        self._client.create(self.thumbnails_name, fields | vector, {"index_type": "FLAT", "metric_type": "L2"})
        rows = [{"id": id, "file": b64encode(file).decode(), "vector": [0.0, 0.0]} for id, file in small.items()]
        self._client.put(self.thumbnails_name, rows)

    def _places(self, keys: Sequence[str]) -> dict[str, tuple[int, str, bool]]:
        """Key -> the id that it has or will have, the file that has it, and whether it has a thumbnail."""
        found = self._with("key", sorted({plain(key) for key in keys}), ["id", "key", "file", "entry"], now=True)
        there = {original(row["key"]): (row["id"], row["file"], has_thumbnail(row)) for row in found}
        left, turn, taken = [key for key in dict.fromkeys(keys) if key not in there], 0, set[int]()
        while left:
            asked = {key: hashed(key, turn) for key in left}
            taken |= {row["id"] for row in self._with("id", sorted(set(asked.values())), ["id"])}
            for key, id in asked.items():
                if id not in taken:
                    there[key] = id, "", False
                    taken.add(id)
            left, turn = [key for key in left if key not in there], turn + 1
        return there

    # --- reading

    def known(self, keys: Sequence[str]) -> set[str]:
        """As `Collection.known`."""
        found = self._with("key", [plain(key) for key in keys], ["key"], now=True)
        return {original(row["key"]) for row in found}

    def file(self, place: str, hash: str) -> Former:
        """As `Collection.file`."""
        before = self._records.same_content(self.contract_id, [place], [hash])
        keys = {row["key"] for row in self._of_files([place])}
        return Former(before.get(place), hash in before.values(), keys)

    def fetch(self, ids: Sequence[int]) -> Sequence[Entry]:
        """As `Collection.fetch`."""
        return [entry_of(row) for row in self._with("id", numbers_of(ids), WHOLE)]

    def page(self, start: int, limit: int) -> Sequence[Entry]:
        """As `Collection.page`."""
        if not self._laid():
            return []
        found = self._client.every(self.name, f"id >= {start}", WHOLE, min(limit, AT_ONCE), limit)
        return [entry_of(row) for rows in found for row in rows]

    def thumbnails(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        """As `Collection.thumbnails`."""
        if not ids or not self._client.has(self.thumbnails_name):
            return {}
        found = self._client.among(self.thumbnails_name, "id", numbers_of(ids), ["id", "file"])
        return {row["id"]: b64decode(row["file"]) for row in found}

    def rows(self, count: int) -> Iterator[Sequence[StoredEntry]]:
        """As `Collection.rows`."""
        if not self._laid():
            return
        files = {
            file_of(place): files for place, files in with_same_content(self._records.files(self.contract_id)).items()
        }
        for rows in self._client.every(self.name, "", (*WHOLE, "file"), count):
            small = self.thumbnails([row["id"] for row in rows if has_thumbnail(row)])
            yield [StoredEntry(entry_of(row), files.get(row["file"], ()), small.get(row["id"])) for row in rows]

    def search(
        self, vector: np.ndarray, top: int, level: Level, filter: Filter | None, words: str | None
    ) -> Sequence[Hit]:
        """As `Collection.search`, without words."""
        if words is not None:
            raise ForetellError(
                "hybrid search needs a store in a folder: on a Milvus server entries are found by vectors alone "
                "(rerank works)"
            )
        if level == SCAN:
            raise ForetellError("an exact search needs a store in a folder: a Milvus server searches its graph")
        condition = "" if filter is None else expression(filter)
        dimension = self._records.about(self.contract_id)["dimension"]
        if dimension is None:
            return []
        check_query(vector, dimension)
        asked = vector.astype(np.float32).tolist()
        found = self._client.search(self.name, asked, top, max(ef(level), top), condition, ("key", "text", "entry"))
        hits = [hit_of(row["id"], row["entity"], min(max(float(row["distance"]), -1.0), 1.0)) for row in found]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))

    # --- the graph, which the server builds

    def state(self) -> str:
        """As `Collection.state`."""
        return "a graph that the server builds"

    def build(self, *, progress: bool = False) -> bool:
        """Do nothing: the server builds its graph."""
        return False

    def build_behind(self) -> None:
        """Do nothing: the server builds its graph."""

    def close(self, *, wait: bool = True) -> None:
        """Does nothing: there is no work in the background."""

    def _with(
        self, field: str, values: Sequence[Any], fields: Sequence[str], *, now: bool = False
    ) -> Sequence[MilvusRow]:
        if not values or not self._laid():
            return []
        return list(self._client.among(self.name, field, values, fields, now=now))

    def _laid(self) -> bool:
        """Whether the Milvus collection exists. After a failed first write it exists, but the description lacks D."""
        return self._records.about(self.contract_id)["dimension"] is not None or self._client.has(self.name)

    def _of_files(self, places: Sequence[str]) -> list[MilvusRow]:
        found = self._with("file", [file_of(place) for place in places], ["id", "key"], now=True)
        return [{"id": row["id"], "key": original(row["key"])} for row in found]


def collection_of(contract_id: str) -> str:
    """The name of a knowledge's Milvus collection, of letters and digits only."""
    return f"knowledge_{hashlib.blake2b(contract_id.encode(), digest_size=16).hexdigest()}"
