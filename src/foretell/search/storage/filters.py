"""Conditions on metadata."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from foretell.errors import ForetellError
from foretell.search.entries import Value, text_of

Filter: TypeAlias = Mapping[str, Any]
"""`{"lang": "en"}`, `{"lang": ["en", "de"]}` for any of them, `{"lang": {"!=": ["en", "de"]}}` for none of them,
`{"year": {">=": 2020, "<": 2024}}`; all must hold."""

LONGEST = 200  # characters of a text that can be filtered by
MOST, MANY = 100, 10_000
"""The largest number of conditions of a filter, and of their values together."""
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_MANY = (list, tuple, set, frozenset)


def indexed(metadata: Mapping[str, Value], page: int | None) -> dict[str, Value]:
    """The fields of an entry that filters can use: its page, and its metadata without long texts."""
    fields = {"page": page} if page is not None else {}
    return fields | {key: v for key, v in metadata.items() if not isinstance(v, str) or len(v) <= LONGEST}


class Condition(NamedTuple):
    """A comparison of a field with a value; or with several values: equal to any of them, or to none of them."""

    field: str
    operator: str
    values: Sequence[Value]
    """At least one. Several are allowed with = and != only."""


def conditions(filter: Filter) -> list[Condition]:
    """A filter's conditions, all of which must hold.

    Numbers are compared with numbers, and texts with texts; true is 1. An entry without the field fulfils no condition,
    not even `!=`.

    Raises:
        ForetellError: the filter is empty, too large, or has another form.
    """
    if not isinstance(filter, Mapping):
        raise ForetellError(f"filter is {filter!r:.80}, expected a mapping such as {{'lang': 'en'}}")
    found: list[Condition] = []
    for key, asked in filter.items():
        if not isinstance(key, str):
            raise ForetellError(f"filter: field {key!r} is not a name")
        text_of("filter: a field", key)
        pairs: list[tuple[str, list[Any]]]
        if isinstance(asked, Mapping):
            pairs = [(o, list(v) if o == "!=" and isinstance(v, _MANY) else [v]) for o, v in asked.items()]
        elif isinstance(asked, str | int | float):
            pairs = [("=", [asked])]
        else:
            pairs = [("=", list(asked))] if isinstance(asked, _MANY) else []
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
    values = sum(len(each.values) for each in found)
    if len(found) > MOST or values > MANY:
        raise ForetellError(
            f"filter has {len(found):,} conditions and {values:,} values, expected at most {MOST} and {MANY:,}"
        )
    return found


def parse(texts: Sequence[str]) -> dict[str, dict[str, Any] | list[Value]]:
    """A filter from texts such as `lang=en`, `year>=2020`, `draft=false`. Several values of a field: any of them.

    A value that looks like a number or a truth may be a text. With = and != both are compared.

    Raises:
        ForetellError: a text has another form.
    """
    found: dict[str, dict[str, Any]] = {}
    equal: dict[str, list[Value]] = {}
    for text in texts:
        key, operator, value = (*re.split("(!=|<=|>=|<|>|=)", text, maxsplit=1), "", "")[:3]
        if not operator or not key:
            raise ForetellError(f"filter {text!r}: expected FIELD=VALUE, or another of {' '.join(OPERATORS)}")
        if operator == "=":
            equal.setdefault(key, []).extend(_meant(value))
        elif operator == "!=":
            found.setdefault(key, {}).setdefault(operator, []).extend(_meant(value))
        else:
            found.setdefault(key, {})[operator] = _meant(value)[0]
    for key in equal.keys() & found.keys():
        raise ForetellError(f"filter: {key} is compared with = and with another comparison; leave one out")
    return {**found, **equal}


def _meant(text: str) -> list[Value]:
    """A text as the number or truth that it may be, and as a text."""
    if text.lower() in ("true", "false"):
        return [text.lower() == "true", text]
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if -(2**63) <= number < 2**63 if kind is int else math.isfinite(number):
            return [number, text]
    return [text]


def _comparable(key: str, value: Any) -> None:
    if isinstance(value, str):
        text_of(f"filter: the text for {key}", value)
    if not isinstance(value, (str, int, float)) or value != value:
        raise ForetellError(f"filter: {key} is asked to be {value!r}, expected text, a number or truth")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ForetellError(f"filter: {key} is asked to be {value}, expected at most 64 bits")
    if isinstance(value, str) and len(value) > LONGEST:
        raise ForetellError(f"filter: the text for {key} has {len(value)} characters, expected at most {LONGEST}")
