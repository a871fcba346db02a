"""Read CSV and similar files: commas, semicolons, tabs or bars divide values; the first whole row names the columns."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from foretell.search.passage import Passage

from . import tables, text
from .block import Empty, Options, Report
from .scalars import kind, value

SAMPLE = 1000  # lines that decide the delimiter, and rows that decide which columns are numbers
LONGEST = 8 << 20  # characters of a value in quotes; where no quote follows by then, the first one is a letter

DELIMITERS = ",;\t|"
_NONE = "\x1f"  # divides nothing: a single column of whole lines
_SAID = re.compile(r'sep=([^\w\s"]|\t)\s*')
_COMMENT = re.compile(r"#(?:#|\s|$)")  # "#id" is the name of a column


class _Row(NamedTuple):
    """A row of the file.

    line: where it begins, counted from 1.
    comment: whether it begins as a comment does.
    open: whether a quote in it is never closed.
    """

    line: int
    cells: list[str]
    comment: bool
    open: bool


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """One passage for each row; see `tables`. Columns of numbers, or of truths, are read as such.

    Lines before the header, comments, rows with too many values and unclosed quotes are reported with their lines.
    Raises Unreadable: the file is not text, or has no header.
    """
    csv.field_size_limit(2**31 - 1)
    with text.opened(path, report, newline="") as file:
        sample = list(islice(file, SAMPLE))
        lines = _Lines(sample, file)
        if sample and (said := _SAID.fullmatch(sample[0])):  # Excel's files may name the delimiter
            delimiter = said[1]
            lines.take(1)
        else:
            delimiter = _delimiter(sample, tabs=path.suffix.lower() == ".tsv")
        names = _header(lines, delimiter, _usual(_cells(lines.ahead, delimiter)), report)
        yield from tables.passages(_values(_rows(lines, delimiter, len(names)), names, report), options, report)


class _Lines:
    """The lines of a file. Lines ahead can be seen before they are taken."""

    def __init__(self, first: Iterable[str], rest: Iterable[str] = ()) -> None:
        self.ahead, self.rest, self.taken = deque(first), iter(rest), 0
        self.last: list[str] = []

    def see(self, number: int) -> str | None:
        """A line ahead, counted from 0; None after the end."""
        while len(self.ahead) <= number:
            if (line := next(self.rest, None)) is None:
                return None
            self.ahead.append(line)
        return self.ahead[number]

    def take(self, number: int) -> None:
        self.last = [self.ahead.popleft() for _ in range(number)]
        self.taken += number

    def put_back(self) -> None:
        """Undo the last `take`."""
        self.ahead.extendleft(reversed(self.last))
        self.taken -= len(self.last)


def _delimiter(sample: list[str], tabs: bool) -> str:
    """The delimiter by which most rows have the same number of values.

    A delimiter in the first row comes before others: a comma in each sentence of a single column divides nothing. Of
    equal ones, one that spaces do not follow is chosen, as commas inside values have them; then the one that makes more
    values; for `tabs`, the tab.
    """
    best, chosen = (False, 0.0, False, False, 0), _NONE
    for delimiter in DELIMITERS:
        rows = _cells(sample, delimiter)
        width = _usual(rows)
        if width < 2:
            continue
        first = len(rows[0]) >= width
        spaces = sum(cell.startswith(" ") for cells in rows for cell in cells[1:])
        spaced = 2 * spaces > sum(len(cells) - 1 for cells in rows)
        if not first and (rows[0][0].strip().lower() in tables.NAMES or spaced):
            continue
        agreeing = sum(len(cells) == width for cells in rows) / len(rows)
        score = first, agreeing, tabs and delimiter == "\t", not spaced, width
        if score > best:
            best, chosen = score, delimiter
    return chosen


def _cells(sample: Iterable[str], delimiter: str) -> list[list[str]]:
    return [row.cells for row in _rows(_Lines(sample), delimiter) if not row.comment]


def _usual(rows: list[list[str]]) -> int:
    """The number of values that most rows have; 0 without rows."""
    widths = Counter(map(len, rows))
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _header(lines: _Lines, delimiter: str, width: int, report: Report) -> list[str]:
    """The names of the columns: the first row with the usual number of values. Rows before it are reported.

    Where that row contains numbers, the row or comment before it names the columns. A row is a title if only its first
    value is not empty, or if it contains numbers, and an empty line and a row of names follow.
    """
    found: list[_Row] = []
    for row in _rows(lines, delimiter):
        found.append(row)
        title = width > 1 and not any(cell.strip() for cell in row.cells[1:])
        if len(row.cells) >= width and not row.comment and not title and not _above(row, lines, delimiter, width):
            break
    else:
        raise Empty("no header")
    *before, header = found
    if before and len(before[-1].cells) > 1 and _numbers(header.cells):
        lines.put_back()
        header = before.pop()
    if before:
        first = delimiter.join(before[0].cells).strip()
        report(f"{len(before):,} lines before the header were left out; the first is {first[:60]!r}")
    names = [_COMMENT.sub("", header.cells[0], count=1), *header.cells[1:]]
    return tables.distinct(name.strip() or f"column {n}" for n, name in enumerate(names, 1))


def _above(row: _Row, lines: _Lines, delimiter: str, width: int) -> bool:
    """Whether a row with numbers stands above a table, from whose names an empty line divides it."""
    if not _numbers(row.cells) or not (lines.see(0) or "x").isspace():
        return False
    number = 1
    while (line := lines.see(number)) is not None and line.isspace():
        number += 1
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True)) if line else []
    return len(cells) >= width and all(cell.strip() for cell in cells) and not _numbers(cells)


def _numbers(cells: list[str]) -> bool:
    return any(kind([cell.strip()]) for cell in cells)


def _rows(lines: _Lines, delimiter: str, width: int | None = None) -> Iterator[_Row]:
    """The rows of a file, without empty lines. width: how many values a row has; None where that is not known yet."""
    while (line := lines.see(0)) is not None:
        if line.isspace():
            lines.take(1)
            continue
        number = lines.taken + 1
        cells, taken = (
            (line.rstrip("\r\n").split(delimiter), 1) if '"' not in line else _quoted(lines, delimiter, width)
        )
        lines.take(taken or 1)
        yield _Row(number, cells, bool(_COMMENT.match(line)), open=not taken)


def _quoted(lines: _Lines, delimiter: str, width: int | None) -> tuple[list[str], int]:
    """The values of a row that contains quotes, and the number of its lines. 0 lines: a quote is never closed.

    Two quotes, or a backslash and a quote, are a quote inside a value. A quote is a letter where it does not close, or
    where it closes so late that whole rows lie in between.
    """
    for escape in (None, "\\"):
        found = _parsed(lines, delimiter, escape)
        if found and _escapes(lines, found[1], escape) and _fits(*found, lines, delimiter, width):
            return found
    line = lines.ahead[0]
    loose = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))  # "a"b is ab
    if len(loose) == width and line.count('"') % 2 == 0:
        return [cell.rstrip("\r\n") for cell in loose], 1
    return line.rstrip("\r\n").split(delimiter), 0


def _parsed(lines: _Lines, delimiter: str, escape: str | None) -> tuple[list[str], int] | None:
    """The values of the next row by the rules of quotes, and the number of its lines; None where they do not hold."""
    used = 0

    def ahead() -> Iterator[str]:
        nonlocal used
        size = 0
        while size <= LONGEST and (line := lines.see(used)) is not None:
            used, size = used + 1, size + len(line)
            yield line

    rules = {"doublequote": escape is None, "escapechar": escape, "skipinitialspace": True, "strict": True}
    try:
        return next(csv.reader(ahead(), delimiter=delimiter, **rules)), used
    except csv.Error:
        return None


def _escapes(lines: _Lines, used: int, escape: str | None) -> bool:
    """Whether an escape is used before a quote in these lines. Without one, csv lets letters follow a closing quote."""
    return escape is None or any(f'{escape}"' in lines.ahead[n] for n in range(used))


def _fits(cells: list[str], used: int, lines: _Lines, delimiter: str, width: int | None) -> bool:
    if width is None or used == 1:
        return True
    between = [lines.ahead[n] for n in range(1, used - 1)]
    swallowed = width > 1 and between and all(line.count(delimiter) == width - 1 for line in between)
    return len(cells) == width and not swallowed


def _values(rows: Iterator[_Row], names: list[str], report: Report) -> Iterator[tables.TableRow]:
    """The values of each row by name. Values without a name, other than empty ones, make a row unusable."""
    comments: list[int] = []

    def without_comments() -> Iterator[_Row]:
        for row in rows:
            if row.comment and len(row.cells) < len(names):
                comments.append(row.line)
            else:
                yield row

    rows_left = without_comments()
    sample = list(islice(rows_left, SAMPLE))
    kinds = [kind(row.cells[n].strip() for row in sample if n < len(row.cells)) for n in range(len(names))]
    wide: list[int] = []
    unclosed: list[int] = []
    for number, row in enumerate(chain(sample, rows_left)):
        if any(cell.strip() for cell in row.cells[len(names) :]):
            wide.append(row.line)
            continue
        if row.open:
            unclosed.append(row.line)
        cells = zip(names, kinds, row.cells, strict=False)
        yield number, {name: value(cell, kind) for name, kind, cell in cells if cell.strip()}
    for lines, what in (
        (comments, "rows are comments, and were left out"),
        (wide, "rows have more values than the header has names"),
        (unclosed, "rows have a quote that is never closed, read as a letter"),
    ):
        if lines:
            report(f"{len(lines):,} {what}; the first is on line {lines[0]:,}")
