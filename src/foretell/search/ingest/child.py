"""Parsing, in the process of a worker. It imports a reader only where a file needs it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from foretell.errors import ForetellError
from foretell.extras import missing

from .block import Empty, Options, Unreadable


def parse(path: str, kind: str, options: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The passages of a file, and its parts that could not be used.

    Args:
        path: of the file.
        kind: the name of the module that reads it.
        options: the fields of `Options`.

    Yields:
        ("passage", text, page, metadata), ("part", reason), and at the end perhaps ("empty", reason): the file
        contains no text; or ("unusable", reason): the rest of the file cannot be used.
    """
    unused: list[str] = []
    try:
        read = import_module(f".{kind}", __package__).passages
        for passage in read(Path(path), Options(**options), unused.append):
            yield from _parts(unused)
            yield "passage", passage.text, passage.page, passage.metadata
        yield from _parts(unused)
        return
    except Empty as error:
        ended = "empty", str(error)
    except Unreadable as error:
        ended = "unusable", str(error)
    except ModuleNotFoundError as error:
        ended = "unusable", str(missing(error.name or "a package", "reading it"))
    except OSError as error:
        ended = "unusable", f"cannot be read ({error.strerror})"
    except (MemoryError, ForetellError):
        raise
    except Exception as error:  # parsers raise errors of any type
        ended = "unusable", f"its parser failed ({type(error).__name__}: {error})"[:500]
    yield from _parts(unused)
    yield ended


def _parts(unused: list[str]) -> Iterator[tuple[str, str]]:
    while unused:
        yield "part", unused.pop(0)
