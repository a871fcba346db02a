"""API keys of a store: who may do what over HTTP. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from foretell.errors import ForetellError
from foretell.search.entries import text_of
from foretell.search.storage.protocol import SCOPES, Backend, Key


def create(store: Backend, name: str, owner: str = "", scope: str = "read") -> str:
    """Make a key and return it; it cannot be had again.

    Args:
        store: the keys of which.
        name: what it is called in commands.
        owner: whose knowledges it reaches; knowledges made on the command line without `--owner` are of owner "".
        scope: one of `SCOPES`.

    Raises:
        ForetellError: there is a key of that name, or a value is not one.
    """
    for what, text in (("name", name), ("owner", owner)):
        text_of(what, text)
    if not name.strip() or len(name) > 200:
        raise ForetellError(f"name is {name!r:.60}, expected 1 to 200 characters")
    if scope not in SCOPES:
        raise ForetellError(f"scope is {scope!r}, expected one of {', '.join(SCOPES)}")
    secret = f"fk-{secrets.token_urlsafe(32)}"
    store.add_key(_hash(secret), Key(name, owner, scope, _now(), None))
    return secret


def every(store: Backend) -> Sequence[Key]:
    """All keys, oldest first, the revoked ones too."""
    return store.keys()


def revoke(store: Backend, name: str) -> None:
    """Let a key open nothing from now on. Raises ForetellError where there is none of that name."""
    text_of("name", name)
    if not store.revoke(name, _now()):
        raise ForetellError(f"{store.where} has no key {name!r:.80}")


def find(store: Backend, secret: str) -> Key | None:
    """The key of this secret; None where there is none, or it is revoked."""
    return store.key(_hash(secret))


def _hash(secret: str) -> str:
    # a key is 256 random bits: there is nothing to guess, so that a slow hash would only be slow
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
