"""Come in with a key, and leave."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from foretell.app import session
from foretell.app.frame import field, gone_to, shown
from foretell.http.refusal import Refused
from foretell.search.serve import keys
from foretell.search.serve.call import Call

router = APIRouter()


@router.get("/login")
async def login(request: Request, to: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """Ask for a key."""
    return shown(request, "login", to=session.local(to), wrong=False)


@router.post("/login")
async def enter(request: Request) -> Response:
    """Take a key, and keep it in the visitor's browser."""
    session.check_origin(request)
    form = await request.form(max_files=0, max_fields=10)
    to, key = session.local(field(form, "to", 2000)), field(form, "key", 500)
    call = Call(request)
    if not key or await call.search(lambda: keys.find(call.library.store, key)) is None:
        return shown(request, "login", 403, to=to, wrong=True)
    response = gone_to(to)
    session.remember(request, response, key)
    return response


@router.post("/logout")
async def leave(request: Request) -> Response:
    """Take the key out of the visitor's browser."""
    await session.check_form(request)
    response = gone_to("/")
    session.forget(response)
    return response


def check_key(call: Call) -> None:
    """Refuse a visitor without a key. Raises Refused (401)."""
    if call.caller is None:
        raise Refused(401, "this needs an API key: log in first")


def check_writes(call: Call) -> None:
    """Refuse a visitor whose key may not write. Raises Refused (401 without a key, 403)."""
    check_key(call)
    assert call.caller is not None
    if not call.caller.allows("write"):
        raise Refused(403, "this key may not write")
