"""Conditions on metadata, as SQL over the table of fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from foretell.errors import ForetellError

Value: TypeAlias = str | int | float | bool
Filter: TypeAlias = Mapping[str, Any]
"""`{"lang": "en"}`, `{"lang": ["en", "de"]}` for any of them, `{"year": {">=": 2020, "<": 2024}}`; all must hold."""

LONGEST = 200  # characters of a text that can be filtered by
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")


def indexed(metadata: Mapping[str, Value], page: int | None) -> dict[str, Value]:
    """The fields of an entry that filters look at: its metadata but for long texts, and its page."""
    fields = {"page": page} if page is not None else {}
    return fields | {key: v for key, v in metadata.items() if not isinstance(v, str) or len(v) <= LONGEST}


def where(filter: Filter, number: int) -> tuple[str, list[Value]]:
    """A query for the ids of a collection's entries that fulfil a filter, and its parameters.

    Numbers are compared with numbers and texts with texts; true is 1. An entry without the field fulfils nothing,
    not even `!=`.

    Raises:
        ForetellError: the filter is empty, or of another form.
    """
    queries: list[str] = []
    parameters: list[Value] = []
    for key, asked in filter.items():
        if not isinstance(key, str):
            raise ForetellError(f"filter: field {key!r} is not a name")
        conditions: list[tuple[str, list[Any]]]
        if isinstance(asked, Mapping):
            conditions = [(operator, [value]) for operator, value in asked.items()]
        elif isinstance(asked, str | int | float):
            conditions = [("=", [asked])]
        else:
            conditions = [("=", list(asked))] if isinstance(asked, (list, tuple, set, frozenset)) else []
        for operator, values in conditions or [("", [])]:
            if operator not in OPERATORS or not values:
                raise ForetellError(
                    f"filter: {key} is {asked!r:.80}, expected a value, a list of them, "
                    f"or conditions by {' '.join(OPERATORS)}"
                )
            test = f"value {operator} ?" if len(values) == 1 else f"value IN ({', '.join('?' * len(values))})"
            queries.append(f"SELECT id FROM field_{number} WHERE key = ? AND {test} AND {_type(key, values)}")
            parameters += [key, *values]
    if not queries:
        raise ForetellError("filter is empty: leave it out, or name a field")
    return " INTERSECT ".join(queries), parameters


def parse(texts: Sequence[str]) -> dict[str, dict[str, Value] | list[Value]]:
    """A filter from words such as `lang=en`, `year>=2020`, `draft=false`; several values of one field mean any.

    Raises:
        ForetellError: a word is of another form.
    """
    found: dict[str, dict[str, Value]] = {}
    equal: dict[str, list[Value]] = {}
    for text in texts:
        operator = next((o for o in ("!=", "<=", ">=", "<", ">", "=") if o in text), None)
        key, _, value = text.partition(operator) if operator else (text, "", "")
        if not operator or not key:
            raise ForetellError(f"filter {text!r}: expected FIELD=VALUE, or another of {' '.join(OPERATORS)}")
        if operator == "=":
            equal.setdefault(key, []).append(_value(value))
        else:
            found.setdefault(key, {})[operator] = _value(value)
    for key in equal.keys() & found.keys():
        raise ForetellError(f"filter: {key} is asked for with = and with another comparison; leave one out")
    return {**found, **equal}


def _value(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _type(key: str, values: Sequence[Any]) -> str:
    for value in values:
        if not isinstance(value, (str, int, float)) or value != value:
            raise ForetellError(f"filter: {key} is asked to be {value!r}, expected text, a number or truth")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ForetellError(f"filter: {key} is asked to be {value}, expected at most 64 bits")
        if isinstance(value, str) and len(value) > LONGEST:
            raise ForetellError(f"filter: the text for {key} has {len(value)} characters, expected at most {LONGEST}")
    if len(values) > 1:  # `=` of another type is not equal anyway
        return "1"
    return "typeof(value) = 'text'" if isinstance(values[0], str) else "typeof(value) IN ('integer', 'real')"
