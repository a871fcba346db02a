"""Open a store by its address."""

from __future__ import annotations

from pathlib import Path

from foretell.search.storage.protocol import Backend


def open_backend(where: str | Path, *, create: bool = False) -> Backend:
    """Open the store at an address: a folder, `milvus://HOST:PORT`, or `milvus://HOST:PORT/DATABASE`.

    Args:
        where: the address.
        create: create the store where it is missing.

    Raises:
        ForetellError: the store is missing, damaged or of another program, or no server answers.
    """
    text = str(where)
    if "://" in text:
        from foretell.search.storage.milvus.store import MilvusStore

        return MilvusStore(text, create=create)
    from foretell.search.storage.sqlite.store import Store

    return Store(where, create=create)
