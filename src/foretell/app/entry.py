"""The page of an entry: all of its text, with the passages before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from foretell.agents.read import neighbours
from foretell.app.found import contents, entry_told, may_change
from foretell.app.frame import shown
from foretell.errors import ForetellError
from foretell.http.refusal import Refused
from foretell.search.entries import Entry
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api import entries
from foretell.search.serve.api.bodies import EntryId, KnowledgeName
from foretell.search.serve.call import Call

PAGE = 20
"""Passages before and after an entry that may be of its page."""

router = APIRouter()


@router.get("/knowledge/{name}/entries/{id}")
async def page(request: Request, name: KnowledgeName, id: EntryId) -> Response:
    """Show an entry where it stands."""
    call = Call(request)

    def read() -> dict[str, Any]:
        knowledge = call.find(name)
        about, entry = knowledge.about, fetch(knowledge, id)
        around = in_its_page(neighbours(knowledge, entry, PAGE, PAGE), entry)
        place = next((place for place, each in enumerate(around) if each.id == entry.id), 0)
        metadata = {key: value for key, value in entry.metadata.items() if key != "source"}
        return {
            "about": about,
            "entry": entry_told(entry, about.contract_id, len(entry.text)),
            "metadata": metadata,
            "before": [entry_told(each, about.contract_id) for each in around[:place]],
            "after": [entry_told(each, about.contract_id) for each in around[place + 1 :]],
            "may_change": may_change(call, about),
            "texts": contents(knowledge).kind == "text",
        }

    return shown(request, "entry", **await call.search(read))


@router.get("/knowledge/{name}/entries/{id}/thumbnail")
async def thumbnail(request: Request, name: KnowledgeName, id: EntryId) -> Response:
    """The small picture of an entry, for a visitor: the API takes no keys from cookies."""
    return await entries.thumbnail(request, name, id)


def in_its_page(around: Sequence[Entry], entry: Entry) -> Sequence[Entry]:
    """Of the entries around one, those that begin in its page, and one more on each side."""
    place = next((place for place, each in enumerate(around) if each.id == entry.id), 0)
    first = last = place
    while entry.page is not None and first and around[first - 1].page == entry.page:
        first -= 1
    while entry.page is not None and last + 1 < len(around) and around[last + 1].page == entry.page:
        last += 1
    return around[max(0, first - 1) : last + 2]


def fetch(knowledge: Knowledge, id: int) -> Entry:
    """An entry. Raises Refused (404) where there is none."""
    try:
        return knowledge.fetch([id])[0]
    except ForetellError as error:
        raise Refused(404, str(error)) from None
