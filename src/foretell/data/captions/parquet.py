"""Parquet files with images (their bytes, or their paths) and captions, as on the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from foretell.data.images.parquet import ROWS, columns_of, labels_of, opened
from foretell.data.items import Item, Unusable
from foretell.data.source import Contents, File, Splits, splits_by_name
from foretell.errors import ForetellError

from .columns import FILES, caption_columns, file_column, texts
from .form import Told


class _Layout(NamedTuple):
    image: str
    captions: list[str]
    labels: list[int] | None = None
    classes: tuple[str, ...] = ()


def find(root: Path, files: list[File]) -> Splits:
    """The splits of parquet `files` below `root`, by the names of the files or of their folders."""
    every = [root / file.path for file in files]
    return splits_by_name(root, files, "captioned parquet", lambda part: partial(_read, root, part, every))


def names_pictures(path: Path) -> bool:
    """Whether a file names pictures, and does not hold them."""
    with opened(path) as file:
        return any(name.lower() in FILES for name in _strings(file.schema_arrow))


def _strings(schema: Any) -> list[str]:
    return [name for name in schema.names if str(schema.field(name).type) in ("string", "large_string")]


def _read(root: Path, files: list[Path], every: list[Path]) -> Contents:
    layout = _layout(files, every)
    count = 0
    for path in files:
        with opened(path) as file:
            count += file.metadata.num_rows
            if missing := [name for name in (layout.image, *layout.captions) if name not in file.schema_arrow.names]:
                raise ForetellError(
                    f"{path}: has no column {missing[0]!r}, which {files[0].name} has, expected files of one layout: "
                    "name the folder of one configuration, or a single file"
                )
    base = root if root.is_dir() else root.parent
    return Contents(count, layout.classes, _items(base, files, layout))


def _layout(files: list[Path], every: list[Path]) -> _Layout:
    with opened(files[0]) as file:
        schema = file.schema_arrow
        said = [name for name in schema.names if _holds_texts(schema.field(name).type)]
        captions = caption_columns(files[0], said, schema.names)
        named = _strings(schema)
    if any(name.lower() in FILES for name in named):
        return _Layout(file_column(files[0], named), captions)
    columns = columns_of(files[0])
    if columns.label in captions:
        columns = columns._replace(label=None)
    return _Layout(columns.image, captions, *labels_of(files, every, columns))


def _holds_texts(kind: Any) -> bool:
    """Whether a column may hold captions: texts, lists of them, or records."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        return _holds_texts(kind.value_type)
    if types.is_struct(kind):
        return not any(child.name == "bytes" for child in kind)
    return types.is_string(kind) or types.is_large_string(kind)


def _items(base: Path, files: list[Path], layout: _Layout) -> Iterator[Item]:
    def reader(image: Any, said: list[Any], label: int | None, folder: Path) -> Callable[[], tuple[Any, Told]]:
        def read() -> tuple[Any, Told]:
            if label == -1:
                raise Unusable("its label is missing")
            return _image(image, (folder, base)), Told(texts(said), label)

        return read

    number = 0
    for path in files:
        with opened(path) as file:
            row = 0
            for batch in file.iter_batches(ROWS, columns=[layout.image, *layout.captions], use_threads=False):
                for record in batch.to_pylist():
                    said = [record[name] for name in layout.captions]
                    label = layout.labels[number] if layout.labels else None
                    yield Item(f"{path.name} row {row}", reader(record[layout.image], said, label, path.parent))
                    row, number = row + 1, number + 1


def _image(value: Any, folders: tuple[Path, ...]) -> bytes | Path:
    """The bytes of an image, or the path of its file below one of `folders`."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if not value:
        raise Unusable("the row holds no image")
    if isinstance(value, bytes):
        return value
    found = next((folder / value for folder in folders if (folder / value).is_file()), None)
    if found is None:
        raise Unusable(f"names {value}, which is not there")
    return found
