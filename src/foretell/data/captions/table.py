"""A table beside pictures: `captions.csv`, `captions.tsv`, `captions.jsonl` or `captions.parquet`.

A row names a picture and says a caption, or several (a list, or columns `caption_0`, `caption_1`). Rows that name one
picture belong together. A column `split` divides the rows where it says train, and test or valid.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from foretell.data.folder import ENDINGS as PICTURES
from foretell.data.headings import delimited
from foretell.data.items import Item, Unusable
from foretell.data.source import Contents, File, Source, Splits, file_at, identity, named_splits, split_of
from foretell.errors import ForetellError

from .columns import caption_columns, file_column, texts
from .form import Told

NAMES = ("captions", "caption", "metadata", "results")
"""Of tables that are looked for in a folder; `metadata` is Hugging Face's."""
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


class _Entry(NamedTuple):
    file: str
    captions: list[Any]
    split: str | None
    row: int


def find(table: Path, files: list[File], root: Path) -> Splits:
    """The splits of a table.

    Args:
        table: its file.
        files: all files below `root`, where the pictures are.
        root: the folder.

    Raises:
        ForetellError: the table cannot be read, or has no column of captions, or none that names pictures.
    """
    entries = _entries(table)
    named = named_splits(entry.split for entry in entries)
    parts = {split: [e for e in entries if e.split == name] for split, name in named.items()} or {"all": entries}
    below = [file for file in files if file.path.lower().endswith(tuple(PICTURES))]
    return {
        split: Source(
            name=root.name if split == "all" else f"{root.name} ({named[split]})",
            identity=identity("caption table", table, file_at(table), split, below),
            # a picture without a row belongs to no split: it is told where all is one
            read=partial(_read, table, root, part, below if split == "all" else []),
        )
        for split, part in parts.items()
    }


def _read(table: Path, root: Path, entries: list[_Entry], below: list[File]) -> Contents:
    together: dict[str, _Entry] = {}
    for entry in entries:
        known = together.get(entry.file)
        together[entry.file] = known._replace(captions=known.captions + entry.captions) if known else entry
    known_files = {str(Path(name)) for name in together} | {Path(name).name for name in together}
    silent = [file.path for file in below if file.path not in known_files and Path(file.path).name not in known_files]
    return Contents(len(together) + len(silent), (), _items(table, root, together.values(), silent))


def _items(table: Path, root: Path, entries: Iterable[_Entry], silent: list[str]) -> Iterator[Item]:
    folders = (root, *(root / name for name in ("images", "Images", "photos", "img", "flickr30k-images")))

    def reader(entry: _Entry) -> Callable[[], tuple[Path, Told]]:
        def read() -> tuple[Path, Told]:
            if not entry.file:
                raise Unusable("names no picture")
            found = next((folder / entry.file for folder in folders if (folder / entry.file).is_file()), None)
            if found is None:
                raise Unusable(f"names {entry.file}, which is not there")
            return found, Told(texts(entry.captions))

        return read

    def nothing_said() -> tuple[Path, Told]:
        raise Unusable(f"has no caption: {table.name} does not name it")

    for entry in entries:
        yield Item(f"{table.name} row {entry.row}", reader(entry))
    for name in silent:
        yield Item(name, nothing_said)


def _entries(table: Path) -> list[_Entry]:
    names, rows = _rows(table)
    captions = caption_columns(table, names)
    file = file_column(table, [name for name in names if name not in captions])
    split = next((name for name in names if name.lower() == "split"), None)
    return [
        _Entry(
            str(row.get(file) or ""),
            [row.get(name) for name in captions],
            split_of(str(row[split])) if split and row.get(split) else None,
            number,
        )
        for number, row in enumerate(rows, 1)
    ]


def _rows(table: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """The names of the columns, and the rows."""
    kind = table.suffix.lower()
    try:
        if kind == ".parquet":
            return _parquet(table)
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ForetellError(f"{table}: byte {error.start} is no UTF-8; save the table as UTF-8") from None
    except OSError as error:
        raise ForetellError(f"{table}: cannot be read ({error.strerror})") from error
    return _jsonl(table, text) if kind == ".jsonl" else _csv(table, text, "\t" if kind == ".tsv" else ",")


def _csv(table: Path, text: str, delimiter: str) -> tuple[list[str], list[dict[str, Any]]]:
    csv.field_size_limit(sys.maxsize)
    hint = ", as its first line has: a caption with a comma needs quotes"
    names, rows = delimited(table, text.splitlines(keepends=True), delimiter, hint)
    return names, [dict(zip(names, row, strict=True)) for row in rows]


def _jsonl(table: Path, text: str) -> tuple[list[str], list[dict[str, Any]]]:
    names: dict[str, None] = {}
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ForetellError(f"{table}: line {number} is no JSON ({error}), expected a record a line") from None
        if not isinstance(row, dict):
            raise ForetellError(f"{table}: line {number} is {type(row).__name__}, expected a record a line: {{...}}")
        names |= dict.fromkeys(row)
        rows.append(row)
    return list(names), rows


def _parquet(table: Path) -> tuple[list[str], list[dict[str, Any]]]:
    from foretell.data.images.parquet import opened

    with opened(table) as file:
        return file.schema_arrow.names, file.read(use_threads=False).to_pylist()
