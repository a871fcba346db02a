"""Conditions on metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

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


class Condition(NamedTuple):
    """A field that must stand in some relation to a value; to any of several where the relation is equality."""

    field: str
    operator: str
    values: Sequence[Value]
    """At least one; all of one kind unless there are several."""


def conditions(filter: Filter) -> list[Condition]:
    """A filter's conditions, all of which must hold.

    Numbers are compared with numbers and texts with texts; true is 1. An entry without the field fulfils nothing,
    not even `!=`.

    Raises:
        ForetellError: the filter is empty, or of another form.
    """
    found: list[Condition] = []
    for key, asked in filter.items():
        if not isinstance(key, str):
            raise ForetellError(f"filter: field {key!r} is not a name")
        pairs: list[tuple[str, list[Any]]]
        if isinstance(asked, Mapping):
            pairs = [(operator, [value]) for operator, value in asked.items()]
        elif isinstance(asked, str | int | float):
            pairs = [("=", [asked])]
        else:
            pairs = [("=", list(asked))] if isinstance(asked, (list, tuple, set, frozenset)) else []
        for operator, values in pairs or [("", [])]:
            if operator not in OPERATORS or not values:
                raise ForetellError(
                    f"filter: {key} is {asked!r:.80}, expected a value, a list of them, "
                    f"or conditions by {' '.join(OPERATORS)}"
                )
            for value in values:
                _comparable(key, value)
            found.append(Condition(key, operator, values))
    if not found:
        raise ForetellError("filter is empty: leave it out, or name a field")
    return found


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


def _comparable(key: str, value: Any) -> None:
    if not isinstance(value, (str, int, float)) or value != value:
        raise ForetellError(f"filter: {key} is asked to be {value!r}, expected text, a number or truth")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ForetellError(f"filter: {key} is asked to be {value}, expected at most 64 bits")
    if isinstance(value, str) and len(value) > LONGEST:
        raise ForetellError(f"filter: the text for {key} has {len(value)} characters, expected at most {LONGEST}")
