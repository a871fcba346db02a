"""Decoded pixels on disk, so that images and videos are decoded once.

A cache is a folder of `pixels.npy`, `labels.npy` and `about.json`, named by where it was made from and by the dates
there, which is quick to look up. Its fingerprint is of what it holds, so that data which was copied or moved is known
to be the same. It is written under another name and renamed when whole: whatever stops the work, a cache that has its
name is complete. A lock lets one process build while others wait for it.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, Generic

import filelock
import numpy as np
import torch
from numpy.lib import format as npy

from foretell.errors import ForetellError
from foretell.progress import bar, say

from .decode import Decoded, Item, Label, decode_all
from .images import Images, Kind, Skipped
from .source import Contents, Source

VERSION = 2  # raise it when the layout changes, or decoding: old caches are then left alone
SPARE = 64 * 2**20  # bytes of the disk that a cache leaves free


def default_folder() -> Path:
    """$FORETELL_CACHE, else ~/.cache/foretell."""
    return Path(os.environ.get("FORETELL_CACHE") or "~/.cache/foretell").expanduser()


@dataclass(frozen=True)
class Form(Generic[Kind]):
    """What is kept of a source's items.

    what: "images", for messages.
    kind: `Images`, `Videos` or `Episodes`.
    shape: of one in the array.
    key: tells forms apart.
    decode: makes arrays of items.
    each: at most so many come of one item.
    """

    what: str
    kind: Callable[..., Kind]
    shape: tuple[int, ...]
    key: str
    decode: Callable[[Iterable[Item]], Generator[Decoded, None, None]]
    each: int = 1


def images(size: int) -> Form[Images]:
    """Photographs, `size` × `size`."""
    return Form("images", Images, (3, size, size), str(size), lambda items: decode_all(items, size))


def cached(source: Source, form: Form[Kind], folder: Path, progress: bool) -> Kind:
    """What is in `source`, from its cache in `folder`, which is made first if it is missing."""
    mark = hashlib.sha256(f"{VERSION} {form.key} {source.identity}".encode()).hexdigest()[:32]
    slug = re.sub(r"\W+", "-", source.name).strip("-").lower()[:40]
    home = folder / f"{slug}-{form.shape[-1]}-{mark}"
    if (found := _open(home, form.kind)) is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f".{home.name}.lock", progress):
            # another process may have built it meanwhile
            if (found := _open(home, form.kind)) is not None:
                return found
            _build(source, form, home, progress)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ForetellError(f"{folder}: the disk filled up while caching {source.name}. {_ELSEWHERE}") from error
        raise ForetellError(
            f"{folder}: cannot cache {form.what} here ({error.strerror or error}). {_ELSEWHERE}"
        ) from error
    found = _open(home, form.kind)
    if found is None:
        raise ForetellError(f"{home}: this cache vanished while it was made; run again.")
    return found


_ELSEWHERE = "Set FORETELL_CACHE to a folder on a disk that is writable and has room."


def _open(home: Path, kind: Callable[..., Kind]) -> Kind | None:
    """The cache in `home`, None where there is none or it is damaged."""
    try:
        about = json.loads((home / "about.json").read_text())
        pixels = np.load(home / "pixels.npy", mmap_mode="r")
        labels = torch.from_numpy(np.load(home / "labels.npy")) if about["labels"] else None
    except (OSError, ValueError, KeyError):
        return None
    skipped = tuple(Skipped(*each) for each in about["skipped"])
    return kind(pixels, labels, tuple(about["classes"]), skipped, about["fingerprint"])


def _build(source: Source, form: Form[Kind], home: Path, progress: bool) -> None:
    contents = source.read()
    _check_space(home.parent, contents.count, form, source.name)
    part = home.with_name(f".{home.name}.{uuid.uuid4().hex}.part")
    try:
        part.mkdir()
        _write(source.name, contents, form, part, progress)
        if home.exists() and _open(home, form.kind) is None:  # damaged
            shutil.rmtree(home)
        try:
            part.rename(home)
        except OSError:
            if _open(home, form.kind) is None:  # else another process was faster, where no lock could hold it
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(name: str, contents: Contents, form: Form[Kind], part: Path, progress: bool) -> None:
    labels: list[Label] = []
    skipped: list[Skipped] = []
    digest = hashlib.sha256()
    # Written as a file, not through a map: on a full disk a write raises, a map kills the process.
    with (
        open(part / "pixels.npy", "wb") as file,
        bar(
            f"decoding {name}" if progress else None,
            contents.count,
            f"Decoding {contents.count} {form.what} of {name} once, to cache them.",
        ) as decoding,
        closing(form.decode(contents.items)) as chunks,
    ):
        _write_header(file, contents.count * form.each, form.shape)
        for decoded in chunks:
            file.write(decoded.pixels.data)
            digest.update(decoded.pixels.data)
            labels += decoded.labels
            skipped += decoded.skipped
            decoding.advance(decoded.items)
        if not labels:
            said = "; ".join(f"{each.name}: {each.reason}" for each in skipped[:3]) or "it is empty"
            raise ForetellError(f"{name}: no usable {form.what.removesuffix('s')} among {len(skipped)} ({said}).")
        file.seek(0)
        _write_header(file, len(labels), form.shape)
        file.flush()
        os.fsync(file.fileno())  # before the rename, so that a power cut cannot leave a named cache without its data
    known = [label for label in labels if label is not None]
    labelled = len(known) == len(labels)
    if labelled:
        np.save(part / "labels.npy", np.array(known))
        digest.update(np.array(known).data)
    classes = (contents.classes or tuple(map(str, range(max(known) + 1)))) if labelled else ()
    digest.update(json.dumps([form.shape, len(labels), classes]).encode())
    about = {"source": name, "size": form.shape[-1], "labels": labelled, "classes": classes, "skipped": skipped}
    about["fingerprint"] = digest.hexdigest()[:32]
    (part / "about.json").write_text(json.dumps(about, indent=1))


def _write_header(file: BinaryIO, count: int, shape: tuple[int, ...]) -> None:
    """As long for every `count`: numpy pads the header so that arrays can grow."""
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)})


def _check_space(folder: Path, count: int, form: Form[Kind], name: str) -> None:
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
            say("Another process is caching this data; waiting for it.")
        lock.acquire()
    except NotImplementedError:
        yield
        return
    try:
        for stale in path.parent.glob(f"{path.stem}.*.part"):  # of a process that was killed: nobody else is at it
            shutil.rmtree(stale, ignore_errors=True)
        yield
    finally:
        lock.release()
