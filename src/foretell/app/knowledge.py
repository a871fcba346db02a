"""The page of a knowledge: its description, its first entries, a search, and how programs retrieve from it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from PIL import Image
from starlette.datastructures import FormData, UploadFile

from foretell.app import session
from foretell.app.found import Holdings, changes_in, contents, entry_told, hit_told, may_change
from foretell.app.frame import field as field_of
from foretell.app.frame import part, sent_bytes, shown
from foretell.app.kept import KeptFiles, png
from foretell.app.snippets import snippets
from foretell.data.video.decode import spread
from foretell.http.refusal import Refused
from foretell.search.knowledge import Knowledge
from foretell.search.models import thumbnails
from foretell.search.serve.api.bodies import KnowledgeName, Search
from foretell.search.serve.api.search import found as search
from foretell.search.serve.api.search import pixels, unread
from foretell.search.serve.call import Call

FIRST = 4
"""First entries on the page."""
PICTURED = 8
"""First entries that have pictures."""
FILES = 50
"""Files on the page."""
TOP = 10
DONE = {
    "made": "The knowledge was made. Add files to it now.",
    "changed": "The change is saved.",
    "added": "The file was added.",
    "same": "A file with this content was here already: nothing was added.",
    "deleted": "It was deleted.",
}
"""What a form has done -> the sentence."""

router = APIRouter()


class AskedWith(NamedTuple):
    """The file of a search."""

    name: str
    picture: str
    """The address of what the model sees of it."""
    again: bool
    """Whether it can be asked with again, without being sent."""
    values: Mapping[str, float]
    """The changes that the model imagined of it."""


@router.get("/knowledge/{name}")
async def page(
    request: Request,
    name: KnowledgeName,
    q: Annotated[str, Query(max_length=10_000)] = "",
    hybrid: bool = False,
    rerank: bool = False,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a knowledge, and what a search in it finds."""
    call, q = Call(request), q.strip()
    told = await call.search(lambda: _told(call, request, name, q))
    if q:
        holds: Holdings = told["holds"]
        if not holds.words:
            raise Refused(400, f"this knowledge contains {holds.of}, and its model knows no words: ask with a picture")
        body = Search(query=q, top=TOP, hybrid=hybrid and holds.kind == "text", rerank=rerank and holds.kind == "text")
        hits = await search(call, name, body)
        told["results"] = [hit_told(hit, told["about"].contract_id) for hit in hits]
        told["unread"] = unread(hits) if body.rerank else 0
    return shown(request, "knowledge", q=q, hybrid=hybrid, rerank=rerank, done=DONE.get(done, ""), **told)


@router.post("/knowledge/{name}")
async def asked_with_file(request: Request, name: KnowledgeName) -> Response:
    """Search by a picture or a video, perhaps as the model imagines it after a change."""
    await session.check_form(request)
    call, form = Call(request), await request.form(max_files=1, max_fields=100)
    told = await call.search(lambda: _told(call, request, name, ""))
    holds: Holdings = told["holds"]
    values = changes_in(form, holds.changes)
    file, asked, kept = await _file_of(request, form)
    field = "video" if not kept and asked.lower().endswith(tuple(holds.films)) else "image"
    body = Search.model_validate({field: b64encode(file).decode(), "top": TOP, "imagine": values or None})
    seen = await pixels(call, name, body)
    hits = await search(call, name, body, seen)
    picture = kept or _shown(request.app.state.kept, seen, field)
    told["results"] = [hit_told(hit, told["about"].contract_id) for hit in hits]
    told["asked"] = AskedWith(asked, picture, field == "image", values)
    return shown(request, "knowledge", q="", hybrid=False, rerank=False, done="", **told)


async def _file_of(request: Request, form: FormData) -> tuple[bytes, str, str]:
    """The file of a form, its name, and its address where it is one that was kept. Raises Refused: there is none."""
    sent, kept = form.get("file"), field_of(form, "kept", 200)
    if not kept or (isinstance(sent, UploadFile) and sent.filename):
        return *await sent_bytes(request, "picture", "a picture or a video of at most {} MB: choose one"), ""
    files: KeptFiles = request.app.state.kept
    return files.find(kept)[0], field_of(form, "called", 200), f"/kept/{part(kept)}"


def _shown(kept: KeptFiles, seen: np.ndarray, field: str) -> str:
    """The address of what a model sees of a file: a picture without loss, or some frames of a clip."""
    if field == "image":
        still = seen if seen.ndim == 3 else seen[:, 0]
        return kept.keep(png(Image.fromarray(np.ascontiguousarray(still.transpose(1, 2, 0)))), "image/png")
    frames = seen[None] if seen.ndim == 3 else seen.swapaxes(0, 1)
    return kept.keep(thumbnails.of_frames(frames[spread(len(frames), thumbnails.FRAMES)]), "image/webp")


def _told(call: Call, request: Request, name: str, query: str) -> dict[str, Any]:
    """What the template tells of a knowledge."""
    knowledge = call.find(name)
    about, holds = knowledge.about, contents(knowledge)
    entries, files = knowledge.entries(0, FIRST if holds.kind == "text" else PICTURED), knowledge.files()
    return {
        "about": about,
        "holds": holds,
        "entries": [entry_told(each, about.contract_id) for each in entries],
        "files": files[:FILES],
        "more_files": max(0, len(files) - FILES),
        "may_change": may_change(call, about),
        "snippets": snippets(request, about, holds, query, example(knowledge, holds)),
        "results": None,
        "unread": 0,
        "asked": None,
    }


def example(knowledge: Knowledge, holds: Holdings) -> list[float] | None:
    """A vector to ask with, where a knowledge takes nothing else."""
    entries = knowledge.entries(0, 1) if holds.kind == "vectors" else []
    return [round(float(number), 4) for number in entries[0].vector] if entries else None
