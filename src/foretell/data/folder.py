"""A folder of images or videos, in class folders or not, with `train/` and `test/` above them or not."""

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from foretell.errors import ForetellError

from .decode import Item
from .source import EVALUATION, Contents, File, Source, Splits, identity, named_splits

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"})


def find(root: Path, files: list[File], endings: frozenset[str] = ENDINGS) -> Splits:
    """The splits of a folder; `files` are all below it. Raises ForetellError where none has one of the endings."""
    files = [file for file in files if _ending(file) in endings] or _fail(root, files, endings)
    tops = [file.path.split("/")[0].lower() if "/" in file.path else "" for file in files]
    named = named_splits(tops)
    # `train` alone is a split only if there is nothing else: beside `car` and `plane` it is a class.
    if "test" not in named and not set(tops) <= {"train", *EVALUATION}:
        named = {}
    found = list(zip(tops, files, strict=True))
    parts = {split: [file for top, file in found if top == name] for split, name in named.items()}
    parts = parts or {"all": files}
    # The classes come from all splits, so that a label means the same in each.
    classes = _classes([_levels(file)[bool(named) :] for part in parts.values() for file in part])
    return {
        split: Source(
            name=root.name if split == "all" else f"{root.name} ({named[split]})",
            identity=identity("folder", root, split, *classes, part),
            read=partial(_read, root, part, classes, depth=bool(named)),
        )
        for split, part in parts.items()
    }


def _classes(inside: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The folders that images lie in, if all lie one level deep; a single one tells nothing apart."""
    classes = {levels[0] for levels in inside}
    return tuple(sorted(classes)) if len(classes) > 1 and all(len(levels) == 2 for levels in inside) else ()


def _read(root: Path, files: list[File], classes: tuple[str, ...], depth: int) -> Contents:
    label = {name: number for number, name in enumerate(classes)}

    def reader(file: File) -> Callable[[], tuple[Path, int | None]]:
        return lambda: (root / file.path, label[_levels(file)[depth]] if classes else None)

    return Contents(len(files), classes, (Item(file.path, reader(file)) for file in files))


def _levels(file: File) -> tuple[str, ...]:
    return tuple(file.path.split("/"))


def _ending(file: File) -> str:
    return os.path.splitext(file.path)[1].lower()


def _fail(root: Path, files: list[File], endings: frozenset[str]) -> list[File]:
    kinds = ", ".join(f"{n} {ending or 'without ending'}" for ending, n in Counter(map(_ending, files)).most_common(3))
    what, more = ("image", ", or parquet files with an image column") if endings is ENDINGS else ("video", "")
    raise ForetellError(
        f"{root}: no {what} in this folder ({f'found {kinds}' if files else 'it holds no file at all'}); "
        f"expected files that end in {' '.join(sorted(endings))}{more}."
    )
