"""The bodies that Dria's clients send.

Limits that stand only in the JSON schema are checked by the routes, which refuse in Dria's words.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt

TOP = 20
"""The most results of a search."""
BATCH = 1000
"""The most entries of a request."""
QUERY = 500
"""The most characters of a query."""

Top = Annotated[StrictInt | None, Field(json_schema_extra={"minimum": 1, "maximum": TOP})]
DriaLevel = Annotated[StrictInt | None, Field(json_schema_extra={"minimum": 0, "maximum": 4})]
ContractName = Annotated[str, AfterValidator(lambda name: name.replace("/", "-").replace("\\", "-"))]
"""The name of a knowledge. Dria takes any text; here the name is also part of addresses, so / and \\ become -."""


class Contract(BaseModel):
    """A knowledge by its contract id."""

    model_config = ConfigDict(allow_inf_nan=False)

    contract_id: Annotated[str, Field(max_length=200)]


class TextSearch(Contract):
    """A search by text."""

    query: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": QUERY})]
    top_n: Top = None
    field: str | None = None
    model: str | None = None
    rerank: bool | None = None
    level: DriaLevel = None


class Query(Contract):
    """A search by vector."""

    vector: list[float]
    top_n: Top = None
    level: DriaLevel = None


class Fetch(Contract):
    """Entries by their ids."""

    id: Annotated[list[int], Field(max_length=BATCH, json_schema_extra={"minItems": 1})]


class Insert(Contract):
    """A batch of entries."""

    data: str
    model: str | None = None
    batch_size: int | None = None
    write_blockchain: bool | None = None


class Create(BaseModel):
    """A new knowledge."""

    name: ContractName
    embedding: str
    category: str | None = None
    description: str | None = None


class Update(Contract):
    """A new description of a knowledge."""

    name: ContractName | None = None
    description: str | None = None
    category: str | None = None
