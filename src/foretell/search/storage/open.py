"""Open a store by its address."""

from __future__ import annotations

from pathlib import Path

from foretell.search.storage.protocol import Backend


def open_backend(where: str | Path, *, create: bool = False) -> Backend:
    """The store at a place: a folder, or `milvus://HOST:PORT`, or `milvus://HOST:PORT/DATABASE`.

    Args:
        where: the place.
        create: make it where there is none.

    Raises:
        ForetellError: there is none, it is damaged or foreign, or nobody answers there.
    """
    text = str(where)
    if "://" in text:
        from foretell.search.storage.milvus.store import MilvusStore

        return MilvusStore(text, create=create)
    from foretell.search.storage.sqlite.store import Store

    return Store(where, create=create)
