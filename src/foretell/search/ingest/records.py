"""Read JSON and JSON Lines: a list of records, or one record on each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foretell.search.passage import Passage

from . import tables, text
from .block import Empty, Options, Report, Unreadable

OF_MANY = tables.NAMES.index("description")
"""From this place on, a name in `tables.NAMES` may describe a whole collection rather than one record."""


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """One passage for each record; see `tables`.

    JSON contains a list of objects or texts, an object with a list of objects (see `_list`), or one object. JSON Lines
    contains one value on each line. Raises Unreadable where the file is neither.
    """
    wrong: list[int] = []
    yield from tables.passages(_rows(path, wrong), options, report)
    if wrong:
        report(f"{len(wrong):,} lines are not JSON; the first is line {wrong[0]:,}")


def _rows(path: Path, wrong: list[int]) -> Iterator[tables.TableRow]:
    if path.suffix.lower() == ".json":
        try:
            value = json.loads(text.read(path))
        except RecursionError:
            raise Unreadable("JSON nested too deeply") from None
        except ValueError as error:
            first = str(error)
            if not first.startswith("Extra data"):  # otherwise it may be JSON Lines
                raise Unreadable(f"not JSON ({first})") from None
        else:
            yield from enumerate(map(_record, _list(value)))
            return
    yield from _lines(path, wrong)


def _lines(path: Path, wrong: list[int]) -> Iterator[tables.TableRow]:
    found = 0
    with path.open(encoding=text.encoding(path), errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                wrong.append(number)
                continue
            yield found, _record(value)
            found += 1
    if not found:
        raise Unreadable("not JSON: none of its lines is") if wrong else Empty("no rows")


def _list(value: Any) -> list[Any]:
    """The records: those of an object's longest list, unless the object is a record itself, as a paper with authors is.

    An object is a record if it has a text; or a description or a title, and the records of its lists have no better.
    """
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        own = _place(value)
        lists = [v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
        lists = [v for v in lists if own >= OF_MANY and _place(v[0]) <= own]
        return max(lists, key=len, default=[value])
    return [value]


def _place(record: dict[str, Any]) -> int:
    """The place of its best text in `tables.NAMES`; their number where it has none."""
    texts = {name.lower() for name, value in record.items() if isinstance(value, str) and value.strip()}
    return next((place for place, name in enumerate(tables.NAMES) if name in texts), len(tables.NAMES))


def _record(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"text": value}
