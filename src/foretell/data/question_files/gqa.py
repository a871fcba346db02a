"""GQA: questions about one picture, with answers of a word or two.

{"201307251": {"imageId": "2337789", "question": "Is it overcast?", "answer": "no", "fullAnswer": "No, it is clear."}}

The pictures are `2337789.jpg`. Questions of other data sets may come in the same layout, also as a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretell.errors import ForetellError

from .layout import FileQuestion, QuestionLayout, json_of, picture_folder, rows_of
from .nlvr2 import split_of_file, tables

_EXPECTED = 'GQA\'s {"ID": {"imageId": ..., "question": ..., "answer": ...}}'


def _read(root: Path, options: Mapping[str, str]) -> tuple[list[Path], list[FileQuestion]]:
    files = tables(root, "question", (".json",), _EXPECTED)
    return files, [asked for file in files for asked in _of_file(file, options)]


def _of_file(file: Path, options: Mapping[str, str]) -> list[FileQuestion]:
    found = json_of(file, _EXPECTED)
    if isinstance(found, dict):
        found = [{"id": number, **row} if isinstance(row, dict) else row for number, row in found.items()]
    rows = rows_of(file, found, _EXPECTED)
    if not rows:
        raise ForetellError(f"{file}: holds no question, expected {_EXPECTED}")
    names = [_picture(row) for row in rows]
    folder = picture_folder(file, [name for name in names if name], options)
    return [_asked(file, row, name, folder) for row, name in zip(rows, names, strict=True)]


def _picture(row: Mapping[str, Any]) -> str:
    """The name of the picture's file; "" where the row has none."""
    found = next((row[key] for key in ("imageId", "image_id", "image") if row.get(key) is not None), "")
    name = str(found)
    return name if not name or Path(name).suffix else f"{name}.jpg"


def _asked(file: Path, row: Mapping[str, Any], picture: str, folder: Path) -> FileQuestion:
    name, split = f"{file.name}: question {row.get('id')}", split_of_file(file)
    question, answer = (" ".join(str(row.get(key) or "").split()) for key in ("question", "answer"))
    missing = [what for what, there in (("imageId", picture), ("question", question), ("answer", answer)) if not there]
    if missing:
        return FileQuestion(name, split, problem=f"has no {missing[0]}")
    return FileQuestion(name, split, "vqa", (folder / picture,), question, answer.lower())


LAYOUT = QuestionLayout("gqa", "PLACE", ("vqa",), _read)
