"""Read JSON and JSON Lines: records in any of the usual forms, or one record on each line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from foretell.search.passage import Passage

from . import tables, text
from .block import Empty, Options, Report, Unreadable

OF_MANY = tables.NAMES.index("description")
"""From this place on, a name in `tables.NAMES` may describe a whole collection rather than one record."""

TOLD = 0.8
"""Where the records contain less than this share of a file's text, the rest is reported."""

Fields = Mapping[str, Any]


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """One passage for each record; see `tables`.

    JSON contains records in one of the forms of `records`. JSON Lines contains one value on each line. Lines that are
    not JSON, and text outside of the records, are reported. Raises Unreadable where the file is neither.
    """
    yield from tables.passages(_rows(path, report), options, report)


def _rows(path: Path, report: Report) -> Iterator[tables.TableRow]:
    if path.suffix.lower() == ".json":
        try:
            value = json.loads(text.read(path, report))
        except RecursionError:
            raise Unreadable("JSON nested too deeply") from None
        except ValueError as error:
            first = str(error)
            if not first.startswith("Extra data"):  # otherwise it may be JSON Lines
                raise Unreadable(f"not JSON ({first})") from None
        else:
            found = records(value)
            yield from enumerate(found)
            if (used := _characters(found)) < TOLD * (whole := _characters(value)):
                report(f"{used / whole:.0%} of its text is in records; the rest was left out")
            return
    yield from enumerate(record for value in _lines(path, report) for record in _whole(_record(value)))


def _lines(path: Path, report: Report) -> Iterator[Any]:
    found = 0
    wrong: list[int] = []
    with text.opened(path, report) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                wrong.append(number)
                continue
            yield value
            found += 1
    if not found:
        raise Unreadable("not JSON: none of its lines is") if wrong else Empty("no rows")
    if wrong:
        report(f"{len(wrong):,} lines are not JSON; the first is line {wrong[0]:,}")


def records(value: Any) -> list[Fields]:
    """The records of a JSON value, in the first of these forms that fits.

    - a list of objects, of texts, or of rows, which are lists; the first row may name the columns;
    - pandas' `split`: an object with `columns` and the rows in `data`;
    - pandas' `columns`: an object of columns, each an object from the same row names to values; or each a list;
    - an object of records by their key, which becomes `key`; or of texts or lists of texts by their key, where the keys
      count;
    - an object whose longest list contains records, at any depth, unless the object is a record itself, as a paper with
      authors is. Lists of records with the same names are read, too, and their name becomes `key`: `train` and `test`;
    - one record.

    A record without a text of its own, but with a list of records that have one, becomes those records. Each of them
    also has its plain values, as a chapter has the title of its book.
    """
    if isinstance(value, list):
        found = _table(value) if value and all(isinstance(row, list) for row in value) else map(_record, value)
    elif not isinstance(value, dict):
        found = [_record(value)]
    elif isinstance(names := value.get("columns"), list) and isinstance(rows := value.get("data"), list):
        found = (dict(zip(map(str, names), row, strict=False)) for row in rows if isinstance(row, list))
    elif _are_columns(value):
        found = ({name: column[key] for name, column in value.items()} for key in next(iter(value.values())))
    elif _are_lists(value):
        found = (dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True))
    elif _are_records(value):
        found = ({"key": key, **record} for key, record in value.items())
    elif _are_texts(value):
        found = ({"key": key, "text": said} for key, some in value.items() for said in _several(some))
    else:
        found = _longest_list(value)
    return [whole for record in found for whole in _whole(record)]


def _table(rows: list[list[Any]]) -> Iterator[Fields]:
    """Records from rows of values. The first row names the columns if it contains texts only, and others do not."""
    first, others = rows[0], rows[1:]
    named = all(isinstance(name, str) for name in first) and len(set(first)) == len(first)
    if named and others and not all(isinstance(value, str) for row in others for value in row):
        return (dict(zip(first, row, strict=False)) for row in others)
    return ({f"column {n}": value for n, value in enumerate(row, 1)} for row in rows)


def _are_columns(value: dict[str, Any]) -> bool:
    """Whether an object contains columns, each an object from row names to plain values, and not records by key."""
    columns = list(value.values())
    if not columns or not all(isinstance(column, dict) and column for column in columns):
        return False
    keys = columns[0].keys()
    if any(column.keys() != keys or any(map(_is_nested, column.values())) for column in columns):
        return False
    inside, outside = _place(columns[0]) < len(tables.NAMES), any(name.lower() in tables.NAMES for name in value)
    return outside if inside != outside else all(key.isdecimal() for key in keys) and not all(map(str.isdecimal, value))


def _are_lists(value: dict[str, Any]) -> bool:
    """Whether an object contains columns, each a list of plain values, one of them of texts by its name."""
    columns = list(value.values())
    if len(columns) < 2 or not all(isinstance(column, list) and len(column) > 1 for column in columns):
        return False
    if len(set(map(len, columns))) > 1 or any(_is_nested(each) for column in columns for each in column):
        return False
    return any(
        name.lower() in tables.NAMES and all(isinstance(each, str) for each in column) for name, column in value.items()
    )


def _are_records(value: dict[str, Any]) -> bool:
    """Whether an object contains several records by key: objects that share a name."""
    objects = list(value.values())
    return len(objects) > 1 and all(isinstance(o, dict) for o in objects) and bool(set.intersection(*map(set, objects)))


def _are_texts(value: dict[str, Any]) -> bool:
    """Whether an object contains texts, or lists of texts, by key.

    The keys differ only in their numbers, or the texts are too many for one record.
    """
    texts = all(isinstance(said, str) for some in value.values() for said in _several(some))
    texts = texts and _place(value) == len(tables.NAMES)
    many = sum(len(_several(some)) for some in value.values())
    return texts and len(value) > 1 and (len({re.sub(r"\d+", "#", key) for key in value}) == 1 or many > 50)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _longest_list(value: dict[str, Any]) -> Iterable[Fields]:
    """The records of an object's longest list with better texts than its own; else the object.

    An object is a record if it has a text; or a description or a title, and the records of its lists have no better.
    """
    lists = _better_lists(value) or _better_lists(value, deep=True)
    alike = _alike(lists)
    if len(alike) < 2:
        return map(_record, max(lists.values(), key=len, default=[value]))
    return ({"key": key, **_record(each)} for key, some in alike.items() for each in some)


def _alike(lists: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The longest of several lists of records, and those whose records have the same names."""
    names = max(lists.values(), key=len)[0].keys() if lists else ()
    return {key: some for key, some in lists.items() if some[0].keys() == names}


def _better_lists(value: Fields, *, deep: bool = False) -> dict[str, list[Any]]:
    own = _place(value)
    return {key: v for key, v in _lists(value, deep) if own >= OF_MANY and _best(v[0]) <= own}


def _lists(value: Fields, deep: bool) -> Iterator[tuple[str, list[Any]]]:
    """The lists of objects in an object, by name; with `deep`, those in its objects, too."""
    for key, inner in value.items():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield key, inner
        elif deep and isinstance(inner, dict):
            yield from ((f"{key}.{name}", some) for name, some in _lists(inner, deep))


def _whole(record: Fields) -> Iterator[Fields]:
    """The record, or the records in it, where only those have a text."""
    lists = [v for v in _better_lists(record).values() if _best(v[0]) < len(tables.NAMES)]
    if not lists:
        yield record
        return
    inner = max(lists, key=len)
    shared = {name: value for name, value in record.items() if not _is_nested(value)}
    for part in inner:
        yield from _whole({**shared, **_record(part)})


def _best(record: Any) -> int:
    """The best place of the texts in a record, or in the records of its lists."""
    if not isinstance(record, dict):
        return len(tables.NAMES)
    lists = [v for v in record.values() if isinstance(v, list) and v]
    return min([_place(record), *(_best(v[0]) for v in lists)])


def _place(record: Fields) -> int:
    """The place of its best text in `tables.NAMES`; their number where it has none."""
    texts = {name.lower() for name, value in record.items() if tables.said(value)}
    return next((place for place, name in enumerate(tables.NAMES) if name in texts), len(tables.NAMES))


def _record(value: Any) -> Fields:
    return value if isinstance(value, dict) else {"text": value}


def _is_nested(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _characters(value: Any) -> int:
    """The number of characters of all texts in a JSON value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 0
