"""Decoded data on disk, so that images and videos are decoded once.

A cache is a folder with the files of its columns (see `column_files`) and `about.json`. The folder's name is a hash of
the place that the data came from and of the files' sizes and dates there. Looking it up takes no reading. The
fingerprint is a hash of the content: data that was copied or moved keeps it.

A cache is written under another name, and renamed when it is complete. So a cache under its final name is complete,
even if the work was interrupted. A lock lets one process build while others wait for it.

Caches of the layout before (version 2: `pixels.npy`, and `labels.npy` with classes or with the steps of episodes) have
names of their own, and are still used.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any, Generic, NamedTuple

import filelock
import numpy as np
import torch
from torch import Tensor

from foretell.errors import ForetellError

from .column_files import ColumnWriter, open_column, pieces
from .columns import Chain, Column, ColumnType, Lists, type_of
from .dataset import K, Skipped, joined
from .items import MISSING, Decoded, Item
from .source import Contents, Source

VERSION = 3  # raise it when the layout changes, or decoding: old caches are then left alone
BEFORE = 2  # the version whose caches are still used
SPARE = 64 * 2**20  # bytes of the disk that a cache leaves free


def default_folder() -> Path:
    """$FORETELL_CACHE, or else ~/.cache/foretell."""
    return Path(os.environ.get("FORETELL_CACHE") or "~/.cache/foretell").expanduser()


class Stored(NamedTuple):
    """The contents of a cache."""

    columns: dict[str, Column]
    """By name, without labels."""
    labels: Tensor | None
    """int64 [N]."""
    classes: tuple[str, ...]
    names: dict[str, tuple[str, ...]]
    """The names of a column's numbers, by column."""
    skipped: tuple[Skipped, ...]
    fingerprint: str

    def array(self, name: str) -> np.ndarray | Chain:
        """A column that has no lists."""
        column = self.columns[name]
        assert not isinstance(column, Lists)
        return column


@dataclass(frozen=True)
class Form(Generic[K]):
    """The part of a source's items that is kept."""

    what: str
    """In messages, such as "images"."""
    kind: Callable[[Stored], K]
    """Makes a data set from a cache."""
    key: str
    """Tells forms apart."""
    decode: Callable[[Iterable[Item]], Generator[Decoded, None, None]]
    """Makes columns of items. A column `labels` is int64, with `MISSING` where there is none."""
    shape: tuple[int, ...] = ()
    """Shape of one sample in the column of pixels, the first; () without pixels."""
    each: int = 1
    """The largest number of samples of one item."""
    before: Callable[[np.ndarray, tuple[str, ...]], Stored] | None = None
    """The column of `labels.npy` and of the classes, in a cache of the former layout."""
    hashed: Callable[[Mapping[str, Column]], Iterable[Column]] | None = None
    """The contents that the fingerprint covers besides the first column; None: the other columns, one by one."""


def labels_of(labels: np.ndarray, classes: tuple[str, ...]) -> Stored:
    """For images and videos in the former layout: labels were labels."""
    return Stored({}, torch.from_numpy(labels), classes, {}, (), "")


def cached(source: Source, form: Form[K], folder: Path, progress: bool) -> K:
    """What is in `source`, from its cache in `folder`, which is made first if it is missing."""
    if source.parts:
        return joined([_cached(part, form, folder, progress) for part in source.parts])
    return _cached(source, form, folder, progress)


def _cached(source: Source, form: Form[K], folder: Path, progress: bool) -> K:
    slug = re.sub(r"\W+", "-", source.name).strip("-").lower()[:40]
    side = f"-{form.shape[-1]}" if form.shape else ""
    home, former = (
        folder / f"{slug}{side}-{hashlib.sha256(f'{version} {form.key} {source.identity}'.encode()).hexdigest()[:32]}"
        for version in (VERSION, BEFORE)
    )
    if (found := _open(home) or _open_former(former, form)) is not None:
        return form.kind(found)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f".{home.name}.lock", progress):
            # another process may have built it meanwhile
            if (found := _open(home)) is not None:
                return form.kind(found)
            _build(source, form, home, progress)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ForetellError(f"{folder}: the disk filled up while caching {source.name}. {_ELSEWHERE}") from error
        raise ForetellError(
            f"{folder}: cannot cache {form.what} here ({error.strerror or error}). {_ELSEWHERE}"
        ) from error
    found = _open(home)
    if found is None:
        raise ForetellError(f"{home}: this cache vanished while it was made: run again")
    return form.kind(found)


_ELSEWHERE = "Set FORETELL_CACHE to a folder on a disk that is writable and has room."


def _open(home: Path) -> Stored | None:
    """The cache in `home`, None where there is none, or it is damaged."""
    try:
        about = json.loads((home / "about.json").read_text())
        kinds = {name: ColumnType(kind["dtype"], tuple(kind["shape"])) for name, kind in about["columns"].items()}
        columns = {name: open_column(home, name, kind) for name, kind in kinds.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if len({len(column) for column in columns.values()}) != 1:
        return None
    labels = columns.pop("labels", None)
    return Stored(
        columns,
        None if labels is None else torch.from_numpy(np.array(labels)),
        tuple(about["classes"]),
        {name: tuple(names) for name, names in about["names"].items()},
        tuple(Skipped(*each) for each in about["skipped"]),
        about["fingerprint"],
    )


def _open_former(home: Path, form: Form[Any]) -> Stored | None:
    """A cache of the layout before, None where there is none, or it is damaged."""
    if form.before is None:
        return None
    try:
        about = json.loads((home / "about.json").read_text())
        pixels = np.load(home / "pixels.npy", mmap_mode="r")
        classes = tuple(about["classes"])
        known = form.before(np.load(home / "labels.npy"), classes) if about["labels"] else None
        skipped, fingerprint = tuple(Skipped(*each) for each in about["skipped"]), about["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if pixels.shape[1:] != form.shape:
        return None
    known = known or Stored({}, None, (), {}, (), "")
    columns: dict[str, Column] = {"pixels": pixels, **known.columns}
    return known._replace(columns=columns, skipped=skipped, fingerprint=fingerprint)


def _build(source: Source, form: Form[Any], home: Path, progress: bool) -> None:
    contents = source.read()
    _check_space(home.parent, contents.count, form, source.name)
    part = home.with_name(f".{home.name}.{uuid.uuid4().hex}.part")
    try:
        part.mkdir()
        _write(source.name, contents, form, part, progress)
        if home.exists() and _open(home) is None:  # damaged
            shutil.rmtree(home)
        try:
            part.rename(home)
        except OSError:
            if _open(home) is None:  # else another process was faster, where no lock could hold it
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(name: str, contents: Contents, form: Form[Any], part: Path, progress: bool) -> None:
    from foretell.progress import bar  # a second call needs only the files that are there

    writers: dict[str, ColumnWriter] = {}
    skipped: list[Skipped] = []
    first, missing, highest = hashlib.sha256(), False, -1
    with ExitStack() as files, closing(form.decode(contents.items)) as chunks:
        said = f"Decoding {contents.count} {form.what} of {name} once, to cache them."
        decoding = files.enter_context(bar(f"decoding {name}" if progress else None, contents.count, said))
        for decoded in chunks:
            for number, (column, rows) in enumerate(decoded.columns.items()):
                if column not in writers:
                    writers[column] = ColumnWriter(part, column)
                    files.callback(writers[column].close)
                writers[column].write(rows)
                if number == 0:
                    for piece in pieces(rows):  # the first column may be large: it is not read again
                        first.update(piece)
                if column == "labels" and isinstance(rows, np.ndarray):
                    missing, highest = missing or bool((rows == MISSING).any()), max(highest, int(rows.max()))
            skipped += decoded.skipped
            decoding.advance(decoded.items)
        if not writers:
            said = "; ".join(f"{each.name}: {each.reason}" for each in skipped[:3]) or "it is empty"
            raise ForetellError(f"{name}: no usable {form.what.removesuffix('s')} among {len(skipped)} ({said})")
        for writer in writers.values():
            writer.finish()
    if missing:  # data that is labelled in part has no labels
        del writers["labels"]
        (part / "labels.npy").unlink()
    classes = (contents.classes or tuple(map(str, range(highest + 1)))) if "labels" in writers else ()
    columns = {column: open_column(part, column, writer.type) for column, writer in writers.items()}
    about = {
        "source": name,
        "columns": {column: writer.type._asdict() for column, writer in writers.items()},
        "classes": classes,
        "names": dict(contents.names),
        "skipped": skipped,
        "fingerprint": _fingerprint(first, columns, form, classes or tuple(chain(*contents.names.values()))),
    }
    (part / "about.json").write_text(json.dumps(about, indent=1))


def _fingerprint(first: Any, columns: Mapping[str, Column], form: Form[Any], names: tuple[str, ...]) -> str:
    """A hash of all columns (`first` is the digest of the first one) and of their names."""
    others = form.hashed(columns) if form.hashed else list(columns.values())[1:]
    for column in others:
        for piece in pieces(column):
            first.update(piece)
    count = len(next(iter(columns.values())))
    kinds = form.shape or {name: type_of(column) for name, column in columns.items()}
    first.update(json.dumps([kinds, count, names]).encode())
    return first.hexdigest()[:32]


def _check_space(folder: Path, count: int, form: Form[Any], name: str) -> None:
    if not form.shape:
        return
    size, need, free = form.shape[-1], count * form.each * prod(form.shape), shutil.disk_usage(folder).free
    if need + SPARE > free:
        raise ForetellError(
            f"{folder}: caching {count} {form.what} of {name} at {size} × {size} needs {need / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free. {_ELSEWHERE}"
        )


@contextmanager
def _locked(path: Path, progress: bool) -> Iterator[None]:
    """Hold the lock on `path`; go without where the file system has none: the faster process wins then."""
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if progress:
            from foretell.progress import say

            say("Another process is caching this data; waiting for it.")
        lock.acquire()
    except NotImplementedError:
        yield
        return
    try:
        for stale in path.parent.glob(
            f"{path.stem}.*.part"
        ):  # left by a process that was killed: no other process uses it
            shutil.rmtree(stale, ignore_errors=True)
        yield
    finally:
        lock.release()
