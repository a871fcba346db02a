"""Photographs with what else is known of each: its group, its file, and properties of the file.

    data = load("path/to/waterbirds", GroupedPhotographs(64))
    data.batch([0, 1])["groups"], data.names["groups"]      # int64 [B], −1 where unknown; ("land", "water")
    data.facts([0, 1]).cameras         # what took the pictures, where their files say so

N samples · R stored rows
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from foretell.data.batch import Ragged
from foretell.data.cache import Form, Stored
from foretell.data.columns import Chain, Column, tensor, texts
from foretell.data.dataset import Images, Index, positions
from foretell.data.items import Case, Decoded, Item, Unusable, in_threads, label_column

from .decode import Raw, decode_quiet, quiet_pillow
from .form import CHUNK, usable

VERSION = 1  # raise it when the same files give other columns
UNKNOWN = -1
"""The group of a picture of which it is not known."""
CAMERA = 0x0110  # EXIF: Model


class Facts(NamedTuple):
    """What files say of themselves, n of them."""

    files: list[str]
    widths: np.ndarray
    """int64 [n], in pixels."""
    heights: np.ndarray
    sizes: np.ndarray
    """int64 [n], in bytes; 0 where there is no file."""
    formats: list[str]
    """As Pillow names them; "" where there is no file."""
    cameras: list[str]
    """The model by EXIF; "" where the file has none."""


@dataclass(frozen=True, eq=False)
class GroupedImages(Images):
    """Decoded photographs with groups and facts about their files; other fields are as of `Images`.

    groups: int64 [R], `UNKNOWN` where a picture has none; None where no group is known.
    names: what the numbers of groups are called: `names["groups"][group]`.
    measures: int64 [R, 3]: width, height and bytes.
    told: `file`, `format` and `camera` as texts.
    """

    groups: np.ndarray | Chain | None = field(default=None, repr=False)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    measures: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.int64), repr=False)
    told: dict[str, Column] = field(default_factory=dict, repr=False)

    @property
    def stored(self) -> dict[str, Column]:
        """The pixels, and the groups where they are known."""
        return {"pixels": self.pixels} if self.groups is None else {"pixels": self.pixels, "groups": self.groups}

    def facts(self, index: Index | None = None) -> Facts:
        """What is known of the files at `index`; None for all."""
        places = self.at(np.arange(len(self)) if index is None else positions(index, len(self)))
        width, height, size = self.measures.take(places, axis=0).T
        files, formats, cameras = (_strings(self.told[name], places) for name in ("file", "format", "camera"))
        return Facts(files, width, height, size, formats, cameras)


def _strings(column: Column, places: np.ndarray) -> list[str]:
    found = tensor(column.take(places))
    return found.texts() if isinstance(found, Ragged) else []


def grouped(size: int) -> Form[GroupedImages]:
    """Photographs, `size` × `size`, for the cache. Items tell a `Case`, or the number of a class alone."""
    return Form(
        what="images",
        kind=_kind,
        shape=(3, size, size),
        key=f"grouped {VERSION} {size}",
        decode=lambda items: _decode_all(items, size),
    )


def _kind(stored: Stored) -> GroupedImages:
    return GroupedImages(
        stored.array("pixels"),
        stored.labels,
        stored.classes,
        stored.skipped,
        stored.fingerprint,
        groups=stored.array("groups") if stored.names.get("groups") else None,
        names=stored.names,
        measures=np.asarray(stored.array("measures")[:]),
        told={name: stored.columns[name] for name in ("file", "format", "camera")},
    )


def _decode_all(items: Iterable[Item], size: int) -> Generator[Decoded, None, None]:
    with quiet_pillow():
        yield from in_threads(items, lambda chunk: _decode_chunk(chunk, size), CHUNK)


def _decode_chunk(items: list[Item], size: int) -> Decoded:
    def use(item: Item) -> tuple[np.ndarray, Case, tuple[int, int, int, str, str], str]:
        raw, known = item.read()
        case = known if isinstance(known, Case) else Case(known)
        return decode_quiet(raw, size), case, _facts(raw), item.name

    found, skipped = usable(items, use)
    if not found:
        return Decoded({}, skipped, len(items))
    pixels, cases, facts, names = zip(*found, strict=True)
    columns: dict[str, Column] = {
        "pixels": np.stack(pixels),
        "labels": label_column(case.label for case in cases),
        "groups": np.array([UNKNOWN if case.group is None else case.group for case in cases], np.int64),
        "measures": np.array([fact[:3] for fact in facts], np.int64),
        "file": texts(names),
        "format": texts([fact[3] for fact in facts]),
        "camera": texts([fact[4] for fact in facts]),
    }
    return Decoded(columns, skipped, len(items))


def _facts(raw: Raw) -> tuple[int, int, int, str, str]:
    """Width, height, bytes, format and camera."""
    if isinstance(raw, np.ndarray):
        raise Unusable("not an image")
    if isinstance(raw, Image.Image):
        return raw.width, raw.height, 0, raw.format or "", ""
    size = len(raw) if isinstance(raw, bytes) else Path(raw).stat().st_size
    with Image.open(io.BytesIO(raw) if isinstance(raw, bytes) else raw) as image:
        camera = ""
        with suppress(Exception):  # broken EXIF says nothing about the picture
            camera = str(image.getexif().get(CAMERA, "")).strip("\0 ")
        return image.width, image.height, size, image.format or "", camera
