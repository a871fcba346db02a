"""Calls to a Milvus server. Its errors become one sentence."""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.search.storage.protocol import Removed

PORT = 19530
WAIT = 30.0
"""Seconds to wait for an answer."""
FIRST = 10.0
"""Seconds to wait for the first answer of a server."""
AT_ONCE = 1000  # values in a condition, and rows in an answer, at most
BYTES = 16 << 20  # of rows in one message; a server accepts 64 MB
ABSENT = 100  # Milvus's code for a missing collection

MilvusRow = dict[str, Any]


class Client:
    """A connection to one database of a server.

    A server shows a write a moment after it has acknowledged it. A read can wait for all writes, which takes some
    0.2 s. So the first read of a collection waits, and the first read after every write of this process: a process
    always sees its own writes. It sees writes of other processes a moment later.

    Args:
        url: `milvus://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`.
        create: create the database where it is missing.

    Raises:
        ForetellError: no server answers, the database is missing, or the address is not valid.
    """

    def __init__(self, url: str, *, create: bool) -> None:
        host, port, database, login = _parsed(url)
        self.where = f"milvus://{host}:{port}/{database}"
        pymilvus = needed("pymilvus", "a store in Milvus")
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it also logs the errors that it raises
        self._failures = (pymilvus.MilvusException, needed("grpc", "a store in Milvus").RpcError)
        self._data_type = pymilvus.DataType
        self._written: defaultdict[str, int] = defaultdict(lambda: 1)
        self._seen: defaultdict[str, int] = defaultdict(int)
        server = {"uri": f"http://{host}:{port}", "timeout": FIRST, **login}
        try:
            with contextlib.closing(pymilvus.MilvusClient(**server)) as client:
                if database not in client.list_databases(timeout=WAIT):
                    if not create:
                        raise ForetellError(f"{self.where}: there is no database {database!r} on this server")
                    client.create_database(database, timeout=WAIT)
            self._client = pymilvus.MilvusClient(**server, db_name=database)
        except self._failures as error:
            raise self._sentence(error) from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def has(self, collection: str) -> bool:
        """Whether the database has a collection of this name."""
        return self._ask("has_collection", collection)

    def create(self, collection: str, fields: Mapping[str, Mapping[str, Any]], index: Mapping[str, Any]) -> None:
        """Create a collection that can be searched. An existing collection of this name stays as it is.

        Args:
            collection: its name.
            fields: name -> the name of its Milvus type, and its parameters. The first is the primary key.
            index: the index of the field `vector`.
        """
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        indexes = self._client.prepare_index_params()
        for place, (name, options) in enumerate(fields.items()):
            options = dict(options)
            kind = getattr(self._data_type, options.pop("kind"))
            if options.pop("indexed", False):
                indexes.add_index(name, index_type="Trie")
            schema.add_field(name, kind, is_primary=place == 0, **options)
        indexes.add_index("vector", **index)
        if not self.has(collection):
            try:
                self._ask("create_collection", collection, schema=schema, index_params=indexes)
            except ForetellError:
                if not self.has(collection):  # otherwise another process was faster
                    raise

    def drop(self, collection: str) -> None:
        """Delete a collection, if it exists."""
        self._ask("drop_collection", collection)

    def width(self, collection: str) -> int:
        """D of a collection's vectors."""
        fields = self._ask("describe_collection", collection)["fields"]
        return next(int(field["params"]["dim"]) for field in fields if field["name"] == "vector")

    def put(self, collection: str, rows: Sequence[MilvusRow]) -> None:
        """Write rows; each replaces the row with the same primary key."""
        for some in _parts(rows):
            self._ask("upsert", collection, some)
            self._written[collection] += 1

    def delete(self, collection: str, condition: str) -> None:
        """Delete the rows that fulfil a condition."""
        self._ask("delete", collection, filter=condition)
        self._written[collection] += 1

    def get(
        self, collection: str, condition: str, fields: Sequence[str], limit: int | None = None, *, now: bool = False
    ) -> list[MilvusRow]:
        """Rows that fulfil a condition, in no order; `now` waits for the writes of all processes."""
        more = {} if limit is None else {"limit": limit}
        return list(self._read("query", collection, now, filter=condition, output_fields=list(fields), **more))

    def among(
        self, collection: str, field: str, values: Sequence[Any], fields: Sequence[str], *, now: bool = False
    ) -> Iterator[MilvusRow]:
        """Rows whose field has one of the values, in no order."""
        for start in range(0, len(values), AT_ONCE):
            condition = f"{field} in {quoted(values[start : start + AT_ONCE])}"
            for rows in self.every(collection, condition, fields, now=now):
                yield from rows

    def every(
        self,
        collection: str,
        condition: str,
        fields: Sequence[str],
        count: int = AT_ONCE,
        limit: int | None = None,
        *,
        now: bool = False,
    ) -> Iterator[list[MilvusRow]]:
        """Rows that fulfil a condition, by primary key, up to `count` at a time."""
        # pymilvus's own iterator does not wait for writes where the server is older than it
        best = {"reduce_stop_for_best": True}  # the first by primary key, not any
        last: int | str | None = None
        while limit is None or limit > 0:
            beyond = "" if last is None else f"id > {quoted([last])[1:-1]}"
            both = " and ".join(f"({each})" for each in (condition, beyond) if each)
            size = count if limit is None else min(count, limit)
            found = self._read("query", collection, now, filter=both, output_fields=["id", *fields], limit=size, **best)
            if found:
                rows = sorted(found, key=lambda row: row["id"])
                yield rows
                last = rows[-1]["id"]
            if len(found) < size:
                return
            now, limit = False, None if limit is None else limit - size

    def count(self, collection: str, condition: str = "") -> int:
        """The number of rows that fulfil a condition."""
        return self.get(collection, condition, ["count(*)"])[0]["count(*)"]

    def search(
        self, collection: str, vector: Sequence[float], top: int, ef: int, condition: str, fields: Sequence[str]
    ) -> list[MilvusRow]:
        """The rows whose `vector` is nearest, nearest first: `id`, `distance` (cosine similarity) and `entity`."""
        asked = {"filter": condition, "output_fields": list(fields), "search_params": {"params": {"ef": ef}}}
        return self._read("search", collection, False, data=[vector], limit=top, **asked)[0]

    def _read(self, method: str, collection: str, now: bool, **asked: Any) -> Any:
        written = self._written[collection]
        wait = now or self._seen[collection] < written
        found = self._ask(method, collection, consistency_level="Strong" if wait else "Bounded", **asked)
        if wait:
            self._seen[collection] = max(self._seen[collection], written)
        return found

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._call(lambda: getattr(self._client, method)(*args, timeout=WAIT, **kwargs))

    def _call(self, call: Any) -> Any:
        try:
            return call()
        except self._failures as error:
            if getattr(error, "code", None) == ABSENT:
                raise Removed from None
            raise self._sentence(error) from error

    def _sentence(self, error: Exception) -> ForetellError:
        code, said = getattr(error, "code", None), str(getattr(error, "message", error))
        lost = ("Fail connecting", "server unavailable", "UNAVAILABLE", "failed to connect", "Retry", "DEADLINE")
        if code in (1, 2) or any(word in said for word in lost):
            return ForetellError(f"{self.where}: no Milvus server answers there; is it running, and the network up?")
        if "auth" in said.lower():
            return ForetellError(f"{self.where}: the server refuses this user or password; write USER:PASSWORD@HOST")
        return ForetellError(f"{self.where}: the server refused ({' '.join(said.split())[:300]})")


def quoted(values: Sequence[Any]) -> str:
    """Numbers, or texts of letters and digits, as a list for a condition."""
    return f"[{', '.join(str(value) if isinstance(value, int) else f'{chr(34)}{value}{chr(34)}' for value in values)}]"


def plain(text: str) -> str:
    """A text as hexadecimal digits, so that no text can be read as a part of a condition. The order stays the same."""
    return text.encode().hex()


def original(digits: str) -> str:
    """The text that `plain` turned into these digits."""
    return bytes.fromhex(digits).decode()


def _parsed(url: str) -> tuple[str, int, str, dict[str, str]]:
    """Host, port, database and login."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    database = parts.path.strip("/")
    if parts.scheme != "milvus" or not parts.hostname or "/" in database or parts.query or parts.fragment:
        shown = url.rpartition("@")[2]  # without the password
        raise ForetellError(f"store is {shown!r:.100}, expected a folder or milvus://HOST:PORT/DATABASE")
    login = {"user": unquote(parts.username), "password": unquote(parts.password or "")} if parts.username else {}
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host, port or PORT, database or "default", login


def _parts(rows: Sequence[MilvusRow]) -> Iterator[list[MilvusRow]]:
    """Rows in parts that a server accepts in one message."""
    part: list[MilvusRow] = []
    size = 0
    for row in rows:
        own = sum(4 * len(value) if name == "vector" else len(str(value)) for name, value in row.items())
        if part and (size + own > BYTES or len(part) == AT_ONCE):
            yield part
            part, size = [], 0
        part.append(row)
        size += own
    if part:
        yield part
