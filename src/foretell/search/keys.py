"""API keys of a store: who may do what over HTTP. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from foretell.errors import ForetellError
from foretell.search.entries import text_of
from foretell.search.store import Store

SCOPES = ("read", "write", "admin")
"""Each allows what those before it do. `read` and `write` reach the knowledges of the key's owner, `admin` all."""


@dataclass(frozen=True)
class Key:
    """What is known of a key; not the key."""

    name: str
    owner: str
    scope: str
    created: str
    """ISO 8601, in UTC."""
    revoked: str | None

    def allows(self, scope: str) -> bool:
        """Whether it may do what this scope may."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


def create(store: Store, name: str, owner: str = "", scope: str = "read") -> str:
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
    with store.write() as c:
        try:
            values = (_hash(secret), name, owner, scope, _now())
            c.execute("INSERT INTO key (hash, name, owner, scopes, created) VALUES (?, ?, ?, ?, ?)", values)
        except sqlite3.IntegrityError:
            raise ForetellError(f"there is, or was, a key {name!r}; choose another name") from None
    return secret


def every(store: Store) -> list[Key]:
    """All keys, oldest first, the revoked ones too."""
    with store.read() as c:
        return [_key(row) for row in c.execute(f"{_KEY} ORDER BY created, name")]


def revoke(store: Store, name: str) -> None:
    """Let a key open nothing from now on. Raises ForetellError where there is none of that name."""
    with store.write() as c:
        if not c.execute("UPDATE key SET revoked = coalesce(revoked, ?) WHERE name = ?", (_now(), name)).rowcount:
            raise ForetellError(f"{store.folder} has no key {name!r:.80}")


def find(store: Store, secret: str) -> Key | None:
    """The key of this secret; None where there is none, or it is revoked."""
    with store.read() as c:
        row = c.execute(f"{_KEY} WHERE hash = ? AND revoked IS NULL", (_hash(secret),)).fetchone()
    return _key(row) if row else None


_KEY = "SELECT name, owner, scopes, created, revoked FROM key"


def _key(row: tuple[Any, ...]) -> Key:
    return Key(*row)


def _hash(secret: str) -> str:
    # a key is 256 random bits: there is nothing to guess, so that a slow hash would only be slow
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
