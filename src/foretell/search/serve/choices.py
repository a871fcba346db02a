"""The names of models, as Dria's clients write them, and what else the service chooses for these clients."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.errors import ForetellError
from foretell.search.models.onnx import plain
from foretell.search.models.text import DEFAULT, known

LISTED = (
    "jina-embeddings-v2-base-en",
    "jina-embeddings-v2-small-en",
    "text-embedding-ada-002",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "BAAI/bge-base-en-v1.5",
    "BAAI/bge-large-en-v1.5",
)
"""The models that Dria's Python client knows. It refuses to search in a knowledge with another."""


@dataclass(frozen=True)
class DriaChoices:
    """The choices of a service for Dria's clients.

    Attributes:
        model: the name, one of `LISTED`, under which they see the shipped model; None for its own.
        hybrid: whether their searches also look for the query's words.

    Raises:
        ForetellError: the clients do not know a model of this name.
    """

    model: str | None = None
    hybrid: bool = False

    def __post_init__(self) -> None:
        if self.model is None:
            return
        found = next((name for name in LISTED if plain(name) == plain(self.model or "")), None)
        if found is None:
            raise ForetellError(
                f"--dria-model is {self.model!r:.80}, expected a model that Dria's clients know: {', '.join(LISTED)}"
            )
        object.__setattr__(self, "model", found)

    def shown(self, model: str) -> str:
        """The name of a knowledge's model for the clients. A model of BAAI keeps its owner, as in their list."""
        if self.model and plain(model) == plain(DEFAULT):
            return self.model
        spec = known(model)
        if spec is None:
            return model
        return spec.repository if spec.repository.startswith("BAAI/") else model.split("/")[-1]

    def meant(self, name: str) -> str:
        """The model for a new knowledge, of which a client gives this name."""
        return DEFAULT if self.model and plain(name) == plain(self.model) else name

    def fits(self, name: str, model: str) -> bool:
        """Whether a client means a knowledge's model by this name."""
        return plain(name) in (plain(model), plain(self.shown(model)))
