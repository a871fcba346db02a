"""COCO's captions: `annotations/captions_train2017.json`, and the folder of its images. Karpathy's splits, too.

{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "a dog"}]}
{"images": [{"filename": "1.jpg", "split": "train", "sentences": [{"raw": "a dog"}]}]}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from foretell.data.items import Item, Unusable
from foretell.data.source import SPLITS, Contents, File, Source, Splits, file_at, identity, named_splits, split_of
from foretell.errors import ForetellError

from .columns import FILES, texts
from .form import Told

_EXPECTED = 'expected COCO\'s {"images": [...], "annotations": [{"image_id": ..., "caption": ...}]}'


class _Image(NamedTuple):
    file: str
    captions: list[Any]
    split: str | None


def find(root: Path, tables: list[Path]) -> Splits:
    """The splits of COCO files: by their names, or by what the images say.

    Args:
        root: what was named: a folder, or one file.
        tables: the files.

    Raises:
        ForetellError: a file is no JSON, or not COCO's, or none of its images can be found.
    """
    if len(tables) == 1:
        images = _images(tables[0])
        named = named_splits(image.split for image in images)
        parts = {split: [i for i in images if i.split == name] for split, name in named.items()} or {"all": images}
        return {split: _source(root, tables[0], split, named.get(split), part) for split, part in parts.items()}
    names = {table: _split_of_file(table) for table in tables}
    named = named_splits(names.values())
    chosen = {split: [table for table in tables if names[table] == name] for split, name in named.items()}
    if not named or any(len(found) != 1 for found in chosen.values()):
        listed = ", ".join(table.name for table in tables)
        raise ForetellError(f"{root}: found {listed}, expected one file a split, such as captions_train.json; name one")
    return {split: _source(root, found[0], split, named[split], _images(found[0])) for split, found in chosen.items()}


def is_coco(table: Path) -> bool:
    """Whether a file looks like COCO's captions, by its name."""
    return table.suffix.lower() == ".json" and "caption" in table.stem.lower()


def _split_of_file(table: Path) -> str | None:
    """`captions_train2017` is train."""
    return next((name for part in table.stem.lower().split("_") if (name := split_of(part.rstrip("0123456789")))), None)


def _source(root: Path, table: Path, split: str, name: str | None, images: list[_Image]) -> Source:
    folder = _folder(table, images)
    files = [_file(folder, image.file) for image in images]
    return Source(
        name=root.stem if name is None else f"{root.stem} ({name})",
        identity=identity("coco", table, file_at(table), split, files),
        read=partial(_read, table, folder, images),
    )


def _file(folder: Path, name: str) -> File:
    try:
        info = (folder / name).stat()
    except OSError:
        return File(name, 0, 0)
    return File(name, info.st_size, info.st_mtime_ns)


def _read(table: Path, folder: Path, images: list[_Image]) -> Contents:
    return Contents(len(images), (), _items(table, folder, images))


def _items(table: Path, folder: Path, images: list[_Image]) -> Iterator[Item]:
    def reader(image: _Image) -> Callable[[], tuple[Path, Told]]:
        def read() -> tuple[Path, Told]:
            if not (folder / image.file).is_file():
                raise Unusable(f"{table.name} names it, and it is not in {folder}")
            if not image.captions:
                raise Unusable(f"has no caption in {table.name}")
            return folder / image.file, Told(texts(image.captions))

        return read

    return (Item(image.file, reader(image)) for image in images)


def _images(table: Path) -> list[_Image]:
    try:
        about = json.loads(table.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ForetellError(f"{table}: no whole JSON ({error}); {_EXPECTED}") from None
    listed = about.get("images") if isinstance(about, dict) else None
    said = about.get("annotations", []) if isinstance(about, dict) else []
    if not isinstance(listed, list) or not listed or not all(isinstance(each, dict) for each in (*listed, *said)):
        raise ForetellError(f"{table}: lists no images; {_EXPECTED}")
    captions: dict[Any, list[Any]] = {}
    for each in said:
        if "caption" not in each:
            raise ForetellError(
                f"{table}: an annotation has no 'caption' but {', '.join(map(str, each))}; {_EXPECTED}: "
                "the file of captions, not of instances"
            )
        captions.setdefault(each.get("image_id"), []).append(each["caption"])
    return [_image(table, each, captions) for each in listed]


def _image(table: Path, about: dict[str, Any], captions: dict[Any, list[Any]]) -> _Image:
    file = next((str(about[name]) for name in FILES if about.get(name)), None)
    if file is None:
        raise ForetellError(f"{table}: an image has no 'file_name' but {', '.join(map(str, about))}; {_EXPECTED}")
    if (folder := about.get("filepath")) and folder != file:  # Karpathy's: a folder
        file = f"{folder}/{about.get('filename', file)}"
    said = captions.get(about.get("id"), []) + list(about.get("sentences", []))
    return _Image(file, said, split_of(str(about.get("split", ""))))


def _folder(table: Path, images: list[_Image]) -> Path:
    """Where the images are: beside the file, or where COCO has them."""
    near = (table.parent, table.parent.parent)
    names = ("", "images", *(table.stem.removeprefix("captions_"),), *sum(SPLITS.values(), ()))
    tried = [base / inner / name for base in near for inner in ("", "images") for name in names]
    for folder in dict.fromkeys(tried):
        if any((folder / image.file).is_file() for image in images[:50]):
            return folder
    raise ForetellError(
        f"{table}: names {len(images)} images, such as {images[0].file}, and none of them was found near it, expected "
        f"them in {table.parent} or {table.parent.parent / 'images'}"
    )
