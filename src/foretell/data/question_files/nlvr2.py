"""NLVR2: sentences that are true or false of two pictures. Each line is an object of JSON.

{"identifier": "dev-850-0-0", "sentence": "Both pictures show a dog.", "label": "True", "directory": 12}

The pictures are `dev-850-0-img0.png` and `dev-850-0-img1.png`; those of the training lie in numbered directories.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foretell.data.source import split_of
from foretell.errors import ForetellError

from .layout import FileQuestion, QuestionLayout, phrased

_EXPECTED = 'NLVR2\'s lines {"identifier": "dev-850-0-0", "sentence": ..., "label": "True"}'
PARTS = ("testdev", "test1", "test2")
"""Splits whose names go on."""
LABELS = {"true": "true", "false": "false"}


def tables(root: Path, called: str, endings: Sequence[str], expected: str) -> list[Path]:
    """The files at a place: the file itself, or those of a folder whose names have a word.

    Raises:
        ForetellError: there is none, or two files of one split.
    """
    if root.is_file():
        return [root]
    files = [file for file in sorted(root.iterdir()) if file.suffix in endings]
    found = [file for file in files if called in file.stem.lower()] or files
    if not found:
        raise ForetellError(f"{root}: holds no file that ends in {' or '.join(endings)}, expected {expected}")
    splits: dict[str, Path] = {}
    for file in found:
        if (other := splits.setdefault(split_of_file(file), file)) != file:
            raise ForetellError(f"{root}: found {other.name} and {file.name}, expected one file a split: name one")
    return found


def split_of_file(file: Path) -> str:
    """`train_balanced_questions` is train, and `test1` is test1; `all` where its name begins with no split."""
    first = file.stem.lower().replace("-", "_").partition("_")[0]
    return first if first in PARTS else split_of(first) or "all"


def _read(root: Path, options: Mapping[str, str]) -> tuple[list[Path], list[FileQuestion]]:
    files = tables(root, "", (".json", ".jsonl"), _EXPECTED)
    return files, [asked for file in files for asked in _of_file(file, options)]


def _of_file(file: Path, options: Mapping[str, str]) -> Iterator[FileQuestion]:
    base, split = Path(options.get("images", file.parent)).expanduser(), split_of_file(file)
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        name = f"{file.name}, line {number}"
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            if number == 1:
                raise ForetellError(f"{file}: its first line is no object of JSON, expected {_EXPECTED}")
            yield FileQuestion(name, split, problem="is no object of JSON")
            continue
        yield _asked(row, name, split, base)


def _asked(row: Mapping[str, Any], name: str, split: str, base: Path) -> FileQuestion:
    pair = str(row.get("identifier") or "").rpartition("-")[0]
    sentence = " ".join(str(row.get("sentence") or "").split()).rstrip(".")
    label = LABELS.get(str(row.get("label")).lower())
    if not pair or not sentence or label is None:
        what = "identifier" if not pair else "sentence" if not sentence else "label that is True or False"
        return FileQuestion(name, split, problem=f"has no {what}")
    folder = _folder(base, pair, row.get("directory"))
    pictures = (folder / f"{pair}-img0.png", folder / f"{pair}-img1.png")
    return FileQuestion(name, split, "pair", pictures, phrased("pair", sentence, row["identifier"]), label)


def _folder(base: Path, pair: str, directory: Any) -> Path:
    """Where the pictures of a pair are; `base` where they are nowhere."""
    split = pair.partition("-")[0]
    inner = ["", split] if directory is None else [str(directory), f"{split}/{directory}", "", split]
    for above in (base, base / "images", base.parent / "images", base.parent):
        for each in inner:
            if (above / each / f"{pair}-img0.png").is_file():
                return above / each
    return base


LAYOUT = QuestionLayout("nlvr2", "PLACE", ("pair",), _read)
