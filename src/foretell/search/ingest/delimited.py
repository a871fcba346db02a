"""CSV and its like: values divided by commas, semicolons, tabs or bars, the names of the columns in the first row."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from foretell.search.passage import Passage

from . import rows, text
from .block import Options, Report, Unusable

SAMPLE = 1000  # rows looked at to know which columns are numbers


def _truth(cell: str) -> bool:
    return cell.lower() == "true"


class Kind(NamedTuple):
    """How the values of a column look that are no text, and how they are read."""

    pattern: re.Pattern[str]
    read: Callable[[str], int | float | bool]


KINDS = (
    Kind(re.compile("true|false", re.IGNORECASE), _truth),
    Kind(re.compile(r"-?(?:0|[1-9]\d{0,17})"), int),  # "007" is a name
    Kind(re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?"), float),
)


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """A passage a row; see `rows`. Columns of numbers, or of true and false, are read as such.

    Raises Unusable: not text, no header, or broken quotes.
    """
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding=text.encoding(path), errors="replace", newline="") as file:
        header = file.readline()
        delimiter = max(",;\t|", key=header.count)
        file.seek(0)
        lines = csv.reader(file, delimiter=delimiter)
        try:
            names = [name.strip() or f"column {n}" for n, name in enumerate(next(lines, []), 1)]
            if not names:
                raise Unusable("no header")
            wrong: list[int] = []
            yield from rows.passages(_rows(lines, names, wrong), options, report)
        except csv.Error as error:
            raise Unusable(f"line {lines.line_num}: {error}") from None
    if wrong:
        report(f"{len(wrong):,} rows have more values than the header has names; the first is row {wrong[0]:,}")


def _rows(lines: Iterator[list[str]], names: list[str], wrong: list[int]) -> Iterator[rows.Row]:
    sample = list(islice(lines, SAMPLE))
    kinds = [_kind([line[n].strip() for line in sample if n < len(line)]) for n in range(len(names))]
    for number, line in enumerate(line for line in chain(sample, lines) if line):
        if len(line) > len(names):
            wrong.append(number)
            continue
        cells = zip(names, kinds, line, strict=False)
        yield number, {name: _value(cell, kind) for name, kind, cell in cells if cell.strip()}


def _kind(values: list[str]) -> Kind | None:
    """The first kind that all values of a column are of; None for text."""
    values = [value for value in values if value]
    return next((kind for kind in KINDS if values and all(map(kind.pattern.fullmatch, values))), None)


def _value(cell: str, kind: Kind | None) -> str | int | float | bool:
    bare = cell.strip()
    return kind.read(bare) if kind and kind.pattern.fullmatch(bare) else cell
