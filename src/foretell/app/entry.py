"""The page of an entry: all of its text, with the passages before and after it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from foretell.agents.read import neighbours
from foretell.app.found import contents, entry_told, may_change
from foretell.app.frame import shown
from foretell.errors import ForetellError
from foretell.http.refusal import Refused
from foretell.search.entries import Entry
from foretell.search.knowledge import Knowledge
from foretell.search.serve.api.bodies import EntryId, KnowledgeName
from foretell.search.serve.call import Call

router = APIRouter()


@router.get("/knowledge/{name}/entries/{id}")
async def page(request: Request, name: KnowledgeName, id: EntryId) -> Response:
    """Show an entry where it stands."""
    call = Call(request)

    def read() -> dict[str, Any]:
        knowledge = call.find(name)
        about, entry = knowledge.about, fetch(knowledge, id)
        around = list(neighbours(knowledge, entry, 1, 1))
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


def fetch(knowledge: Knowledge, id: int) -> Entry:
    """An entry. Raises Refused (404) where there is none."""
    try:
        return knowledge.fetch([id])[0]
    except ForetellError as error:
        raise Refused(404, str(error)) from None
