"""What a kind of data must tell: an identity, from a look at names and dates alone, and then its samples."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from foretell.disk import walk
from foretell.errors import ForetellError

from .items import Item

SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "valid", "val", "validation", "dev", "eval", "evaluation"),
}
"""Purpose of a split -> the names that people give it, the preferred one first."""


class Contents(NamedTuple):
    """An opened source."""

    count: int
    """The largest possible number of items."""
    classes: tuple[str, ...]
    """Names of the classes; () without labels."""
    items: Iterable[Item]
    names: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """The names of a column's numbers, by column: the states and the actions of episodes."""


@dataclass(frozen=True)
class Source:
    """One split of a data set, not opened yet.

    name: its name in messages, and of the cache folder.
    identity: changes whenever the data may have changed. It is cheap to compute.
    read: opens the data; called only where no cache holds it.
    """

    name: str
    identity: str
    read: Callable[[], Contents]
    parts: tuple[Source, ...] = ()
    """Sources that make this one, one behind the other: each has a cache of its own. What was interrupted goes on with
    the part where it stopped. Then `read` is never called."""


Splits = dict[str, Source]  # "train" and perhaps "test" if the data names its splits, or else only "all"


class File(NamedTuple):
    """A file: its path below a root, with forward slashes, its size in bytes and its time of change in ns."""

    path: str
    size: int
    changed: int


PART = 256
"""Samples of a part, where a source has parts."""


def in_parts(name: str, count: int, part: Callable[[str, int, int], Source], size: int | None = None) -> Source:
    """A source whose samples take long to make: it is made and kept part by part.

    Args:
        name: what messages call it.
        count: of its samples, 1 or more.
        part: makes the source of some: its name, from which number on, and how many.
        size: samples of a part; `PART` if None.
    """
    size = size or PART
    if count <= size:
        return part(name, 0, count)
    parts = tuple(part(f"{name} from {first}", first, min(size, count - first)) for first in range(0, count, size))
    return Source(name, identity(*(each.identity for each in parts)), parts[0].read, parts)


def file_at(root: Path) -> File:
    """A root that is itself a file."""
    info = root.stat()
    return File("", info.st_size, info.st_mtime_ns)


def files_below(root: Path) -> list[File]:
    """Every file at any depth, sorted by path; links are followed, hidden files and macOS's shadows left out.

    Raises ForetellError where a folder cannot be read.
    """
    return sorted(File(path, info.st_size, info.st_mtime_ns) if info else File(path, 0, 0) for path, info in walk(root))


def identity(*parts: object) -> str:
    """One hash for a source, from everything that its pixels and labels depend on."""
    digest = hashlib.sha256()
    for part in parts:
        for line in part if isinstance(part, list) else [part]:
            digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def split_of(name: str) -> str | None:
    """The split that begins the name of a file or folder: `test-00000-of-00001` is test, `trained` none."""
    match = re.match(rf"({'|'.join(sum(SPLITS.values(), ()))})(?![^\W\d_]|_[^\W\d_])", name.lower())
    return match[1] if match else None


def named_splits(names: Iterable[str | None]) -> dict[str, str]:
    """The named splits that serve as train and as test: {"train": "train", "test": "val"}, or {}."""
    found = set(names)
    named = {split: name for split, known in SPLITS.items() if (name := next(filter(found.__contains__, known), None))}
    return named if "train" in named else {}


def splits_by_name(
    root: Path, files: list[File], kind: str, read: Callable[[list[Path]], Callable[[], Contents]], *asked: str | None
) -> Splits:
    """The splits of `files` below `root`, by the names of the files or of their folders.

    kind: part of the identity.
    read: given the files of a split, what opens it.
    asked: what else tells one reading of these files from another; part of the identity.
    """
    names = [_split_of_file(file) for file in files]
    named = named_splits(names)
    parts = {
        split: [file for file, found in zip(files, names, strict=True) if found == name]
        for split, name in named.items()
    }
    return {
        split: Source(
            name=root.name if split == "all" else f"{root.name} ({named[split]})",
            identity=identity(kind, root, split, files, *asked),
            read=read([root / file.path for file in part]),
        )
        for split, part in (parts or {"all": files}).items()
    }


def place_of(kind: str, place: str, expected: str) -> tuple[str, Path, str]:
    """What `kind:PLACE#OPTIONS` names: what messages call it, where it lies, and its options as they stand.

    Raises:
        ForetellError: nothing lies there.
    """
    where, _, given = place.partition("#")
    name, root = f"{kind}:{where}", Path(os.path.realpath(os.path.expanduser(where)))
    if not where or not root.exists():
        raise ForetellError(f"{name}: not found, expected {kind}:{expected}")
    return name, root, given


def options_after(where: str, given: str) -> dict[str, str]:
    """Options by name, as they stand after the `#` of a place: NAME=VALUE, with commas between them.

    Raises:
        ForetellError: one has no name or no value.
    """
    options: dict[str, str] = {}
    for part in filter(None, given.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ForetellError(f"{where}: {part!r} after # is not an option, expected NAME=VALUE, as in features=DIR")
        options[name] = value
    return options


def _split_of_file(file: File) -> str | None:
    path = PurePosixPath(file.path)
    return next((name for part in (path.stem, *path.parts[-2::-1]) if (name := split_of(part))), None)
