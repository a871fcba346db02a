"""API keys of a store: they decide what a caller may do over HTTP. The store keeps only their hashes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from foretell.errors import ForetellError
from foretell.search.entries import text_of
from foretell.search.storage.protocol import SCOPES, Backend, Key


def create(store: Backend, name: str, owner: str = "", scope: str = "read") -> str:
    """Make a key and return it. The store keeps its hash, so nobody can read the key again.

    Args:
        store: the store of the key.
        name: the name of the key in commands.
        owner: the key reaches the knowledges of this owner. Knowledges made on the command line without `--owner`
            have the owner "".
        scope: one of `SCOPES`.

    Raises:
        ForetellError: there is a key of that name, or a value does not fit.
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


def list_keys(store: Backend) -> Sequence[Key]:
    """All keys, also the revoked ones, oldest first."""
    return store.keys()


def revoke(store: Backend, name: str) -> None:
    """Revoke a key: it opens nothing from now on. Raises ForetellError if there is no key of that name."""
    text_of("name", name)
    if not store.revoke(name, _now()):
        raise ForetellError(f"{store.where} has no key {name!r:.80}")


def find(store: Backend, secret: str) -> Key | None:
    """The key of this secret; None if there is none, or if it is revoked."""
    return store.key(_hash(secret))


def _hash(secret: str) -> str:
    # a key is 256 random bits and cannot be guessed: a slow hash would add no safety
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
