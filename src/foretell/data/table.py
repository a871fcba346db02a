"""Feature vectors with labels and groups, from a table: `features.npz`, `.npy`, `.parquet` or `.csv`.

- `.npz`: an array `features` [N, D], and perhaps `labels` [N] and `groups` [N].
- `.npy`: an array [N, D], read piece by piece; `labels.npy` and `groups.npy` beside it, or other names that were asked
  for. The whole is never in memory.
- `.parquet`, `.csv`: a row a vector. Columns `label` and `group` (or `labels`, `groups`) say what they say; all other
  columns are numbers, and a parquet column may hold lists of them. A column `file` with names is left out.

Other columns can be asked for as the label or the group. Labels and groups are whole numbers from 0, or names. Rows
that cannot be used (a number is missing or not finite, no label, no group) are left out and listed in `skipped`. Other
tables than `.npy` are in memory while they are read; afterwards they are memory maps.

N rows · D numbers a vector
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from foretell.errors import ForetellError
from foretell.extras import needed

from .cache import Form, Stored
from .dataset import Records, Skipped
from .headings import FILES, delimited, heading
from .items import MISSING, Decoded, Item
from .source import Contents, Source, Splits, file_at, identity

ENDINGS = (".npz", ".npy", ".parquet", ".csv")
VERSION = 1  # raise it when the same table gives other columns
LABELS, GROUPS = ("labels", "label"), ("groups", "group")
PIECE = 1 << 16
"""Rows that are looked at and written at a time."""


def vectors() -> Form[Records]:
    """Feature vectors, for the cache."""
    return Form(what="rows", kind=_records, key=f"vectors {VERSION}", decode=_decode)


def find(path: Path, label: str | None = None, group: str | None = None) -> Splits:
    """The one split of a table. Raises ForetellError where there is none.

    Args:
        path: of the table.
        label: the column of labels; None for `labels` or `label`.
        group: the column of groups; None for `groups` or `group`.
    """
    if not path.is_file() or path.suffix.lower() not in ENDINGS:
        found = "not found" if not path.exists() else "not a file" if not path.is_file() else "not a table"
        raise ForetellError(f"{path}: {found}, expected a table that ends in {', '.join(ENDINGS)}")
    beside = [file_at(each) for each in _beside(path).values()] if path.suffix.lower() == ".npy" else []
    asked = [label, group] if label or group else []
    named = identity("vectors", path, file_at(path), *beside, *asked)
    return {"all": Source(path.stem, named, partial(_read, path, label, group))}


def _beside(path: Path) -> dict[str, Path]:
    """Other arrays in the folder of an .npy file, by name."""
    return {each.stem: each for each in sorted(path.parent.glob("*.npy")) if each != path}


def _records(stored: Stored) -> Records:
    return Records(
        stored.columns, stored.labels, stored.classes, stored.skipped, stored.fingerprint, names=stored.names
    )


def _read(path: Path, label: str | None, group: str | None) -> Contents:
    try:
        read = {".npz": _npz, ".npy": _npy, ".parquet": _parquet, ".csv": _csv}[path.suffix.lower()]
        table = read(path, [name for name in (label, group) if name])
    except ForetellError:
        raise
    except Exception as error:  # readers raise whatever their parsing stumbles over
        raise ForetellError(f"{path}: cannot be read as a table ({error}), expected a whole file") from error
    of = {
        "labels": heading(path, list(table), label, LABELS, "label"),
        "groups": heading(path, list(table), group, GROUPS, "group"),
    }
    told = {name: table[column] for name, column in of.items() if column is not None}
    rest = {name: values for name, values in table.items() if name not in of.values() and not _named(name, values)}
    features = _features(path, rest)
    columns: dict[str, np.ndarray] = {"features": features}
    names = {}
    for name, values in told.items():
        columns[name], names[name] = _numbered(path, name, values, len(features))
    items = [Item(path.name, lambda: (columns, None))]
    return Contents(len(features), names.pop("labels", ()), items, names)


def _named(name: str, values: Any) -> bool:
    """Whether a column names the file of each row, and is no feature."""
    return name.lower() in FILES and len(values) > 0 and isinstance(values[0], str)


def _features(path: Path, table: dict[str, Any]) -> np.ndarray:
    """float32 [N, D]: all columns side by side; NaN where there is no number."""
    if not table:
        raise ForetellError(f"{path}: holds no column of features, expected numbers, beside labels and groups")
    if len(table) == 1 and isinstance(whole := next(iter(table.values())), np.memmap) and whole.ndim == 2:
        return whole  # looked at piece by piece
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
    if len(values) != count:
        raise ForetellError(f"{path}: {len(values)} {name} for {count} vectors, expected one for each")
    if (
        isinstance(values, np.ndarray)
        and values.dtype.kind in "iu"
        and values.ndim == 1
        and count
        and values.min() >= 0
    ):
        return values.astype(np.int64), tuple(map(str, range(int(values.max()) + 1)))
    found = [None if value is None or value != value or value == "" else value for value in np.asarray(values).tolist()]
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
        for first in range(0, len(columns["features"]), PIECE):
            yield _piece({name: column[first : first + PIECE] for name, column in columns.items()}, first)


def _piece(columns: dict[str, np.ndarray], first: int) -> Decoded:
    """Some rows, the first of which has a number; without those that cannot be used."""
    columns["features"] = features = np.asarray(columns["features"], np.float32)
    bad = ~np.isfinite(features).all(1)
    skipped = [Skipped(f"row {first + row}", "a number is missing or not finite") for row in np.flatnonzero(bad)]
    for name in ("labels", "groups"):
        if name in columns:
            missing = (columns[name] == MISSING) & ~bad
            bad |= missing
            skipped += [Skipped(f"row {first + row}", f"its {name[:-1]} is missing") for row in np.flatnonzero(missing)]
    kept = {} if bad.all() else {name: column[~bad] for name, column in columns.items()}
    return Decoded(kept, skipped, len(features))


def _npz(path: Path, asked: list[str]) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        known = ("features", *LABELS, *GROUPS, *asked)
        if "features" not in file.files:
            raise ForetellError(f"{path}: holds {', '.join(file.files) or 'nothing'}, expected an array 'features'")
        return {name: file[name] for name in file.files if name in known}


def _npy(path: Path, asked: list[str]) -> dict[str, Any]:
    features = np.load(path, mmap_mode="r", allow_pickle=False)
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        found = f"{features.dtype.name} {list(features.shape)}"
        raise ForetellError(f"{path}: holds {found}, expected numbers [N, D]")
    known = (*LABELS, *GROUPS, *asked)
    return {"features": features} | {
        name: np.load(each, allow_pickle=False) for name, each in _beside(path).items() if name in known
    }


def _parquet(path: Path, asked: list[str]) -> dict[str, Any]:
    needed("pyarrow", "reading Parquet")
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pydict()


def _csv(path: Path, asked: list[str]) -> dict[str, Any]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names, rows = delimited(path, file)
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    known = (*LABELS, *GROUPS, *asked)
    return {name: values if name in known else _numbers(values) for name, values in columns.items()}


def _numbers(values: list[str]) -> list[Any]:
    return [value.strip() or "nan" for value in values]
