"""What pages know of a knowledge, and how they show the results of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.app.frame import field, part
from foretell.errors import ForetellError
from foretell.http.refusal import Refused
from foretell.search import ingest
from foretell.search.entries import Entry, Hit
from foretell.search.knowledge import Knowledge
from foretell.search.serve.call import Call
from foretell.search.storage.protocol import About

if TYPE_CHECKING:
    from foretell.actions import Parameter

LENGTH = 700
"""Characters of a passage in a list. The page of the entry has all of it."""
WHY = {
    "vector": ("meaning", "cosine of the query and the passage, −1 to 1"),
    "mixed": ("words", "cosine of the words and the picture, mixed for these words"),
    "words": ("words", "BM25: how many rare words of the query it has"),
    "fused": ("both ranks", "reciprocal rank fusion of meaning and words"),
    "rank": ("rank", "1 / (60 + rank in its own knowledge)"),
    "rerank": ("reread", "what the reranker says of query and passage"),
    "blended": ("both", "the mean of the search and the reranker"),
}
"""Scores of a search -> their names for people, and what they are."""


@dataclass(frozen=True)
class Holdings:
    """What a knowledge contains, and what it can be asked with."""

    kind: str
    """`text`, `image`, `video`, or `vectors` where its model is not on this machine."""
    of: str
    """Such as `photographs`."""
    words: bool
    """Whether it can be asked with words."""
    files: bool
    """Whether it can be asked with a picture or a video."""
    endings: Sequence[str]
    """Endings of files that can be added."""
    queries: Sequence[str] = ()
    """Endings of files that it can be asked with."""
    films: Sequence[str] = ()
    """Those of videos among them."""
    changes: Sequence[Parameter] = ()
    """What its model can imagine of a file that it is asked with."""


def contents(knowledge: Knowledge) -> Holdings:
    """What a knowledge contains."""
    try:
        model = knowledge.model
    except ForetellError:
        return Holdings("vectors", "vectors", words=False, files=False, endings=())
    if model.kind == "text":
        return Holdings("text", "passages", words=True, files=False, endings=sorted(ingest.ENDINGS))
    queries, films = sorted(model.stills | model.films), sorted(model.films)
    return Holdings(model.kind, model.of, model.words, True, sorted(model.endings), queries, films, model.changes)


def may_change(call: Call, about: About) -> bool:
    """Whether the visitor may change a knowledge."""
    caller = call.caller
    return caller is not None and caller.allows("write") and (caller.owner == about.owner or caller.allows("admin"))


def changes_in(form: Mapping[str, Any], parameters: Sequence[Parameter]) -> dict[str, float]:
    """The values of a form that ask for a change. Raises Refused (400) where one is no number."""
    values = dict[str, float]()
    for p in parameters:
        if text := field(form, p.name, 100):
            try:
                value = float(text)
            except ValueError:
                raise Refused(400, f"{p.name} is {text!r:.40}, expected a number") from None
            if value != p.identity:
                values[p.name] = value
    return values


def hit_told(hit: Hit, contract_id: str, name: str = "") -> dict[str, Any]:
    """A result as pages show it.

    Args:
        hit: the result.
        contract_id: of its knowledge.
        name: of its knowledge, where results of several are shown.
    """
    why = [(*WHY.get(kind, (kind, "")), score) for kind, score in hit.scores.items()]
    return entry_told(hit, contract_id) | {"score": hit.score, "why": why, "knowledge": name}


def entry_told(entry: Hit | Entry, contract_id: str, length: int = LENGTH) -> dict[str, Any]:
    """An entry as pages show it: its text is cut where it is long."""
    text = entry.text.strip()
    source = entry.metadata.get("source")
    return {
        "id": entry.id,
        "key": entry.key,
        "text": text[:length] + ("…" if len(text) > length else ""),
        "page": entry.page,
        "time": entry.time,
        "source": str(source) if source else "",
        "thumbnail": f"/knowledge/{part(contract_id)}/entries/{entry.id}/thumbnail" if entry.has_thumbnail else "",
        "contract_id": contract_id,
    }
