"""Read CSV and similar files: commas, semicolons, tabs or bars divide values; the first row names the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from foretell.search.passage import Passage

from . import tables, text
from .block import Empty, Options, Report, Unreadable
from .scalars import kind, value

SAMPLE = 1000  # rows that decide which columns are numbers
HEADER = 1 << 16  # characters that decide the delimiter

_SAID = re.compile(r'sep=([^\w\s"]|\t)\s*')
_QUOTED = re.compile('"[^"]*"')
_NONE = "\x1f"  # divides nothing: a single column, of whole lines


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """One passage for each row; see `tables`. Columns of numbers, or of truths, are read as such.

    Raises Unreadable: the file is not text, or has no header, or broken quotes.
    """
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding=text.encoding(path), errors="replace", newline="") as file:
        lines = csv.reader(file, delimiter=_delimiter(file, tabs=path.suffix.lower() == ".tsv"))
        try:
            names = tables.distinct(name.strip() or f"column {n}" for n, name in enumerate(next(lines, []), 1))
            if not names:
                raise Empty("no header")
            yield from tables.passages(_rows(lines, names, report), options, report)
        except csv.Error as error:
            raise Unreadable(f"line {lines.line_num}: {error}") from None


def _delimiter(file: TextIO, tabs: bool) -> str:
    """The delimiter that the first line names, as Excel's files do, or else the most frequent one in the header.

    Delimiters in quotes do not count. Leaves the file at its header. tabs: prefer a tab where the header has one.
    """
    if said := _SAID.fullmatch(file.readline()):
        return said[1]
    file.seek(0)
    header = re.split(r"[\r\n]", _QUOTED.sub("", file.read(HEADER)), maxsplit=1)[0]
    file.seek(0)
    return "\t" if tabs and "\t" in header else max(f"{_NONE},;\t|", key=header.count)


def _rows(lines: Iterator[list[str]], names: list[str], report: Report) -> Iterator[tables.TableRow]:
    sample = list(islice(lines, SAMPLE))
    kinds = [kind(line[n].strip() for line in sample if n < len(line)) for n in range(len(names))]
    wrong: list[int] = []
    for number, line in enumerate(line for line in chain(sample, lines) if line):
        if len(line) > len(names):
            wrong.append(number)
            continue
        cells = zip(names, kinds, line, strict=False)
        yield number, {name: value(cell, kind) for name, kind, cell in cells if cell.strip()}
    if wrong:
        report(f"{len(wrong):,} rows have more values than the header has names; the first is row {wrong[0]:,}")
