"""The catalogue of a store: create, find and import its knowledges.

`foretell.search.knowledge.Knowledge` offers these functions to users, and opens the knowledges that they return.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from foretell.errors import ForetellError
from foretell.search.entries import text_of
from foretell.search.models.load import canonical
from foretell.search.models.text import DEFAULT
from foretell.search.storage.export import exported
from foretell.search.storage.open import open_backend
from foretell.search.storage.protocol import Backend, Collection, Record, new_contract_id


@contextmanager
def opened(store: Backend | str | Path, *, create: bool = False, keep: bool = False) -> Iterator[tuple[Backend, bool]]:
    """An open store, and whether this call opened it.

    A store that this call opened is closed at the end. With `keep`, it is closed only where an error occurs.

    Raises:
        ForetellError: the store cannot be opened.
    """
    if not isinstance(store, str | Path):
        yield store, False
        return
    with ExitStack() as stack:
        backend = stack.enter_context(closing(open_backend(store, create=create)))
        yield backend, True
        if keep:
            stack.pop_all()


def create(store: Backend, name: str, *, model: str, public: bool, **texts: str) -> Collection:
    """Create an empty knowledge.

    Args:
        store: receives it.
        name: unique among its owner's knowledges.
        model: the name or the folder of the model that embeds it.
        public: whether everyone may read it over HTTP.
        texts: `title`, `description`, `category` and `owner`.

    Raises:
        ForetellError: the owner has a knowledge of that name, or a value is not valid.
    """
    values = {"name": name, **texts, "title": texts["title"] or name, "model": canonical(model)}
    check_texts(values)
    if not model.strip():
        raise ForetellError(f"model is {model!r}, expected a name such as {DEFAULT}, or a folder")
    return store.create(values | {"contract_id": new_contract_id(), "created": _now(), "public": public})


def find(store: Backend, name: str, owner: str | None) -> Record:
    """The knowledge with this name or contract id.

    Raises:
        ForetellError: the store has none, or several owners have one with this name.
    """
    text_of("name", name)
    found = store.find(name, owner)
    found = [each for each in found if each.contract_id == name] or found  # another may be called so
    if len(found) == 1:
        return found[0]
    if found:
        raise ForetellError(f"{len(found)} knowledges are called {name!r}: open one by its contract id")
    there = ", ".join(repr(about.name) for about in store.abouts()[:10])
    raise ForetellError(f"{store.where} holds no knowledge {name!r:.80}; there are {there or 'none'}")


@contextmanager
def imported(store: Backend | str | Path, path: Path, name: str | None) -> Iterator[tuple[Backend, Collection, bool]]:
    """A knowledge from a file that `export` wrote: its store, its entries, and whether this call opened the store.

    Raises:
        ForetellError: the file is missing, damaged or of another kind, or the name is taken or not valid.
    """
    with exported(path) as (about, rows), opened(store, create=True, keep=True) as (backend, own):
        about["name"] = about["name"] if name is None else name
        check_name(about["name"])
        if backend.find(about["contract_id"]):
            about["contract_id"] = new_contract_id()
        yield backend, backend.restore(about, rows), own


def check_texts(values: Mapping[str, object]) -> None:
    """Check that the description of a knowledge can be stored. Raises ForetellError."""
    for field, value in values.items():
        text_of(field, value)
    if isinstance(name := values.get("name"), str):
        check_name(name)


def check_name(name: str) -> None:
    """Check that a knowledge can have this name. Raises ForetellError."""
    if not name.strip() or len(name) > 200:
        raise ForetellError(f"name is {name!r:.60}, expected 1 to 200 characters")
    # In the service's addresses a name is one part of a path. Older stores may have others: use the contract id there.
    if name in (".", "..") or any(ord(letter) < 32 or letter in "/\\\x7f" for letter in name):
        raise ForetellError(f"name is {name!r:.60}, expected one line of text that is no path, without / and \\")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
