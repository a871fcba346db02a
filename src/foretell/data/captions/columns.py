"""Which column of a table holds captions, which one pictures, and what a caption may look like there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from foretell.errors import ForetellError

CAPTIONS = ("captions", "caption", "texts", "text", "sentences", "sentence", "raw", "description", "alt_text", "prompt")
"""Names of columns of captions, the preferred one first; `caption_0`, `caption_1` and so on belong together."""
FILES = ("file_name", "filename", "file", "image", "image_path", "path", "image_name", "img", "image_file", "filepath")
"""Names of columns that name pictures."""


def caption_columns(where: object, names: Sequence[str], every: Sequence[str] = ()) -> list[str]:
    """Which of the columns `names` hold captions; `every` column is told where there is none.

    Raises ForetellError where there is none.
    """
    known = {name.lower(): name for name in names}
    if found := next((known[name] for name in CAPTIONS if name in known), None):
        return [found]
    if numbered := [name for name in names if re.fullmatch(rf"(?:{'|'.join(CAPTIONS)})[ _-]?\d+", name.lower())]:
        return numbered
    raise _missing(where, "captions", every or names, CAPTIONS)


def file_column(where: object, names: Sequence[str]) -> str:
    """The column that names pictures. Raises ForetellError where there is none."""
    known = {name.lower(): name for name in names}
    if found := next((known[name] for name in FILES if name in known), None):
        return found
    raise _missing(where, "the names of pictures", names, FILES)


def texts(value: Any) -> list[str | bytes | None]:
    """The captions in one field: a text, several, or records with a text each, as COCO's."""
    if value is None or isinstance(value, str | bytes):
        return [value]
    if isinstance(value, dict):
        found = next((value[name] for name in CAPTIONS if name in value), None)
        return texts(found)
    if isinstance(value, Iterable):
        return [text for each in value for text in texts(each)]
    return [str(value)]


def _missing(where: object, what: str, names: Sequence[str], expected: Sequence[str]) -> ForetellError:
    near = next((name for name in names if get_close_matches(name.lower(), expected, 1, 0.75)), None)
    hint = ""
    if near is not None:
        hint = f"; did you mean {near!r} to be called {get_close_matches(near.lower(), expected, 1, 0.75)[0]!r}?"
    return ForetellError(
        f"{where}: no column of {what}; found {', '.join(names) or 'none'}, expected one of "
        f"{', '.join(expected[:6])}{hint or '.'}"
    )
