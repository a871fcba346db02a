"""A folder with a text beside each picture: `dog.jpg` and `dog.txt`, a caption a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from foretell.data import folder
from foretell.data.items import Item, Unusable
from foretell.data.source import Contents, File, Source, Splits, identity

from .form import Told


def find(root: Path, files: list[File]) -> Splits:
    """The splits of a folder, as those of a folder of images; folders are not classes."""
    texts = [file for file in files if file.path.lower().endswith(".txt")]
    return {
        split: replace(source, identity=identity("text beside", source.identity, texts), read=partial(_read, source))
        for split, source in folder.find(root, files, labels=False).items()
    }


def _read(source: Source) -> Contents:
    pictures = source.read()
    return Contents(pictures.count, (), _items(pictures))


def _items(pictures: Contents) -> Iterator[Item]:
    def reader(item: Item) -> Callable[[], tuple[Path, Told]]:
        def read() -> tuple[Path, Told]:
            path: Path = item.read()[0]
            text = path.with_suffix(".txt")
            if not text.is_file():
                raise Unusable(f"has no caption: no {text.name} beside it")
            return path, Told(text.read_bytes().splitlines())

        return read

    return (Item(item.name, reader(item)) for item in pictures.items)
