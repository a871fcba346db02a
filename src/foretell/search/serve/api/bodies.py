"""The bodies of requests, and the parameters in their paths."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from foretell.search.ingest.block import Metadata
from foretell.search.models.text import DEFAULT

TOP = 1000
"""The most results of a search."""
BATCH = 1000
"""The most entries of a request or an answer."""
WIDTH = 65_536
"""The most numbers of a vector."""
ID = 2**63 - 1
"""The largest id of an entry."""

LongText = Annotated[str, Field(max_length=100_000)]
Numbers = Annotated[list[float], Field(min_length=1, max_length=WIDTH)]

KnowledgeName = Annotated[
    str, Path(max_length=200, description="the contract id of the knowledge; of your own knowledge, also its name")
]
FileName = Annotated[str, Path(max_length=200, description="the name of the file, with its ending")]
EntryId = Annotated[int, Path(ge=0, le=ID)]


class RequestBody(BaseModel):
    """A body with exactly these names and types, so that a misspelt name is noticed."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class NewKnowledge(RequestBody):
    """A new knowledge."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    title: LongText = ""
    description: LongText = ""
    category: LongText = ""
    model: Annotated[str, Field(min_length=1, max_length=200, description="the model that embeds")] = DEFAULT
    public: Annotated[bool, Field(description="whether everyone may read it, without a key")] = False


class KnowledgeChange(RequestBody):
    """A new description of a knowledge. A field that is missing stays as it is."""

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    title: LongText | None = None
    description: LongText | None = None
    category: LongText | None = None
    public: bool | None = None


class AnySearch(RequestBody):
    """The fields that all searches have."""

    top: Annotated[int, Field(ge=1, le=TOP, description="the most results")] = 10
    level: Annotated[int, Field(ge=0, le=4, description="the effort of the search; it matters in large knowledges")] = 2
    exact: Annotated[bool, Field(description="compare all entries, whatever the level")] = False
    filter: Annotated[
        dict[str, Any] | None,
        Field(description='conditions on metadata: {"lang": ["en", "de"], "year": {">=": 2020}}'),
    ] = None


class Search(AnySearch):
    """A search by a text, by a photograph or by a video."""

    query: Annotated[str | None, Field(max_length=10_000)] = None
    image: Annotated[str | None, Field(description="the file of a photograph, in base64")] = None
    video: Annotated[str | None, Field(description="the file of a video, in base64")] = None
    imagine: Annotated[
        dict[str, float] | None,
        Field(
            description='search for the photograph as a world model imagines it: {"brightness": 0.6}; of clips of '
            'steps, {"next": 1} for clips that could follow'
        ),
    ] = None
    rerank: Annotated[
        bool, Field(description="let the reranker of this service read the best results and sort them")
    ] = False
    hybrid: Annotated[bool, Field(description="also look for the query's words")] = False


class VectorSearch(AnySearch):
    """A search by a vector."""

    vector: Numbers


class NewEntry(RequestBody):
    """A new entry. Its text is embedded if there is no vector."""

    text: Annotated[str, Field(max_length=1_000_000)] = ""
    vector: Numbers | None = None
    metadata: Metadata = {}


class NewEntries(RequestBody):
    """New entries: either all have a vector, or none has."""

    entries: Annotated[list[NewEntry], Field(min_length=1, max_length=BATCH)]


class EntryChange(RequestBody):
    """New contents of an entry. A field that is missing stays as it is."""

    text: Annotated[str | None, Field(max_length=1_000_000)] = None
    vector: Numbers | None = None
    metadata: Metadata | None = None
