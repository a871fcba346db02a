"""The names of models, as Dria's clients write them."""

from __future__ import annotations

from functools import lru_cache

from foretell.search.models.text import known


@lru_cache
def model_name(model: str) -> str:
    """The name of a model for Dria's clients. Only a model of BAAI keeps its owner, as in `BAAI/bge-small-en-v1.5`."""
    spec = known(model)
    if spec is None:
        return model
    return spec.repository if spec.repository.startswith("BAAI/") else model.split("/")[-1]
