"""What all layouts of annotation files give, and how it becomes questions with answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from foretell.data.images.padded import PaddedSquare, padded, whole
from foretell.data.items import Item, Unusable
from foretell.data.made.questions.tasks import TASKS
from foretell.data.made.questions.templates import ways_to_ask
from foretell.data.questions import Answered
from foretell.data.source import Contents, Source, Splits, identity, options_after, place_of
from foretell.errors import ForetellError

VERSION = 1  # raise it when the same files give other questions
TESTS = ("test", "val", "validation", "dev", "testdev", "testA", "testB", "test1")
"""Splits to test on, the preferred one first."""
FOLDERS = ("", "images", "train2014", "val2014", "train2017", "val2017", "allImages/images")
"""Where pictures are beside a file."""
PlacedText: TypeAlias = str | Callable[[PaddedSquare], str]
"""Words; or places, which depend on where the picture lies in its square. That raises Unusable."""


class FileQuestion(NamedTuple):
    """A question that a file has, or a row of it that is no question."""

    name: str
    """For messages."""
    split: str
    """`all` where the file names none."""
    task: str = ""
    pictures: tuple[Path, ...] = ()
    question: PlacedText = ""
    answer: PlacedText = ""
    listed: tuple[int, int] | None = None
    """Width and height of the picture that the annotations are of, where the file says them."""
    problem: str = ""
    """Why it is no question."""


class QuestionLayout(NamedTuple):
    """How one data set publishes its questions."""

    name: str
    place: str
    """What lies at its place, FOLDER or PLACE."""
    tasks: tuple[str, ...]
    read: Callable[[Path, Mapping[str, str]], tuple[list[Path], list[FileQuestion]]]
    """The files and all questions in them. Raises ForetellError where a file is missing or has another layout."""


def sources(layout: QuestionLayout, place: str, size: int) -> Splits:
    """The splits of questions in files, with the options after `#`.

    Raises:
        ForetellError: see `foretell.data.question_files.find`.
    """
    name, root, given = place_of(layout.name, place, layout.place)
    options = options_after(name, given)
    if foreign := [option for option in options if option not in ("images", "tasks", "test", "by")]:
        raise ForetellError(f"{name}: {foreign[0]!r} is not an option here; there are images, tasks, test, by")
    tasks = tuple(options.get("tasks", "+".join(layout.tasks)).split("+"))
    if foreign := [task for task in tasks if task not in layout.tasks]:
        raise ForetellError(f"{name}: {foreign[0]!r} is not a task here; there are {', '.join(layout.tasks)}")
    files, found = layout.read(root, options)
    asked = [each for each in found if each.problem or each.task in tasks]
    splits = _splits(name, sorted({each.split for each in asked}), options.get("test"))
    facts = (VERSION, [_stamp(file) for file in files], given, size)
    return {side: _source(name, split, asked, size, facts) for side, split in splits.items()}


def _splits(name: str, found: Sequence[str], wanted: str | None) -> dict[str, str | None]:
    """Purpose -> split; None for all of them."""
    if not found:
        raise ForetellError(f"{name}: holds no question, expected some")
    if wanted is not None and wanted not in found:
        raise ForetellError(f"{name}: test is {wanted!r}, expected one of {', '.join(found)}")
    test = wanted or next((split for split in TESTS if split in found), None)
    if "train" not in found:
        return {"all": wanted}
    return {"train": "train"} if test is None else {"train": "train", "test": test}


def _source(name: str, split: str | None, asked: Sequence[FileQuestion], size: int, facts: tuple[Any, ...]) -> Source:
    own = [each for each in asked if split is None or each.split == split]
    pictures = [_stamp(path) for path in sorted({path for each in own for path in each.pictures})]
    return Source(
        name=name if split is None else f"{name} ({split})",
        identity=identity("question files", *facts, split, pictures),
        read=lambda: Contents(len(own), TASKS, _items(own, size)),
    )


def _items(asked: Sequence[FileQuestion], size: int) -> Iterator[Item]:
    return (Item(each.name, partial(_read, each, size)) for each in asked)


def _read(asked: FileQuestion, size: int) -> tuple[np.ndarray, Answered]:
    """The pictures and what is known. Raises Unusable."""
    if asked.problem:
        raise Unusable(asked.problem)
    images = []
    for path in asked.pictures:
        try:
            images.append(whole(path))
        except Unusable as reason:
            raise Unusable(f"{path.name}: {reason}") from None
    square = PaddedSquare(*images[0].size)
    if asked.listed and asked.listed != images[0].size:
        found, expected = (" × ".join(map(str, each)) for each in (images[0].size, asked.listed))
        raise Unusable(f"{asked.pictures[0].name} has {found} pixels, and its annotations are of {expected}")
    question, answer = (each if isinstance(each, str) else each(square) for each in (asked.question, asked.answer))
    pixels = np.stack([padded(image, size) for image in images])
    return pixels, Answered(question, answer, TASKS.index(asked.task))


def _stamp(path: Path) -> str:
    """What tells a file from another one at its place."""
    try:
        info = path.stat()
    except OSError:
        return f"{path} is missing"
    return f"{path} {info.st_size} {info.st_mtime_ns}"


def phrased(kind: str, about: str, *of: object) -> str:
    """A question in one of the known phrasings (see `foretell.data.made.questions.templates`).

    Args:
        kind: of the templates.
        about: what stands in the template.
        of: which phrasing is a function of these.
    """
    ways = ways_to_ask("train")[kind]
    return Random(" ".join(map(str, (kind, *of)))).choice(ways).format(about)


def json_of(path: Path, expected: str) -> Any:
    """The contents of a file of JSON. Raises ForetellError."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ForetellError(f"{path}: not found, expected {expected}") from None
    except (OSError, ValueError) as error:
        raise ForetellError(f"{path}: cannot be read as JSON ({error}), expected {expected}") from None


def rows_of(path: Path, found: Any, expected: str) -> list[dict[str, Any]]:
    """A list of rows of a file. Raises ForetellError."""
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ForetellError(f"{path}: holds no list of rows, expected {expected}")
    return found


def picture_folder(table: Path, names: Sequence[str], options: Mapping[str, str]) -> Path:
    """Where the pictures of a file are: where the options say, or near it.

    Raises:
        ForetellError: none of the first names is found.
    """
    near = (table.parent, table.parent.parent, table.parent.parent.parent)
    tried = [
        base / inner / folder for base in near for inner in ("", "images", "images/mscoco/images") for folder in FOLDERS
    ]
    if given := options.get("images"):
        tried = [Path(os.path.expanduser(given))]
    for folder in dict.fromkeys(tried):
        if any((folder / name).is_file() for name in names[:50]):
            return folder
    expected = given or f"them in {table.parent} or {table.parent / 'images'}"
    raise ForetellError(
        f"{table}: names {len(names)} pictures, such as {names[0] if names else 'none'}, and none of them was found, "
        f"expected {expected}: name the folder, as in #images=DIR"
    )
