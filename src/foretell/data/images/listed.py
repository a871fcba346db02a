"""Photographs that a table lists: a row has the path of a file, its class, and perhaps its group and its split.

    path,label,group                      # any .csv or .parquet, beside the files
    img_filename,y,split,place            # metadata.csv of Waterbirds
    image_id Blond_Hair Male …            # list_attr_celeba.txt of CelebA

Splits are named, or numbered as in Waterbirds and CelebA: 0 to learn from, 1 to validate, 2 to test on. Rows for
validation are left out where there are rows to test on: `foretell discover` holds rows back by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from foretell.data.headings import FILES, GROUPS, LABELS, SPLITS, delimited, heading
from foretell.data.items import Case, Item, Unusable
from foretell.data.source import Contents, Source, Splits, file_at, identity, named_splits, split_of
from foretell.errors import ForetellError
from foretell.extras import needed

NUMBERED = {"0": "train", "1": "valid", "2": "test"}
"""Splits as Waterbirds and CelebA number them."""


class ListedRow(NamedTuple):
    """A photograph, by its path below a root."""

    path: str
    label: str | None
    group: str | None = None
    split: str | None = None


class Listing(NamedTuple):
    """A table's heading and rows."""

    columns: list[str]
    rows: Sequence[Sequence[Any]]


def read(path: Path) -> Listing:
    """A .csv, .tsv or .parquet table. Raises ForetellError where it cannot be read."""
    try:
        if path.suffix.lower() == ".parquet":
            found = needed("pyarrow.parquet", "reading Parquet").read_table(path)
            return Listing(found.column_names, [*zip(*found.to_pydict().values(), strict=True)])
        with path.open(encoding="utf-8-sig", newline="") as file:
            heads, rows = delimited(path, file, "\t" if path.suffix == ".tsv" else ",")
        if not heads:
            raise ValueError("it is empty")
        return Listing(heads, rows)
    except ForetellError:
        raise
    except Exception as error:  # readers raise whatever their parsing stumbles over
        raise ForetellError(f"{path}: cannot be read as a table ({error}), expected a heading and rows") from error


def find(path: Path, label: str | None, group: str | None) -> Splits:
    """The splits of a table of paths, which begin at the table's own folder.

    Raises:
        ForetellError: a column is missing: of paths, of labels, or one that was asked for.
    """
    columns, rows = read(path)
    files = heading(path, columns, None, FILES)
    labels = heading(path, columns, label, LABELS, "label")
    groups = heading(path, columns, group, [name for name in GROUPS if name != labels], "group")
    split = heading(path, columns, None, SPLITS)
    if files is None or labels is None:
        lacking = "paths of pictures" if files is None else "labels"
        usual = FILES if files is None else LABELS
        raise ForetellError(
            f"{path}: no column of {lacking} among {', '.join(columns)}, expected one of {', '.join(usual[:6])}"
            f"{', or name it by --label' if files else ''}"
        )
    of = {name: columns.index(name) for name in (files, labels, groups, split) if name is not None}
    waterbirds = {files, labels, groups} == {"img_filename", "y", "place"}
    found = [
        ListedRow(
            str(row[of[files]]),
            _text(row[of[labels]], ("landbird", "waterbird") if waterbirds else ()),
            _text(row[of[groups]], ("land", "water") if waterbirds else ()) if groups else None,
            _split(row[of[split]]) if split else None,
        )
        for row in rows
    ]
    return splits(path.parent, path.parent.name, found, identity(file_at(path), path, labels, groups))


def _text(value: Any, names: Sequence[str] = ()) -> str | None:
    if value is None or value == "" or value != value:
        return None
    text = (
        str(int(value)) if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()) else str(value)
    )
    return names[int(text)] if text.isdecimal() and int(text) < len(names) else text


def _split(value: Any) -> str | None:
    text = _text(value) or ""
    return NUMBERED.get(text, split_of(text))


def splits(root: Path, name: str, rows: Sequence[ListedRow], known: str) -> Splits:
    """Rows as splits.

    Args:
        root: paths begin here.
        name: in messages.
        rows: at least one.
        known: identifies the table.

    Raises:
        ForetellError: there are no rows.
    """
    if not rows:
        raise ForetellError(f"{root}: lists no picture, expected a row for each")
    classes, groups = (_names(getattr(row, column) for row in rows) for column in ("label", "group"))
    named = named_splits({row.split for row in rows})
    parts = {split: [row for row in rows if row.split == said] for split, said in named.items()} or {"all": list(rows)}
    return {
        split: Source(
            name=name if split == "all" else f"{name} ({split})",
            identity=identity("listed", root, split, known, *classes, *groups, [_state(root, row) for row in part]),
            read=partial(_read, root, part, classes, groups),
        )
        for split, part in parts.items()
    }


def _names(values: Iterator[str | None]) -> tuple[str, ...]:
    found = {value for value in values if value is not None}
    return tuple(sorted(found, key=lambda name: (0, int(name), "") if name.isdecimal() else (1, 0, name)))


def _state(root: Path, row: ListedRow) -> str:
    try:
        info = (root / row.path).stat()
    except OSError:
        return f"{row} missing"
    return f"{row} {info.st_size} {info.st_mtime_ns}"


def _read(root: Path, rows: list[ListedRow], classes: tuple[str, ...], groups: tuple[str, ...]) -> Contents:
    number, group = ({name: k for k, name in enumerate(names)} for names in (classes, groups))

    def reader(row: ListedRow) -> Callable[[], tuple[Path, Case]]:
        def picture() -> tuple[Path, Case]:
            if row.label is None:
                raise Unusable("its label is missing")
            return root / row.path, Case(number[row.label], group[row.group] if row.group is not None else None)

        return picture

    items = (Item(row.path, reader(row)) for row in rows)
    return Contents(len(rows), classes, items, {"groups": groups} if groups else {})
