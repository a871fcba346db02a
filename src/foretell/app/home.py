"""The first page: what there is here."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from foretell.app.frame import shown
from foretell.search.serve.call import Call

router = APIRouter()


@router.get("/")
async def home(request: Request) -> Response:
    """Show what there is, and lead to it."""
    call = Call(request)
    abouts = await call.search(lambda: call.library.visible(call.caller))
    return shown(
        request, "home", count=len(abouts), entries=sum(about.count for about in abouts), newest=abouts[:-4:-1]
    )
