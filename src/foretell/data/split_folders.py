"""Which folders of a data set are its splits, however people call them and wherever they lie.

train/  val/                    set/train/  set/test/           the folder that unzipping made is passed over
train2017/  val2017/            images/train/  images/val/      COCO's and YOLO's
TRAIN/  VAL/                    train_set/  test_set/           train-images/, trainset/, images_train/, ...
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from .source import SPLITS, File

PURPOSES = {
    word: split for split, words in SPLITS.items() for word in (*words, *{"train": ("trainval",)}.get(split, ()))
}
"""A word -> the split that it names."""
_WORD = "|".join(sorted(PURPOSES, key=len, reverse=True))
_MORE = r"\d+|sets?|images?|imgs?|data|dataset|splits?|photos?|pictures?|pics?|frames?|videos?|clips?|samples?|folder"
_PLAIN = re.compile(rf"({_WORD})(?:[-_ .]*(?:{_MORE}))*[-_ .]*")
"""The word, perhaps with a year or with what the folder holds: `train_station` is a class."""
_INSIDE = re.compile(rf"(?<![^\W\d_])({_WORD})(?![^\W\d_])")
_LIKE = re.compile(rf"(?<![^\W\d_])(?:{_WORD}|folds?|splits?|query|gallery)", re.IGNORECASE)


class PlacedFile(NamedTuple):
    """A file, and the folders that it lies in and its name, without the split's folder and those that all share."""

    file: File
    levels: tuple[str, ...]


class FoundSplits(NamedTuple):
    """The splits of some files."""

    folders: dict[str, list[str]]
    """split -> its folders, below the root; {} where the files name no splits. Those to test on are in the order in
    which they are preferred."""
    files: dict[str, list[PlacedFile]]
    """A folder of a split -> its files; "" has all of them where there are no splits."""
    others: list[File]
    """Files beside the splits."""


def find_splits(files: list[File]) -> FoundSplits:
    """The splits of files, at the first depth at which folders name some.

    `train` alone is a split only if there is nothing else at that depth: beside `car` and `plane` it is a class. Deeper
    than the first folder, splits hold half of the files or more.
    """
    parts = {file: tuple(file.path.split("/")) for file in files}
    for depth in range(max(map(len, parts.values()), default=1) - 1):
        at = {file: "/".join(levels[: depth + 1]) if len(levels) > depth + 1 else "" for file, levels in parts.items()}
        named = _named({folder.rpartition("/")[2] for folder in at.values() if folder})
        if not named:
            continue
        known = {folder: name for folder in at.values() if (name := named.get(folder.rpartition("/")[2]))}
        purposes = {PURPOSES[word] for word in known.values()}
        inside = [file for file in files if at[file] in known]
        whole = len(inside) == len(files)
        if "train" not in purposes or not (whole or "test" in purposes) or (depth and 2 * len(inside) < len(files)):
            continue
        return _found(files, parts, at, known, depth)
    levels = {file: tuple(map(_nfc, parts[file])) for file in files}
    shared = _shared(levels.values())
    return FoundSplits({}, {"": [PlacedFile(file, levels[file][shared:]) for file in files]}, [])


def _found(
    files: list[File], parts: dict[File, tuple[str, ...]], at: dict[File, str], known: dict[str, str], depth: int
) -> FoundSplits:
    """The files of the folders that are splits; folders that differ above them (`cup/train/`) are one split."""
    levels = {
        file: tuple(_nfc(part) for place, part in enumerate(parts[file]) if place != depth)
        for file in files
        if at[file] in known
    }
    shared = _shared(levels.values())
    purpose = {folder: PURPOSES[word] for folder, word in known.items()}
    order = {word: number for number, word in enumerate(PURPOSES)}
    called: dict[str, str] = {}  # a word to test on has folders of its own; all to train on are one
    for folder in sorted(known, key=lambda folder: (order[known[folder]], folder)):
        called.setdefault("train" if purpose[folder] == "train" else known[folder], folder)
    placed: dict[str, list[PlacedFile]] = defaultdict(list)
    for file, rest in levels.items():
        word = known[at[file]]
        placed[called["train" if PURPOSES[word] == "train" else word]].append(PlacedFile(file, rest[shared:]))
    folders: dict[str, list[str]] = defaultdict(list)
    for folder in called.values():
        folders[purpose[folder]].append(folder)
    return FoundSplits(dict(folders), dict(placed), [file for file in files if file not in levels])


def _named(names: Iterable[str]) -> dict[str, str]:
    """The names that are splits -> their words. Around these, text is plain, or the same for train and test."""
    around: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        lower = _nfc(name).lower()
        if match := _PLAIN.fullmatch(lower):
            around[""][name] = match[1]
        elif match := _INSIDE.search(lower):
            rest = re.sub(r"\d+", "", lower[: match.start()] + "*" + lower[match.end() :])
            around[rest][name] = match[1]
    for rest in sorted(around):  # the plain ones first
        purposes = {PURPOSES[word] for word in around[rest].values()}
        if "train" in purposes and (not rest or "test" in purposes):
            return around[rest]
    return {}


def like_splits(names: Iterable[str]) -> list[str]:
    """The names that look as if they were meant as splits, if there are two or more."""
    found = sorted(name for name in names if _LIKE.search(name))
    return found if len(found) > 1 else []


def _shared(levels: Iterable[tuple[str, ...]]) -> int:
    """How many folders all files lie in, from the first on."""
    folders = [each[:-1] for each in levels]
    shared = 0
    for some in zip(*folders, strict=False):
        if len(set(some)) > 1:
            break
        shared += 1
    return shared


def _nfc(name: str) -> str:
    """The same name as Linux and as macOS write it."""
    return unicodedata.normalize("NFC", name)
