"""Shards in WebDataset's layout: `.tar` files, in which files of one name belong together: `0001.jpg`, `0001.txt`.

The captions are in `.txt` or `.caption`, or in `.json`: a record with one of the usual names, or a list.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from foretell.data.folder import ENDINGS as PICTURES
from foretell.data.items import Item, Unusable
from foretell.data.source import Contents, File, Splits, splits_by_name
from foretell.errors import ForetellError

from .columns import CAPTIONS, texts
from .form import Told

TEXTS = (".txt", ".caption", ".text")


class _Part(NamedTuple):
    """Where a file lies in a shard, in bytes."""

    start: int
    size: int


def find(root: Path, files: list[File]) -> Splits:
    """The splits of shards below `root`, by their names or those of their folders."""
    return splits_by_name(root, files, "captioned tar", lambda part: partial(_read, part))


def _read(shards: list[Path]) -> Contents:
    samples = [(shard, key, parts) for shard in shards for key, parts in _samples(shard).items()]
    if not any(ending in PICTURES for _, _, parts in samples for ending in parts):
        raise ForetellError(f"{shards[0]}: holds no picture, expected WebDataset's layout: 0001.jpg and 0001.txt")
    return Contents(len(samples), (), _items(samples))


def _samples(shard: Path) -> dict[str, dict[str, _Part]]:
    """Key -> ending -> where: found by a look at the headers."""
    found: dict[str, dict[str, _Part]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, dot, ending = name.partition(".")
                found.setdefault(f"{folder}/{stem}", {})[f"{dot}{ending}".lower()] = _Part(
                    member.offset_data, member.size
                )
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ForetellError(
            f"{shard}: not a whole tar file ({error}), expected one that is not compressed; fetch it again, or unpack "
            "it with gunzip"
        ) from error
    return found


def _items(samples: list[tuple[Path, str, dict[str, _Part]]]) -> Iterator[Item]:
    def reader(shard: Path, parts: dict[str, _Part]) -> Callable[[], tuple[bytes, Told]]:
        def read() -> tuple[bytes, Told]:
            picture = next((parts[ending] for ending in parts if ending in PICTURES), None)
            if picture is None:
                raise Unusable(f"holds no picture but {', '.join(parts)}")
            said = [text for ending, part in parts.items() for text in _said(ending, shard, part)]
            if not said:
                raise Unusable(f"has no caption: no {', '.join(TEXTS)} or .json with one beside it")
            return _bytes(shard, picture), Told(said)

        return read

    return (Item(f"{shard.name} {key.lstrip('/')}", reader(shard, parts)) for shard, key, parts in samples)


def _said(ending: str, shard: Path, part: _Part) -> list[Any]:
    if ending in TEXTS:
        return [_bytes(shard, part)]
    if ending != ".json":
        return []
    try:
        about = json.loads(_bytes(shard, part))
    except ValueError:
        raise Unusable("its .json is no JSON") from None
    if isinstance(about, dict) and not any(name in about for name in CAPTIONS):
        return []
    return texts(about)


def _bytes(shard: Path, part: _Part) -> bytes:
    with shard.open("rb") as file:
        file.seek(part.start)
        return file.read(part.size)
