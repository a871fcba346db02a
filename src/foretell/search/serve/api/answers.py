"""The contents of answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from foretell.search.entries import Entry, Hit
from foretell.search.storage.filters import Value
from foretell.search.storage.protocol import About, AddedFile


class Knowledges(BaseModel):
    """The knowledges that the caller may read."""

    knowledge: list[About]


class _Told(BaseModel):
    """What an entry and a result have alike."""

    id: int
    key: str
    text: str
    page: int | None
    time: tuple[float, float] | None
    metadata: dict[str, Value]
    thumbnail: str | None = None
    """The path of its small picture, where there is one."""


class HitOut(_Told):
    """An entry that a search found."""

    score: float
    scores: dict[str, float]


class SearchAnswer(BaseModel):
    """The results of a search, best first."""

    results: list[HitOut]
    unread: int | None = None
    """With `rerank`: results that the reranker did not read."""


class EntryOut(_Told):
    """An entry."""

    vector: list[float] | None = None


class Entries(BaseModel):
    """Entries by id. `next` is the id of the next page, null at the end."""

    entries: list[EntryOut]
    next: int | None


class Ids(BaseModel):
    """The ids of added entries."""

    ids: list[int]


class Files(BaseModel):
    """The files that were added."""

    files: list[AddedFile]


class AddedOut(BaseModel):
    """The outcome of adding a file."""

    files: int
    unchanged: int
    entries: int
    removed: int
    skipped: list[tuple[str, str]]


def content(found: Hit | Entry, knowledge: str) -> dict[str, Any]:
    """The fields of a result or an entry of a knowledge, by the name that the caller calls it."""
    fields = dict(vars(found))  # `asdict` copies, and takes longer than a search
    small = f"/api/v1/knowledge/{quote(knowledge, safe='')}/entries/{found.id}/thumbnail"
    return fields | {"thumbnail": small if fields.pop("has_thumbnail") else None}


def entry_content(entry: Entry, knowledge: str, *, vector: bool) -> dict[str, Any]:
    """The fields of an entry, with its vector or with null."""
    return content(entry, knowledge) | {"vector": entry.vector if vector else None}
