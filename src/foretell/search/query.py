"""Answer a query: embed it, search a collection, and let a reranker sort the best results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from foretell.errors import ForetellError
from foretell.search.entries import Hit, as_vectors
from foretell.search.models.load import load_reranker
from foretell.search.storage.filters import Filter
from foretell.search.storage.hnsw import LEVELS
from foretell.search.storage.protocol import Collection, Record

if TYPE_CHECKING:
    from foretell.search.models.media import ImageModel
    from foretell.search.models.text import TextModel
    from foretell.search.models.words import WordModel

SHORTLIST = 128
"""A text in a knowledge of photographs is held against at least this many results once more, each mixed for it."""
READ = 20
"""The smallest number of results that a reranker reads. Each costs as much as ten searches."""
MOST = 10_000
"""A search gives at most this many results."""


def by_vector(collection: Collection, vector: ArrayLike, top: int, level: int, filter: Filter | None) -> Sequence[Hit]:
    """The entries nearest to a vector [D]. Arguments and errors as of `Knowledge.query`."""
    return collection.search(as_vectors([vector])[0], check_top(top, level), level, filter, None)


def by_text(
    collection: Collection,
    model: TextModel,
    query: object,
    top: int,
    level: int,
    filter: Filter | None,
    rerank: bool | str,
    hybrid: bool,
) -> Sequence[Hit]:
    """The entries nearest to a text. Arguments and errors as of `Knowledge.search`."""
    if not isinstance(query, str):
        raise ForetellError(f"this knowledge contains texts ({model.name}): search it with a text")
    vector = model.query(query)
    wanted = max(top, READ) if rerank else top
    hits = collection.search(vector, wanted, level, filter, query if hybrid else None)
    if not rerank or not hits:
        return hits[:top]
    reranker = load_reranker(rerank) if isinstance(rerank, str) else load_reranker()
    scores = reranker.score(query, [hit.text for hit in hits]).tolist()
    ranked = sorted(zip(scores, hits, strict=True), key=lambda pair: -pair[0])[:top]
    return [replace(hit, score=score, scores=hit.scores | {"rerank": score}) for score, hit in ranked]


def by_file(
    collection: Collection,
    model: ImageModel,
    query: str | Path | bytes,
    top: int,
    level: int,
    filter: Filter | None,
    imagine: Mapping[str, float] | None,
) -> Sequence[Hit]:
    """The entries nearest to a photograph or a video. Arguments and errors as of `Knowledge.search`."""
    if not isinstance(query, bytes) and not os.path.isfile(query):  # Path.is_file raises for long names
        asked = f"{query!s:.200}"
        from foretell.capabilities import WORDS  # brings torch, as such a model does

        known = "" if model.words else f"; {model.name} knows no words: {WORDS}"
        raise ForetellError(f"this knowledge contains {model.of}: it is asked with a file, and {asked} is none{known}")
    vectors = model.queries(query if isinstance(query, bytes) else Path(query), imagine)
    best: dict[int, Hit] = {}
    for hit in (hit for vector in vectors for hit in by_vector(collection, vector, top, level, filter)):
        if hit.id not in best or best[hit.id].score < hit.score:
            best[hit.id] = hit
    return sorted(best.values(), key=lambda hit: -hit.score)[:top]


def by_words(
    collection: Collection, model: WordModel, query: str, top: int, level: int, filter: Filter | None
) -> Sequence[Hit]:
    """The photographs that fit a text best. Arguments and errors as of `Knowledge.search`.

    Scores are `vector`, the cosine of a text and the nearest of a photograph's vectors, and `mixed`, that of a text and
    the vectors as it mixes them.
    """
    if not query.strip():
        raise ForetellError("the query is empty, expected words")
    wanted, found = max(top, SHORTLIST), dict[int, Hit]()
    for vector in model.ask(query):
        for hit in collection.search(vector, wanted, level, filter, None):
            found[hit.id] = max(hit, found.get(hit.id, hit), key=lambda hit: hit.score)
    likely = sorted(found.values(), key=lambda hit: -hit.score)[:wanted]
    vectors = {entry.id: entry.vector for entry in collection.fetch([hit.id for hit in likely])}
    hits = [hit for hit in likely if hit.id in vectors]  # another process may have deleted some
    if not hits:
        return []
    mixed = model.mixed(query, [vectors[hit.id] for hit in hits]).tolist()
    ranked = sorted(zip(mixed, hits, strict=True), key=lambda pair: -pair[0])[:top]
    return [replace(hit, score=m, scores={"vector": hit.score * model.scale, "mixed": m}) for m, hit in ranked]


def check_top(top: int, level: int) -> int:
    """`top` as an integer. Raises ForetellError where `top` or `level` is out of range."""
    if isinstance(top, bool) or not isinstance(top, int | np.integer) or not 1 <= top <= MOST:
        raise ForetellError(f"top is {top!r}, expected 1 to {MOST:,}")
    if isinstance(level, bool) or level not in LEVELS:
        raise ForetellError(f"level is {level!r}, expected 0 to {LEVELS[-1]}")
    return int(top)


def check_model(record: Record, asked: str | None, model: TextModel | ImageModel) -> None:
    """Check that a model is the one that embedded a knowledge.

    Args:
        record: of the knowledge.
        asked: the name or folder of the model, where the caller gave one.
        model: the loaded model.

    Raises:
        ForetellError: it is another model.
    """
    stored, fingerprint = record.model, record.fingerprint
    if (asked and not fingerprint and model.name != stored) or fingerprint not in (None, model.fingerprint):
        found = f"{asked!r}" if asked else f"the present {stored!r}"
        raise ForetellError(
            f"this knowledge was embedded by {stored!r}, and {found} is another model: its vectors mean other things"
        )
