"""Parquet files with an image column: the layout of data sets on the Hugging Face Hub."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from foretell.data.headings import GROUPS, heading
from foretell.data.items import Case, Item, Unusable
from foretell.data.source import Contents, File, Source, Splits, identity, named_splits, split_of
from foretell.errors import ForetellError
from foretell.extras import needed

from .decode import decode

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

IMAGES = ("image", "img", "images", "photo", "picture", "png", "jpg")
LABELS = ("label", "labels", "fine_label", "class", "class_id", "target", "category", "coarse_label")
ROWS = 64  # read at once: of full photographs some tens of megabytes


def find(
    root: Path, files: list[File], label: str | None = None, group: str | None = None, groups: bool = False
) -> Splits:
    """The splits of parquet `files` below `root`, by the names of the files or of their folders.

    A `root` that is a file itself has none.

    Args:
        root: a folder, or the one file.
        files: below it.
        label: the column of labels; None for one that looks like it.
        group: the column of groups; None for one of the usual names.
        groups: items tell a `Case`; without it `group` has no use.
    """
    names = [_split(file) for file in files]
    named = named_splits(names)
    parts = {
        split: [file for file, found in zip(files, names, strict=True) if found == name]
        for split, name in named.items()
    }

    def paths(some: list[File]) -> list[Path]:
        return [root / file.path for file in some]

    return {
        split: Source(
            name=root.name if split == "all" else f"{root.name} ({named[split]})",
            # The classes come from the files of all splits, so that a label means the same in each.
            identity=identity("parquet", root, split, files, *([label, group] if groups else [])),
            read=partial(_read, paths(part), paths(files), label, group, groups),
        )
        for split, part in (parts or {"all": files}).items()
    }


def _split(file: File) -> str | None:
    path = PurePosixPath(file.path)
    return next((name for part in (path.stem, *path.parts[-2::-1]) if (name := split_of(part))), None)


def has_pictures(path: Path) -> bool:
    """Whether a parquet file has a column of pictures."""
    try:
        return bool(_columns(path).image)
    except NoPictures:
        return False


class NoPictures(ForetellError):
    """A parquet file without a column of pictures."""


def _read(files: list[Path], all_files: list[Path], label: str | None, group: str | None, grouped: bool) -> Contents:
    columns = _columns(files[0])
    if label:
        columns = columns._replace(label=heading(files[0], columns.all, label, (), "label"), classes=())
    labels, classes = _labels(files, all_files, columns)
    group = heading(files[0], columns.all, group, GROUPS, "group") if grouped else None
    groups, names = _labels(files, all_files, columns._replace(label=group, classes=()), partly=True)
    count = 0
    for path in files:
        with _opened(path) as file:
            count += file.metadata.num_rows
            if columns.image not in file.schema_arrow.names:
                raise ForetellError(
                    f"{path}: has no column {columns.image!r}, which holds the images of {files[0].name}; "
                    "expected files of one layout: name the folder of one configuration, or a single file."
                )
    known = [
        Case(y, None if a == -1 else a) if grouped else y
        for y, a in zip(labels or [None] * count, groups or [None] * count, strict=True)
    ]
    return Contents(count, classes, _items(files, columns.image, labels, known), {"groups": names} if names else {})


def _items(
    files: list[Path], column: str, labels: list[int] | None, known: Sequence[int | Case | None]
) -> Iterator[Item]:
    def reader(value: Any, label: int | None, told: int | Case | None) -> Callable[[], tuple[bytes, Any]]:
        def read() -> tuple[bytes, Any]:
            if label == -1:
                raise Unusable("its label is missing")
            if not (data := value.get("bytes") if isinstance(value, dict) else value):
                raise Unusable("the row holds no image bytes")
            return data, told

        return read

    number = 0
    for path in files:
        with _opened(path) as file:
            row = 0
            for batch in file.iter_batches(ROWS, columns=[column], use_threads=False):
                for value in batch.column(0).to_pylist():
                    yield Item(
                        f"{path.name} row {row}", reader(value, labels[number] if labels else None, known[number])
                    )
                    row, number = row + 1, number + 1


class _Columns(NamedTuple):
    """The image column, the label column, and the names of the classes where the file has them."""

    image: str
    label: str | None
    classes: tuple[str, ...]
    all: tuple[str, ...]


def _columns(path: Path) -> _Columns:
    with _opened(path) as file:
        schema, features = file.schema_arrow, _features(file.schema_arrow)
        kinds = {name: str(feature.get("_type")) for name, feature in features.items() if isinstance(feature, dict)}

        said = [name for name in schema.names if kinds.get(name) == "Image"]
        structs = [field.name for field in schema if field.name not in kinds and _holds_bytes(field.type)]
        plain = [field.name for field in schema if field.name not in kinds and _is_binary(field.type)]
        found = _ranked(said, IMAGES) or _ranked(structs, IMAGES)
        image = next(iter(found), None) or next((n for n in _ranked(plain, IMAGES) if _decodes(file, n)), None)
        if image is None:
            held = ", ".join(f"{field.name}: {field.type}" for field in schema)
            raise NoPictures(
                f"{path}: no image column; found {held or 'no column'}; expected a column of "
                "struct<bytes, path> or of the bytes of encoded images, as the Hugging Face Hub stores them."
            )

        said = _ranked([name for name in schema.names if kinds.get(name) == "ClassLabel"], LABELS)
        usable = [field.name for field in schema if _is_label(field.type)]
        named = [name for name in _ranked(usable, LABELS) if name.lower() in LABELS]
        whole = [name for name in usable if _is_integer(schema.field(name).type)]
        label = next(iter(said or named), None)
        if label is None and len(whole) == 1 and not _numbers_rows(file, whole[0]):
            label = whole[0]
        classes = features[label].get("names") or () if label in said else ()
        return _Columns(image, label, tuple(map(str, classes)), tuple(schema.names))


def _labels(
    files: list[Path], all_files: list[Path], columns: _Columns, partly: bool = False
) -> tuple[list[int] | None, tuple[str, ...]]:
    """A label for every row of `files`, -1 where it is missing, and the classes; None, () without labels.

    Where most are missing there are none, unless `partly`.
    """
    name = columns.label
    if name is None:
        return None, ()
    values = {path: _values(path, name) for path in (files if columns.classes else all_files)}
    if columns.classes:
        known = list(range(len(columns.classes)))
    else:
        known = sorted({value for column in values.values() for value in column if value not in (None, -1, "")})
    number = {value: index for index, value in enumerate(known)}
    labels = [number.get(value, -1) for path in files for value in values[path]]
    if not partly and 2 * labels.count(-1) >= len(
        labels
    ):  # the hidden labels of a test split, or mostly unlabelled data
        return None, ()
    return labels, columns.classes or tuple(str(value) for value in known)


def _values(path: Path, column: str) -> list[Any]:
    with _opened(path) as file:
        if column not in file.schema_arrow.names:
            return [None] * file.metadata.num_rows
        return file.read([column], use_threads=False).column(0).to_pylist()


def _decodes(file: "pq.ParquetFile", column: str) -> bool:
    batch = next(file.iter_batches(16, columns=[column], use_threads=False), None)
    for value in batch.column(0).to_pylist() if batch else []:
        try:
            decode(value or b"", 1)
        except Unusable:
            continue
        return True
    return False


def _numbers_rows(file: "pq.ParquetFile", column: str) -> bool:
    """Whether an integer column counts or identifies the rows rather than sorting them into classes."""
    values = file.read([column], use_threads=False).column(0)
    return 2 * len(values.unique()) > len(values)


def _features(schema: "pa.Schema") -> dict[str, Any]:
    """What Hugging Face's own metadata say of the columns, {} without."""
    try:
        return dict(json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"])
    except (KeyError, TypeError, ValueError):
        return {}


def _ranked(names: Iterable[str], preferred: tuple[str, ...]) -> list[str]:
    return sorted(names, key=lambda n: preferred.index(n.lower()) if n.lower() in preferred else len(preferred))


def _is_binary(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _is_integer(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_boolean(kind)


def _is_label(kind: "pa.DataType") -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return _is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)


def _holds_bytes(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return types.is_struct(kind) and any(child.name == "bytes" and _is_binary(child.type) for child in kind)


@contextmanager
def _opened(path: Path) -> Iterator["pq.ParquetFile"]:
    needed("pyarrow", "reading Parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not pre-buffered and through a small buffer, reading holds pages (at most 1024 rows), not row groups.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0]
        raise ForetellError(
            f"{path}: not a whole parquet file ({said}); expected one that pyarrow reads; fetch it again."
        ) from error
