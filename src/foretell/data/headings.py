"""The heading and the rows of a table, and which column says what: one that was asked for, or one with a usual name."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from foretell.errors import ForetellError

LABELS = ("labels", "label", "y", "class", "class_id", "target", "category", "toxicity")
GROUPS = ("groups", "group", "place", "background", "attribute", "environment", "hospital", "camera", "a")
FILES = ("img_filename", "filename", "file_name", "file", "path", "image_path", "img_path", "image", "img", "image_id")
TEXTS = ("comment_text", "text", "sentence", "comment", "review")
SPLITS = ("split", "partition", "fold", "set")


def delimited(
    path: Path, lines: Iterable[str], delimiter: str = ",", hint: str = ""
) -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the rows of a delimited table, without empty lines; nothing of an empty one.

    Args:
        path: of the table, for errors.
        lines: of the table, with their ends.
        delimiter: between fields.
        hint: ends the error.

    Raises:
        ForetellError: a row has more or fewer fields than the heading.
    """
    names, *rows = [row for row in csv.reader(lines, delimiter=delimiter) if row] or [[]]
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise ForetellError(f"{path}: row {number} has {len(row)} fields, expected {len(names)}{hint}")
    return [name.strip() for name in names], rows


def heading(
    path: Path, columns: Sequence[str], asked: str | None, usual: Iterable[str], what: str = "column"
) -> str | None:
    """The name of a column, as the table writes it; None where nothing was asked for and no usual name is there.

    Args:
        path: of the table, for errors.
        columns: that it has.
        asked: a name that must be there.
        usual: names that may be there, the preferred one first; case does not matter.
        what: in errors, what the column would say.

    Raises:
        ForetellError: there is no such column; the message has the nearest one.
    """
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    if asked is None:
        return next((by_name[name] for name in usual if name in by_name), None)
    if asked in columns:
        return asked
    near = get_close_matches(asked.lower(), by_name, 1, 0.5)
    meant = f"did you mean {by_name[near[0]]!r}?" if near else f"expected one of {', '.join(columns) or 'none'}."
    raise ForetellError(f"{path}: has no column {asked!r} for the {what}; {meant}")
