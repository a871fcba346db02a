"""A list of videos, `path label` a line, as V-JEPA and the Kinetics lists have it: separated by a space, tab or comma.

Paths are absolute, relative to the working folder, or relative to the list's folder; they may contain spaces. Without
labels it is `path` a line.
"""

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

from foretell.data.items import Item
from foretell.data.source import Contents, Source, Splits, identity
from foretell.errors import ForetellError

from .decode import ENDINGS

LISTS = {".csv", ".tsv", ".txt"}
HEADINGS = {"path", "video", "file", "filename", "video_path", "filepath", "name"}


def find(path: Path) -> Splits:
    """The one split of a list. Raises ForetellError if it cannot be read, or is no list."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ForetellError(f"{path}: cannot read this list ({error}); expected text, 'path label' a line.") from error
    if lines and (lines[0].lower() in HEADINGS or _fields(lines[0])[0].lower() in HEADINGS):  # of one column, or of two
        lines = lines[1:]
    rows = [_fields(line) for line in lines]
    if not rows:
        raise ForetellError(f"{path}: the list is empty; expected 'path label' a line.")
    labelled = [label is not None for _, label in rows]
    if any(labelled) and not all(labelled):
        raise ForetellError(f"{path}: {rows[labelled.index(False)][0]!r} has no label, others have one.")
    files = [path.parent / file for file, _ in rows]
    return {
        "all": Source(
            name=path.stem,
            identity=identity("list", path, [f"{row} {_state(file)}" for row, file in zip(rows, files, strict=True)]),
            read=partial(_read, rows, files),
        )
    }


def _fields(line: str) -> tuple[str, str | None]:
    """The path and the label of a line, None without."""
    if Path(line.strip('"')).suffix.lower() in ENDINGS:
        return line.strip('"'), None
    comma, tab = "," in line, "\t" in line
    parts = next(csv.reader([line], delimiter="\t" if tab else ",")) if tab or comma else line.rsplit(None, 1)
    if len(parts) != 2:
        raise ForetellError(f"{line!r}: not a line of a list of videos; expected 'path label'.")
    return parts[0].strip(), parts[1].strip()


def _state(file: Path) -> str:
    try:
        info = file.stat()
    except OSError:
        return "missing"
    return f"{info.st_size} {info.st_mtime_ns}"


def _read(rows: list[tuple[str, str | None]], files: list[Path]) -> Contents:
    names = [label for _, label in rows if label is not None]
    if all(name.isdecimal() for name in names):
        number = {name: int(name) for name in names}
        classes = tuple(map(str, range(max(number.values(), default=-1) + 1)))
    else:
        classes = tuple(sorted(set(names)))
        number = {name: place for place, name in enumerate(classes)}

    def reader(file: Path, label: str | None) -> Callable[[], tuple[Path, int | None]]:
        return lambda: (file, None if label is None else number[label])

    items = (Item(name, reader(file, label)) for (name, label), file in zip(rows, files, strict=True))
    return Contents(len(rows), classes if names else (), items)
