"""Feature vectors with labels and groups, from a table: `features.npz`, `features.parquet` or `features.csv`.

- `.npz`: an array `features` [N, D], and perhaps `labels` [N] and `groups` [N].
- `.parquet`, `.csv`: a row a vector. Columns `label` and `group` (or `labels`, `groups`) say what they say; all other
  columns are numbers, and a parquet column may hold lists of them.

Labels and groups are whole numbers from 0, or names. Rows that cannot be used (a number is missing or not finite, no
label, no group) are left out and listed in `skipped`. The whole table is in memory while it is read; afterwards it is a
memory map.

N rows · D numbers a vector
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from foretell.errors import ForetellError
from foretell.extras import needed

from .cache import Form, Stored
from .dataset import Records, Skipped
from .items import MISSING, Decoded, Item
from .source import Contents, Source, Splits, file_at, identity

ENDINGS = (".npz", ".parquet", ".csv")
VERSION = 1  # raise it when the same table gives other columns
LABELS, GROUPS = ("labels", "label"), ("groups", "group")


def vectors() -> Form[Records]:
    """Feature vectors, for the cache."""
    return Form(what="rows", kind=_records, key=f"vectors {VERSION}", decode=_decode)


def find(path: Path) -> Splits:
    """The one split of a table. Raises ForetellError where there is none."""
    if not path.is_file() or path.suffix.lower() not in ENDINGS:
        found = "not found" if not path.exists() else "not a file" if not path.is_file() else "not a table"
        raise ForetellError(f"{path}: {found}, expected a table that ends in {', '.join(ENDINGS)}")
    named = identity("vectors", path, file_at(path))
    return {"all": Source(path.stem, named, partial(_read, path))}


def _records(stored: Stored) -> Records:
    return Records(
        stored.columns, stored.labels, stored.classes, stored.skipped, stored.fingerprint, names=stored.names
    )


def _read(path: Path) -> Contents:
    try:
        table = {".npz": _npz, ".parquet": _parquet, ".csv": _csv}[path.suffix.lower()](path)
    except ForetellError:
        raise
    except Exception as error:  # readers raise whatever their parsing stumbles over
        raise ForetellError(f"{path}: cannot be read as a table ({error}), expected a whole file") from error
    labels, groups = (next((table.pop(n) for n in names if n in table), None) for names in (LABELS, GROUPS))
    features = _features(path, table)
    columns: dict[str, np.ndarray] = {"features": features}
    names = {}
    for name, values in (("labels", labels), ("groups", groups)):
        if values is not None:
            columns[name], names[name] = _numbered(path, name, values, len(features))
    items = [Item(path.name, lambda: (columns, None))]
    return Contents(len(features), names.pop("labels", ()), items, names)


def _features(path: Path, table: dict[str, Any]) -> np.ndarray:
    """float32 [N, D]: all columns side by side; NaN where there is no number."""
    if not table:
        raise ForetellError(f"{path}: holds no column of features, expected numbers, beside labels and groups")
    parts = []
    for name, values in table.items():
        try:
            part = np.array(values, np.float32)
        except (TypeError, ValueError):
            raise ForetellError(f"{path}: column {name!r} holds other things than numbers: leave it out") from None
        if part.ndim not in (1, 2):
            raise ForetellError(f"{path}: {name!r} is {list(part.shape)}, expected [N] or [N, D]")
        parts.append(part.reshape(len(part), -1))
    if len({len(part) for part in parts}) > 1:
        lengths = ", ".join(f"{name}: {len(part)}" for name, part in zip(table, parts, strict=True))
        raise ForetellError(f"{path}: columns differ in length ({lengths}), expected one row for each vector")
    return np.concatenate(parts, 1)


def _numbered(path: Path, name: str, values: Any, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels or groups as int64 [N], with `MISSING` where there is none, and their names."""
    found = [None if value is None or value != value or value == "" else value for value in np.asarray(values).tolist()]
    if len(found) != count:
        raise ForetellError(f"{path}: {len(found)} {name} for {count} vectors, expected one for each")
    known = [value for value in found if value is not None]
    if all(str(value).isdecimal() for value in known):
        whole = [MISSING if value is None else int(value) for value in found]
        return np.array(whole, np.int64), tuple(map(str, range(max(whole, default=-1) + 1)))
    if not all(isinstance(value, str) for value in known):
        raise ForetellError(f"{path}: {name} are {known[0]!r} and the like, expected whole numbers from 0, or names")
    names = tuple(sorted(set(known)))
    number = {value: place for place, value in enumerate(names)}
    return np.array([MISSING if value is None else number[value] for value in found], np.int64), names


def _decode(items: Iterable[Item]) -> Generator[Decoded, None, None]:
    for item in items:
        columns: dict[str, np.ndarray] = item.read()[0]
        features = columns["features"]
        bad = ~np.isfinite(features).all(1)
        skipped = [Skipped(f"row {row}", "a number is missing or not finite") for row in np.flatnonzero(bad).tolist()]
        for name in ("labels", "groups"):
            if name in columns:
                missing = (columns[name] == MISSING) & ~bad
                bad |= missing
                skipped += [Skipped(f"row {row}", f"its {name[:-1]} is missing") for row in np.flatnonzero(missing)]
        kept = {} if bad.all() else {name: column[~bad] for name, column in columns.items()}
        yield Decoded(kept, skipped, len(features))


def _npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        known = ("features", *LABELS, *GROUPS)
        if "features" not in file.files:
            raise ForetellError(f"{path}: holds {', '.join(file.files) or 'nothing'}, expected an array 'features'")
        return {name: file[name] for name in file.files if name in known}


def _parquet(path: Path) -> dict[str, Any]:
    needed("pyarrow", "reading Parquet")
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pydict()


def _csv(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        heading, *rows = [row for row in csv.reader(file) if row] or [[]]
    for number, row in enumerate(rows, 1):
        if len(row) != len(heading):
            raise ForetellError(f"{path}: row {number} has {len(row)} fields, expected {len(heading)}")
    columns = {name.strip(): [row[place] for row in rows] for place, name in enumerate(heading)}
    return {name: values if name in (*LABELS, *GROUPS) else _numbers(values) for name, values in columns.items()}


def _numbers(values: list[str]) -> list[Any]:
    return [value.strip() or "nan" for value in values]
