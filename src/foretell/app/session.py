"""Who looks at a page: the key of a visitor lies in a cookie, and forms prove that a page of this service sent them.

The cookie is HttpOnly and SameSite=Strict, and only the paths of pages read it: the API takes keys in headers alone. A
form carries a token made of the key, which no other site can compute: HMAC-SHA256(key, purpose).
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from foretell.http.gate import in_headers
from foretell.http.refusal import Refused

COOKIE = "foretell_key"
FIELD = "token"
"""The field of a form that carries its token."""
ROOTS: Final = frozenset(
    {"", "ask", "claims", "discover", "imagine", "kept", "knowledge", "login", "logout", "runs", "see", "static"}
)
"""The first parts of the paths of pages."""


def root(request: Request) -> str:
    """The first part of the path of a request; empty for the first page."""
    return request.scope["path"].lstrip("/").partition("/")[0]


def is_page(request: Request) -> bool:
    """Whether the path of a request is that of a page."""
    return root(request) in ROOTS


def secret(request: Request) -> str | None:
    """The key in a request: in its headers, or, for a page, in its cookie."""
    return in_headers(request) or (request.cookies.get(COOKIE) or None if is_page(request) else None)


def remember(request: Request, response: Response, key: str) -> None:
    """Keep a key in the visitor's browser until it is closed."""
    response.set_cookie(COOKIE, key, httponly=True, samesite="strict", secure=request.url.scheme == "https")


def forget(response: Response) -> None:
    """Remove the key from the visitor's browser."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def token(request: Request) -> str:
    """The token of the visitor's forms; empty without a key."""
    key = request.cookies.get(COOKIE, "")
    return hmac.new(key.encode(errors="replace"), b"forms of foretell's pages", sha256).hexdigest() if key else ""


async def check_form(request: Request, files: int = 1) -> None:
    """Refuse a form that another site has sent, or one with too many files.

    Raises:
        Refused: 403, it comes from another origin, or its token is not that of the visitor.
    """
    check_origin(request)
    if in_headers(request) or not request.cookies.get(COOKIE):  # no browser sends such a key by itself
        return
    given = (await request.form(max_files=files, max_fields=100)).get(FIELD)
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), token(request).encode()):
        raise Refused(403, "this form is not of your session: open its page again, and send it from there")


def check_origin(request: Request) -> None:
    """Refuse a form that a page of another site has sent. Raises Refused (403)."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if foreign or (origin is not None and urlsplit(origin).netloc != request.headers.get("host")):
        raise Refused(403, "this form was sent by a page of another site: open the page here, and send it from there")


def local(path: str) -> str:
    """A path to go to after a form: of this service, whatever the form said."""
    parts = urlsplit(path)
    own = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return path if own and path.isprintable() and "\\" not in path else "/"
