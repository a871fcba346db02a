"""Rows of tables and records become passages: one column is searched, the others become metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, count, islice
from typing import Any

from foretell.search.passage import Passage

from .block import Empty, Metadata, Options, Report, Unreadable
from .split import MOST
from .split import passages as split
from .text import blocks

NAMES = (
    *("text", "content", "contents", "body", "passage", "paragraph", "context", "document", "abstract"),
    *("description", "summary", "sentence", "title"),
)
"""Names of columns that are searched, the best first."""
SAMPLE = 200  # rows that decide which column is searched

TableRow = tuple[int, Mapping[str, Any]]
"""The number of a row in its file, from 0, and its values by name."""


def passages(rows: Iterable[TableRow], options: Options, report: Report) -> Iterator[Passage]:
    """One passage for each row, or several where its text is long. The other columns and `row` are its metadata.

    Raises Unreadable: there is no row, no column of text, or not the wanted column.
    """
    rows = iter(rows)
    sample = list(islice(rows, SAMPLE))
    column = _column([flat(row) for _, row in sample], options.text)
    without = seen = 0
    for number, row in chain(sample, rows):
        seen += 1
        values = flat(row)
        text = str(values.pop(column, "")).strip()
        text = said(row.get(column)) or text  # flat values contain a list of texts as JSON
        metadata: Metadata = {"row": number, **values}
        without += not text
        if len(text) <= MOST:
            yield from [Passage(text, metadata=metadata)] if text else []
        else:
            yield from split(blocks(text), metadata)
    if without:
        report(f"{without:,} of {seen:,} rows have no text in the column {column!r}")


def distinct(names: Iterable[str]) -> list[str]:
    """The names of columns; repeated ones are numbered: a, "a 2"."""
    found: dict[str, None] = {}
    for name in names:
        found[next(n for n in chain([name], (f"{name} {k}" for k in count(2))) if n not in found)] = None
    return list(found)


def flat(row: Mapping[str, Any], prefix: str = "") -> Metadata:
    """Flat metadata of any record: dots join nested names, lists become JSON, missing values are left out."""
    found: Metadata = {}
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}.")
        elif isinstance(value, bool | str):
            found[name] = value
        elif isinstance(value, int):
            found[name] = value if -(2**63) <= value < 2**63 else str(value)
        elif isinstance(value, float | Decimal):
            if math.isfinite(value):
                found[name] = float(value)
        elif isinstance(value, datetime | date | time):
            found[name] = value.isoformat()
        elif isinstance(value, list):
            found[name] = json.dumps(value, ensure_ascii=False, default=str)
    return found


def said(value: Any) -> str:
    """A value as text: the text itself, or the lines of a list of texts; empty for any other value."""
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "\n".join(value).strip()
    return value.strip() if isinstance(value, str) else ""


def _column(sample: list[Metadata], wanted: str | None) -> str:
    if not sample:
        raise Empty("no rows")
    names = dict.fromkeys(name for row in sample for name in row)
    if wanted is not None:
        if wanted not in names:
            raise Unreadable(f"no column {wanted!r}; found {', '.join(names) or 'none'}")
        return wanted
    lengths = {name: sum(len(v) for row in sample if isinstance(v := row.get(name), str)) for name in names}
    lengths = {name: length for name, length in lengths.items() if length}
    if not lengths:
        raise Unreadable(f"no column of text; found {', '.join(names) or 'none'}")
    named = [name for known in NAMES for name in lengths if name.lower() == known]
    return named[0] if named else max(lengths, key=lambda name: lengths[name])
