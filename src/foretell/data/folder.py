"""A folder of images or videos, in class folders or not, with `train/` and `test/` above them or not.

- **Labels.** The class folders of a split give its labels. There may be more folders below each class folder, if these
  have the same names everywhere, as `n01443537/images/` in Tiny ImageNet.
- **Strays.** A file beside the class folders, or deeper than the others, may be a stray. Strays are few: fewer than a
  class folder holds on average. Strays are skipped, and `skipped` lists them. If there are more of them, the folders
  are not classes: nothing is skipped, and the split has no labels.
- **Splits.** A split without labels gets none from the other splits. If training knows none of the folders of a test
  split, these folders are not classes.
"""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path

from foretell.errors import ForetellError, ForetellWarning

from .images.decode import endings_of_images
from .items import Item, Unusable
from .source import SPLITS, Contents, File, Source, Splits, identity, named_splits

ENDINGS = endings_of_images()


def find(root: Path, files: list[File], endings: frozenset[str] = ENDINGS, *, labels: bool = True) -> Splits:
    """The splits of a folder.

    root: the folder.
    files: all files below it.
    endings: the endings of the files that count.
    labels: False: folders are not classes, and no file is a stray.

    Raises ForetellError where no file has one of the endings. A ForetellWarning tells of files beside the named splits,
    which are left out.
    """
    files = [file for file in files if _ending(file) in endings] or _fail(root, files, endings)
    tops = [file.path.split("/")[0].lower() if "/" in file.path else "" for file in files]
    named = named_splits(tops)
    # `train` alone is a split only if there is nothing else: beside `car` and `plane` it is a class.
    if "test" not in named and set(tops) != set(named.values()):
        named = {}
    found = list(zip(tops, files, strict=True))
    if named:
        _tell_of_others(root, [file for top, file in found if top not in chain(*SPLITS.values())], named.values())
    parts = {split: [file for top, file in found if top == name] for split, name in named.items()} or {"all": files}
    depth = len(named) and 1
    below = {split: _below(part, depth) for split, part in parts.items()}
    folders = {split: _class_folders(part, depth, below[split]) if labels else set() for split, part in parts.items()}
    if folders.get("train") and folders["train"].isdisjoint(folders.get("test", ())):  # `val/images/1.png`, perhaps
        folders["test"] = set()
    # The classes come from all splits, so that a label means the same in each; a single one tells nothing apart.
    classes = tuple(sorted(set().union(*folders.values())))
    known = {split: classes if folders[split] and len(classes) > 1 else () for split in parts}
    return {
        split: Source(
            name=root.name if split == "all" else f"{root.name} ({named[split]})",
            identity=identity("folder", root, split, *known[split], part),
            read=partial(_read, root, part, known[split], depth, below[split]),
        )
        for split, part in parts.items()
    }


def _below(files: list[File], depth: int) -> tuple[str, ...]:
    """The folders between a class folder and its files, where all have the same."""
    found = {_levels(file)[depth + 1 : -1] for file in files}
    return found.pop() if len(found) == 1 else ()


def _class_folders(files: list[File], depth: int, below: tuple[str, ...]) -> set[str]:
    """The class folders of a split; none where too many files lie elsewhere."""
    inside = [folder for file in files if (folder := _class_folder(file, depth, below))]
    folders = set(inside)
    return folders if (len(files) - len(inside)) * len(folders) < len(inside) else set()


def _class_folder(file: File, depth: int, below: tuple[str, ...]) -> str | None:
    folder, *rest = _levels(file)[depth:]
    return folder if tuple(rest[:-1]) == below and rest else None


def _read(root: Path, files: list[File], classes: tuple[str, ...], depth: int, below: tuple[str, ...]) -> Contents:
    label = {name: number for number, name in enumerate(classes)}

    def reader(file: File) -> Callable[[], tuple[Path, int | None]]:
        def read() -> tuple[Path, int | None]:
            folder = _class_folder(file, depth, below)
            if classes and folder is None:
                deeper = len(_levels(file)[depth:]) > 1
                raise Unusable(f"lies {'deeper than' if deeper else 'outside'} the class folders")
            return root / file.path, label[folder] if classes and folder else None

        return read

    return Contents(len(files), classes, (Item(file.path, reader(file)) for file in files))


def _tell_of_others(root: Path, files: list[File], named: Iterable[str]) -> None:
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        beside = " and ".join(f"{name}/" for name in named)
        warnings.warn(f"{root}: {files[0].path}{more} left out, beside {beside}", ForetellWarning, stacklevel=2)


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
