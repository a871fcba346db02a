"""A folder of images or videos, in class folders or not, with `train/` and `test/` above them or not.

- **Splits** are found at any depth, and by many names (see `split_folders`). If there are several to test on, the first
  of test, valid and dev is taken. One whose class folders training knows comes before one without.

- **Labels.** The class folders of a split give its labels. There may be more folders below each class folder, if these
  have the same names everywhere, as `n01443537/images/` in Tiny ImageNet.
- **Strays.** A file beside the class folders, or deeper than the others, may be a stray. Strays are few: fewer than a
  class folder holds on average. Strays are skipped, and `skipped` lists them. If there are more of them, the folders
  are not classes: nothing is skipped, and the split has no labels.
- **Splits without labels** get none from the other splits. If training knows none of the folders of a test split,
  these folders are not classes.
- **Names** are the same as Linux and as macOS write them (NFC and NFD).
- **Other files** are told of, by kind (see `left_out`).
"""

import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from foretell.errors import ForetellError, ForetellWarning

from .images.decode import endings_of_images
from .items import Item, Unusable
from .left_out import ending, is_picture, told
from .source import Contents, File, Source, Splits, identity
from .split_folders import FoundSplits, PlacedFile, find_splits, like_splits

ENDINGS = endings_of_images()


def find(root: Path, files: list[File], endings: frozenset[str] = ENDINGS, *, labels: bool = True) -> Splits:
    """The splits of a folder.

    root: the folder.
    files: all files below it.
    endings: the endings of the files that count.
    labels: False: folders are not classes, and no file is a stray.

    Raises ForetellError where no file has one of the endings. A ForetellWarning tells of files beside the named splits,
    of files of other kinds, and of folders that look like splits and were taken for classes.
    """
    pictures = endings is ENDINGS
    used = [file for file in files if _counts(root, file, endings, pictures)] or _fail(root, files, endings)
    if pictures and (others := told([*{*files}.difference(used)])):
        _warn(f"{root}: {others}")
    found = find_splits(used)
    below = {folder: _below(part) for folder, part in found.files.items()}
    folders = {folder: _class_folders(part, below[folder]) if labels else set() for folder, part in found.files.items()}
    chosen = _chosen(root, found, folders)
    if "test" in chosen and folders[chosen["train"]].isdisjoint(folders[chosen["test"]]):  # `val/images/1.png`, perhaps
        folders[chosen["test"]] = set()
    # The classes come from all splits, so that a label means the same in each; a single one tells nothing apart.
    classes = tuple(sorted(set().union(*(folders[folder] for folder in chosen.values()))))
    known = {split: classes if folders[folder] and len(classes) > 1 else () for split, folder in chosen.items()}
    parts = {split: found.files[folder] for split, folder in chosen.items()}
    return {
        split: Source(
            name=root.name if split == "all" else f"{root.name} ({folder})",
            identity=identity("folder", root, split, *known[split], [placed.file for placed in parts[split]]),
            read=partial(_read, root, parts[split], known[split], below[folder]),
        )
        for split, folder in chosen.items()
    }


def _counts(root: Path, file: File, endings: frozenset[str], pictures: bool) -> bool:
    kind = ending(file)
    return kind in endings or (pictures and not kind and is_picture(root, file))


def _chosen(root: Path, found: FoundSplits, classes: dict[str, set[str]]) -> dict[str, str]:
    """split -> the folder that is taken for it; tells of what else there is."""
    if not found.folders:
        folders = {name for placed in found.files[""] for name in placed.levels[:-1]}
        if names := like_splits(folders):
            taken = "classes" if classes[""].issuperset(names) and len(classes[""]) > 1 else "one set without splits"
            _warn(
                f"{root}: its folders {', '.join(names[:4])}{', …' if len(names) > 4 else ''} were taken for {taken}; "
                "if they are splits, call them train and test, or train and val"
            )
        return {"all": ""}
    chosen = {split: folders[0] for split, folders in found.folders.items()}
    train, tests = classes[chosen["train"]], found.folders.get("test", [])
    labelled = [folder for folder in tests if not train.isdisjoint(classes[folder])]
    if labelled and labelled[0] != tests[0]:
        chosen["test"] = labelled[0]
        _warn(f"{root}: {tests[0]}/ has no class folders, and {labelled[0]}/ has: that is taken to test on")
    if found.others:
        first, more = found.others[0].path, len(found.others) - 1
        beside = " and ".join(f"{folder}/" for folder in chosen.values())
        _warn(f"{root}: {first}{f' and {more} more' if more else ''} left out, beside {beside}")
    return chosen


def _below(files: list[PlacedFile]) -> tuple[str, ...]:
    """The folders between a class folder and its files, where all have the same."""
    found = {placed.levels[1:-1] for placed in files}
    return found.pop() if len(found) == 1 else ()


def _class_folders(files: list[PlacedFile], below: tuple[str, ...]) -> set[str]:
    """The class folders of a split; none where too many files lie elsewhere."""
    inside = [folder for placed in files if (folder := _class_folder(placed, below))]
    folders = set(inside)
    return folders if (len(files) - len(inside)) * len(folders) < len(inside) else set()


def _class_folder(placed: PlacedFile, below: tuple[str, ...]) -> str | None:
    folder, *rest = placed.levels
    return folder if tuple(rest[:-1]) == below and rest else None


def _read(root: Path, files: list[PlacedFile], classes: tuple[str, ...], below: tuple[str, ...]) -> Contents:
    label = {name: number for number, name in enumerate(classes)}

    def reader(placed: PlacedFile) -> Callable[[], tuple[Path, int | None]]:
        def read() -> tuple[Path, int | None]:
            folder = _class_folder(placed, below)
            if classes and folder is None:
                deeper = len(placed.levels) > 1
                raise Unusable(f"lies {'deeper than' if deeper else 'outside'} the class folders")
            return root / placed.file.path, label[folder] if classes and folder else None

        return read

    return Contents(len(files), classes, (Item(placed.file.path, reader(placed)) for placed in files))


def _warn(text: str) -> None:
    warnings.warn(text, ForetellWarning, stacklevel=3)


def _fail(root: Path, files: list[File], endings: frozenset[str]) -> list[File]:
    kinds = ", ".join(f"{n} {kind or 'without ending'}" for kind, n in Counter(map(ending, files)).most_common(3))
    what, more = ("image", ", or parquet files with an image column") if endings is ENDINGS else ("video", "")
    advice = told(files) if endings is ENDINGS else None
    if endings is not ENDINGS and any(ending(file) in ENDINGS for file in files):
        more += ". Pictures that are the frames of videos are joined first: ffmpeg -framerate 25 -i %04d.png out.mp4"
    raise ForetellError(
        f"{root}: no {what} in this folder ({f'found {kinds}' if files else 'it holds no file at all'}); "
        f"expected files that end in {' '.join(sorted(endings))}{more}{f'. There are {advice}' if advice else ''}"
    )
