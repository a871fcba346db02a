"""What a kind of data must tell: an identity, from a look at names and dates alone, and then its samples."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from foretell.errors import ForetellError

from .items import Item

SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "valid", "val", "validation", "dev"),
}
"""What a split is for -> the names that people give it, the preferred one first."""


class Contents(NamedTuple):
    """An opened source."""

    count: int
    """How many items there are at most."""
    classes: tuple[str, ...]
    """Names of the classes; () without labels."""
    items: Iterable[Item]
    names: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """What the numbers of a column are called, by column: the states and the actions of episodes."""


@dataclass(frozen=True)
class Source:
    """One split of a data set, not opened yet.

    name: what messages call it, and the cache folder.
    identity: changes whenever the data may have changed. It is cheap to compute.
    read: opens the data; called only where no cache holds it.
    """

    name: str
    identity: str
    read: Callable[[], Contents]
    parts: tuple[Source, ...] = ()
    """Sources that make this one, one behind the other: each has a cache of its own. What was interrupted goes on with
    the part where it stopped. Then `read` is never called."""


Splits = dict[str, Source]  # "train" and perhaps "test" where the data names its splits, else "all" alone


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
    return sorted(_walk(root, "", ()))


def _walk(folder: Path | str, prefix: str, above: tuple[str, ...]) -> Iterator[File]:
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that holds it
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise ForetellError(f"{folder}: cannot read this folder ({error.strerror}).") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        try:
            info = entry.stat()
        except OSError:  # a broken link: kept, to be reported as skipped
            yield File(prefix + entry.name, 0, 0)
            continue
        if stat.S_ISDIR(info.st_mode):
            yield from _walk(entry.path, f"{prefix}{entry.name}/", (*above, real))
        elif stat.S_ISREG(info.st_mode):
            yield File(prefix + entry.name, info.st_size, info.st_mtime_ns)


def identity(*parts: object) -> str:
    """One hash for a source, of whatever its pixels and labels depend on."""
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
    """Which named split serves as train and which as test: {"train": "train", "test": "val"}, or {}."""
    found = set(names)
    named = {split: name for split, known in SPLITS.items() if (name := next(filter(found.__contains__, known), None))}
    return named if "train" in named else {}
