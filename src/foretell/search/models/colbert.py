"""ColBERT, late interaction: passages and queries are read separately, and compared token by token.

Khattab & Zaharia 2020, "ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction over BERT",
arXiv:2004.12832; Santhanam et al. 2022, "ColBERTv2", arXiv:2112.01488.

    MaxSim(q, d) = Σ_i max_j q_i·d_j over unit vectors q_i of the query's tokens and d_j of the passage's   (Eq. 3)

Differs from the papers:
- The score is MaxSim divided by the number of the query's tokens. For one query this keeps every order.
- It reads only the results of a search, and stores nothing: there is no index of token latents.

n passages · Q tokens of a query · T tokens of a passage · D width
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, Field, PositiveInt

from foretell.errors import ForetellError
from foretell.search.models import cross_encoder, onnx
from foretell.search.models.onnx import Runtime, locate, named, texts_of

KEPT = 500
"""The latents of this many latest passages stay in memory: 77 MB for 300 tokens and 128 numbers."""
GRAPHS = ("vespa_colbert.onnx", *onnx.GRAPHS)
"""Places of a folder's graph, in order. A graph without the projection may lie in `onnx/`, beside one that has it."""
MASKS = ("[MASK]", "<mask>")
SHORTEST = 4  # tokens: first, marker, a word, last


@dataclass(frozen=True)
class LateSpec:
    """The settings of a ColBERT. These are its authors' choices; wrong values fail silently."""

    repository: str = ""
    graph: str = ""
    """The file whose latents are projected to `width`."""
    width: int | None = None
    """D; None where it is unknown."""
    query: int = 32
    """Tokens of a query, with all added tokens; longer queries are cut."""
    passage: int = 300
    """The same of a passage."""
    markers: tuple[str, str] = ("[unused0]", "[unused1]")
    """The second token of a query and of a passage, which tells them apart; "" for none."""
    expand: bool = True
    """Whether queries are filled up with [MASK], whose latents count as those of words (§3.2, query augmentation)."""
    attend: bool = False
    """Whether words attend to these [MASK]. The paper's authors let only [MASK] attend to words."""
    skipped: tuple[str, ...] = tuple(string.punctuation)
    """Tokens of a passage that are read, but not compared (§3.2)."""
    lower: bool = False
    """Whether texts are lower-cased before a tokenizer that does not do it itself."""


SPECS = {
    "colbertv2.0": LateSpec("colbert-ir/colbertv2.0", "model.onnx", 128),
    "answerai-colbert-small-v1": LateSpec("answerdotai/answerai-colbert-small-v1", "vespa_colbert.onnx", 96),
}


class LateInteraction:
    """A ColBERT on ONNX Runtime: a reranker, like `foretell.search.models.cross_encoder.Reranker`.

    It remembers the latest passages, so that another query costs little more than its own tokens.

    Args:
        name: one of `SPECS`, with or without its owner, or the folder of a ColBERT exported to ONNX with its
            projection. `artifact.metadata` (of ColBERT) or `config_sentence_transformers.json` (of PyLate) says how to
            use it.

    Raises:
        ForetellError: there is no such model, a file is missing or damaged, its graph does not project, or it prefers a
            wrong passage.
    """

    def __init__(self, name: str) -> None:
        path = Path(name).expanduser()
        spec = spec_of(name)
        if spec is None:
            raise ForetellError(f"there is no ColBERT {name!r}: expected a folder of one, or {', '.join(SPECS)}")
        graphs = GRAPHS if path.is_dir() else (spec.graph,)
        folder = path if path.is_dir() else locate(name, spec.repository, graphs=graphs)
        self.name = name
        self.spec = spec
        self._run = Runtime(folder, max(spec.query, spec.passage), graphs=graphs)
        self._skipped = [id for token in spec.skipped if (id := self._run.tokenizer.token_to_id(token)) is not None]
        self._passage = lru_cache(maxsize=KEPT)(self.passage)
        cross_encoder.check(self.score, name)

    def score(self, query: str, passages: Sequence[str]) -> Float32[np.ndarray, " n"]:
        """The score of each passage: MaxSim / Q, the mean over the query's tokens, −1 to 1; above 0 in practice."""
        q = self.query(query)
        return np.array([(q @ self._passage(passage).T).max(1).mean() for passage in passages], np.float32)

    def query(self, text: str) -> Float32[np.ndarray, "Q D"]:
        """Unit vectors of a query's tokens, with the [MASK] that fill it up."""
        texts_of([text], "query")
        ids = self._ids(text, self.spec.markers[0], self.spec.query)
        words = len(ids)
        if self.spec.expand:
            ids += [self._token(*MASKS)] * (self.spec.query - words)
        attended = len(ids) if self.spec.attend else words
        return self._latents(ids, [1] * attended + [0] * (len(ids) - attended))

    def passage(self, text: str) -> Float32[np.ndarray, "T D"]:
        """Unit vectors of a passage's tokens, without skipped ones."""
        ids = self._ids(text, self.spec.markers[1], self.spec.passage)
        return self._latents(ids, [1] * len(ids))[~np.isin(ids, self._skipped)]

    def _ids(self, text: str, marker: str, most: int) -> list[int]:
        """[CLS] marker words [SEP]; words are cut so that there are at most `most` tokens."""
        ids = self._run.tokenizer.encode(text.lower() if self.spec.lower else text).ids
        if marker:
            ids = [*ids[:1], self._token(marker), *ids[1:]]
        return ids if len(ids) <= most else ids[: most - 1] + ids[-1:]

    def _token(self, *names: str) -> int:
        ids = (self._run.tokenizer.token_to_id(name) for name in names)
        found = next((id for id in ids if id is not None), None)
        if found is None:
            raise ForetellError(f"{self.name}: its tokenizer has no token {' or '.join(names)}, which a ColBERT needs")
        return found

    def _latents(self, ids: list[int], mask: list[int]) -> np.ndarray:
        latents = self._run.latents(ids, mask)
        width = self.spec.width
        if latents.ndim != 2 or len(latents) != len(ids) or width not in (None, latents.shape[1]):
            raise ForetellError(
                f"{self.name} gives {latents.shape} for {len(ids)} tokens, expected {width or 'some'} numbers for each "
                "of them: export the graph with ColBERT's projection"
            )
        return (latents / np.maximum(np.linalg.norm(latents, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def spec_of(name: str) -> LateSpec | None:
    """The settings of a ColBERT: from the files of its folder, or else by its name. None where it is no ColBERT.

    Raises:
        ForetellError: a file of its folder cannot be read.
    """
    return described(Path(name).expanduser()) or known(name)


def known(name: str) -> LateSpec | None:
    """The settings of the ColBERT with this name; None for an unknown name."""
    return named(SPECS, name)


class _ColBERT(BaseModel):
    """The fields of `artifact.metadata`, a file of ColBERT's authors."""

    dim: PositiveInt | None = None
    query_maxlen: Annotated[int, Field(ge=SHORTEST)] = 32
    doc_maxlen: Annotated[int, Field(ge=SHORTEST)] = 300
    query_token_id: str = "[unused0]"
    doc_token_id: str = "[unused1]"
    attend_to_mask_tokens: bool = False
    mask_punctuation: bool = True

    def spec(self) -> LateSpec:
        return LateSpec(
            width=self.dim,
            query=self.query_maxlen,
            passage=self.doc_maxlen,
            markers=(self.query_token_id, self.doc_token_id),
            attend=self.attend_to_mask_tokens,
            skipped=LateSpec.skipped if self.mask_punctuation else (),
        )


class _PyLate(BaseModel):
    """The fields of `config_sentence_transformers.json`, as PyLate writes it."""

    query_prefix: str
    document_prefix: str
    query_length: Annotated[int, Field(ge=SHORTEST)] = 32
    document_length: Annotated[int, Field(ge=SHORTEST)] = 180
    do_query_expansion: bool = True
    attend_to_expansion_tokens: bool = False
    skiplist_words: tuple[str, ...] = LateSpec.skipped

    def spec(self) -> LateSpec:
        return LateSpec(
            query=self.query_length,
            passage=self.document_length,
            markers=(self.query_prefix, self.document_prefix),
            expand=self.do_query_expansion,
            attend=self.attend_to_expansion_tokens,
            skipped=self.skiplist_words,
        )


def described(folder: Path) -> LateSpec | None:
    """The settings of the ColBERT in a folder, from ColBERT's file or PyLate's. None where the folder has neither.

    Raises:
        ForetellError: the file cannot be read.
    """
    colbert, pylate = folder / "artifact.metadata", folder / "config_sentence_transformers.json"
    try:
        if colbert.is_file():
            return _ColBERT.model_validate_json(colbert.read_bytes()).spec()
        if pylate.is_file() and b'"query_prefix"' in (said := pylate.read_bytes()):  # otherwise a sentence encoder
            lower = folder / "sentence_bert_config.json"
            return replace(
                _PyLate.model_validate_json(said).spec(),
                lower=lower.is_file() and json.loads(lower.read_text()).get("do_lower_case") is True,
            )
    except (OSError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ForetellError(f"{folder}: the file that describes this ColBERT cannot be read ({reason:.200})") from None
    return None
