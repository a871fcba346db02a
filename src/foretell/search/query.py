"""Answer a query: embed it, search a collection, and let a reranker sort the best results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from foretell.errors import ForetellError, Range, check_range
from foretell.search.entries import Hit, as_vectors
from foretell.search.models import reranking
from foretell.search.storage.filters import Filter
from foretell.search.storage.hnsw import LEVELS, SCAN, Level
from foretell.search.storage.protocol import Collection, Record

Scores: TypeAlias = Callable[[str, Sequence[str]], Iterable[float]]
"""Reads passages for a query, and gives the scores of the first ones, in their order. It may stop early."""
H = TypeVar("H", bound=Hit)

if TYPE_CHECKING:
    from foretell.search.models.media import ImageModel
    from foretell.search.models.text import TextModel
    from foretell.search.models.words import WordModel

SHORTLIST = 512
"""A text in a knowledge of photographs is held against at least this many results once more, each mixed for it."""
READ = Range(1, 200, whole=True)
"""How many of the best results a reranker may read. Each costs as much as ten searches."""
READ_LEAST, READ_USUAL = 20, 50
"""It reads at least so many, where few results are asked for; and at most so many, where nothing else is said."""
SURE = 1e-9
"""How near to 0 and 1 a reranker's score may come, before it is turned into a logit."""
MOST = 10_000
"""A search gives at most this many results."""


class SearchArguments(NamedTuple):
    """A search, as `Knowledge.search` describes its arguments."""

    query: str | Path | bytes | np.ndarray
    top: int
    level: Level
    filter: Filter | None
    rerank: bool | str
    read: int
    hybrid: bool
    imagine: Mapping[str, float] | None


def answer(collection: Collection, model: TextModel | ImageModel, asked: SearchArguments) -> Sequence[Hit]:
    """The results of a search. Errors as of `Knowledge.search`."""
    query, top, level, filter, rerank, read, hybrid, imagine = asked
    if model.kind != "text":
        check_words(model, rerank=bool(rerank), hybrid=hybrid)
        if not (model.words and isinstance(query, str)):
            return by_file(collection, model, query, top, level, filter, imagine)
        if imagine:
            raise ForetellError("imagine changes a photograph, and this query is a text: give one of them")
        return by_words(collection, cast("WordModel", model), query, top, level, filter)
    if imagine:
        raise ForetellError(f"this knowledge contains texts ({model.name}), and only a world model imagines")
    check_range("read", read, READ)
    hits = by_text(collection, model, query, depth(top, read) if rerank else top, level, filter, hybrid)
    if not rerank:
        return hits
    scores = partial(reranking.scores, name=rerank) if isinstance(rerank, str) else reranking.scores
    return reranked(str(query), hits, top, read, scores)


def by_vector(
    collection: Collection, vector: ArrayLike, top: int, level: Level, filter: Filter | None
) -> Sequence[Hit]:
    """The entries nearest to a vector [D]. Arguments and errors as of `Knowledge.query`."""
    return collection.search(as_vectors([vector])[0], check_top(top, level), level, filter, None)


def by_text(
    collection: Collection,
    model: TextModel,
    query: object,
    top: int,
    level: Level,
    filter: Filter | None,
    hybrid: bool,
) -> Sequence[Hit]:
    """The entries nearest to a text. Arguments and errors as of `Knowledge.search`."""
    if not isinstance(query, str):
        raise ForetellError(f"this knowledge contains texts ({model.name}): search it with a text")
    return collection.search(model.query(query), top, level, filter, query if hybrid else None)


def depth(top: int, read: int) -> int:
    """How many results to find where `top` are asked for, and a reranker reads up to `read`."""
    return max(top, min(READ_LEAST, read))


def reranked(query: str, hits: Sequence[H], top: int, read: int, scores: Scores) -> Sequence[H]:
    """The best results once a reranker has read some of them.

    It reads the first ones that have a text. Results that it did not read have no score `rerank`. They come after the
    others, as they were found.

    Args:
        query: a text.
        hits: the results, best first, as many as `depth` says.
        top: how many are wanted.
        read: how many the reranker reads at most.
        scores: the reranker.
    """
    with_text = [place for place, hit in enumerate(hits) if hit.text.strip()][:read]
    given = dict(zip(with_text, scores(query, [hits[place].text for place in with_text]), strict=False))
    places = list(given)
    both = blended(np.array([hits[place].score for place in places]), np.array(list(given.values()))).tolist()
    found = [
        replace(hits[place], score=score, scores=hits[place].scores | {"rerank": given[place], "blended": score})
        for place, score in zip(places, both, strict=True)
    ]
    found.sort(key=lambda hit: -hit.score)
    return [*found, *(hit for place, hit in enumerate(hits) if place not in given)][:top]


def blended(found: Float[np.ndarray, " n"], reread: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The scores of a search and of a reranker, in equal parts, on the scale of the reranker.

    The scores of the search are moved and stretched to the mean and the spread of the reranker's, and the two are
    averaged. Scores from 0 to 1 are averaged as logits, on which cross-encoders are trained.
    """
    if not len(found):
        return reread
    odds = bool(((reread >= 0) & (reread <= 1)).all())
    p = np.clip(reread.astype(np.float64), SURE, 1 - SURE) if odds else reread.astype(np.float64)
    r = np.log(p / (1 - p)) if odds else p
    spread = found.std()
    v = (found - found.mean()) / spread if spread > 0 else np.zeros(len(found))
    mean = (r + r.mean() + r.std() * v) / 2
    return 1 / (1 + np.exp(-mean)) if odds else mean


def by_file(
    collection: Collection,
    model: ImageModel,
    query: str | Path | bytes | np.ndarray,
    top: int,
    level: Level,
    filter: Filter | None,
    imagine: Mapping[str, float] | None,
) -> Sequence[Hit]:
    """The entries nearest to a photograph or a video. Arguments and errors as of `Knowledge.search`."""
    if isinstance(query, str | Path) and not os.path.isfile(query):  # Path.is_file raises for long names
        asked = f"{query!s:.200}"
        from foretell.capabilities import WORDS  # brings torch, as such a model does

        known = "" if model.words else f"; {model.name} knows no words: {WORDS}"
        raise ForetellError(f"this knowledge contains {model.of}: it is asked with a file, and {asked} is none{known}")
    vectors = model.queries(Path(query) if isinstance(query, str) else query, imagine)
    best: dict[int, Hit] = {}
    for hit in (hit for vector in vectors for hit in by_vector(collection, vector, top, level, filter)):
        if hit.id not in best or best[hit.id].score < hit.score:
            best[hit.id] = hit
    return sorted(best.values(), key=lambda hit: -hit.score)[:top]


def by_words(
    collection: Collection, model: WordModel, query: str, top: int, level: Level, filter: Filter | None
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


def check_top(top: int, level: Level) -> int:
    """`top` as an integer. Raises ForetellError where `top` or `level` is out of range."""
    if isinstance(top, bool) or not isinstance(top, int | np.integer) or not 1 <= top <= MOST:
        raise ForetellError(f"top is {top!r}, expected 1 to {MOST:,}")
    if isinstance(level, bool) or (level not in LEVELS and level != SCAN):
        raise ForetellError(f"level is {level!r}, expected 0 to {LEVELS[-1]}, or {SCAN!r}")
    return int(top)


def check_words(model: TextModel | ImageModel, *, rerank: bool = False, hybrid: bool = False) -> None:
    """Check that a knowledge has words to rerank or to look for. Raises ForetellError."""
    if model.kind != "text" and (rerank or hybrid):
        raise ForetellError(f"this knowledge contains {model.of}, without words to rerank or to look for")


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
