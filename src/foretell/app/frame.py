"""The frame of every page: its templates, its head, and the rules that it gives to browsers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData

from foretell import __version__, page
from foretell.app import session
from foretell.http.refusal import Refused
from foretell.search.serve.api.uploads import form_file

HERE = Path(__file__).parent
STATIC = HERE / "static"
LARGEST = 24 << 20
"""The most bytes of a file to ask with."""
STYLE = Path(page.__file__).parent / "style.css"
RULES = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
"""Headers of every page: everything that it loads comes from this service, and no other site may frame it."""
PLACES = (
    ("/knowledge", "Search"),
    ("/imagine", "Imagine"),
    ("/see", "See"),
    ("/ask", "Ask"),
    ("/discover", "Discover"),
    ("/runs", "Runs"),
    ("/claims", "Claims"),
)
"""The pages that every page leads to."""


def shown(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page.

    Args:
        request: the request that it answers.
        template: the name of its template, without the ending.
        status: of the answer.
        values: for the template.
    """
    root, there = session.root(request), request.app.state.places
    places = [(path, name, path[1:] == root) for path, name in PLACES if path[1:] in there]
    frame = {
        "places": places,
        "visitor": getattr(request.state, "caller", None),
        "token": session.token(request),
        "here": request.scope["path"],
        "version": __version__,
    }
    content = _templates().get_template(f"{template}.html.jinja").render(frame | values)
    return HTMLResponse(content, status, RULES)


def gone_to(path: str) -> RedirectResponse:
    """The answer to a form that has done its work: a page to go to."""
    return RedirectResponse(path, 303)


def failed(request: Request, refusal: Refused) -> HTMLResponse:
    """A refusal as a page with one sentence. A key that is not known any more leaves the browser."""
    response = shown(request, "error", refusal.status, refusal=refusal)
    response.headers.update(refusal.headers)
    if refusal.status == 401:
        session.forget(response)
    return response


def field(form: FormData | Mapping[str, Any], name: str, most: int = 100_000) -> str:
    """A text of a form, without the spaces around it; empty where it is missing. Raises Refused (400)."""
    value = form.get(name) or ""
    if not isinstance(value, str) or len(value) > most:
        raise Refused(400, f"{name} is too long or a file, expected a text of at most {most:,} characters")
    return value.replace("\r\n", "\n").strip()


async def sent_bytes(request: Request, kind: str, expected: str) -> tuple[bytes, str]:
    """The content of the file of a form, and the end of its name. Raises Refused (400): it is missing, or too large."""
    sent = await form_file(request)
    try:
        file = await sent.read()
    finally:
        await request.close()  # the temporary file of the form
    if not 0 < len(file) <= LARGEST:
        found = f"there is no {kind} in the form" if not file else f"the file has {len(file):,} bytes"
        raise Refused(400, f"{found}, expected {expected.format(LARGEST >> 20)}")
    return file, (sent.filename or "")[-80:]


@lru_cache
def address(name: str) -> str:
    """The address of a static file. It changes with the file, so that browsers may keep it."""
    path = STYLE if name == "page.css" else STATIC / name
    return f"/static/{name}?v={sha256(path.read_bytes()).hexdigest()[:12]}"


@lru_cache
def _templates() -> Any:
    made = page.environment(HERE / "templates", "the pages")
    made.globals |= {"static": address, "field": session.FIELD}
    made.filters |= {"when": when, "part": part, "clock": clock, "significant": significant, "percent": percent}
    return made


def when(moment: str) -> str:
    """A time in ISO 8601 as people read it: `10am, Mar 5, 2024`."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    minutes = f":{at.minute:02}" if at.minute else ""
    return f"{at.hour % 12 or 12}{minutes}{'am' if at.hour < 12 else 'pm'}, {at:%b} {at.day}, {at.year}"


def part(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")


def clock(seconds: float) -> str:
    """A time in a video: `1:05.2`."""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def percent(share: float) -> str:
    """A share: `4.6 %`, and never 0 % or 100 % where it is not."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if 0.999 < share < 1 else f"{100 * share:.1f} %"


def significant(value: float) -> str:
    """A score with three digits that count: `0.834`, `12.3`, `0.0164`."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 6)}f}".replace("-", "−")
