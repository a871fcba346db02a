"""Photographs as a data set: many images decoded side by side, for the cache."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import numpy as np

from foretell.data.cache import Form, Stored, labels_of
from foretell.data.dataset import Images, Skipped
from foretell.data.items import Decoded, Item, in_threads, label_column
from foretell.errors import ForetellWarning

from .decode import decode_quiet, quiet_pillow, reason

T = TypeVar("T")
CHUNK = 32  # images a thread takes at once: thumbnails decode in 0.1 ms, no more than handing one over costs


def images(size: int) -> Form[Images]:
    """Photographs, `size` × `size`, for the cache."""
    return Form(
        what="images",
        kind=_images,
        shape=(3, size, size),
        key=str(size),
        decode=lambda items: decode_all(items, size),
        before=labels_of,
    )


def _images(stored: Stored) -> Images:
    return Images(stored.array("pixels"), stored.labels, stored.classes, stored.skipped, stored.fingerprint)


def decode_all(items: Iterable[Item], size: int) -> Generator[Decoded, None, None]:
    """All images in their order, decoded by one thread a core; memory holds a few chunks at a time.

    A ForetellWarning tells of pictures of many bits that use a small part of their range.
    """
    narrow: list[str] = []
    with quiet_pillow():
        yield from in_threads(items, lambda chunk: _decode_chunk(chunk, size, narrow), CHUNK)
    if narrow:
        first, more = min(narrow), f" and {len(narrow) - 1:,} more" if len(narrow) > 1 else ""
        warnings.warn(
            f"{first}{more} use less than a sixteenth of their range, so that they are nearly one grey here; stretch "
            "their values before if the differences matter",
            ForetellWarning,
            stacklevel=2,
        )


def _decode_chunk(items: list[Item], size: int, narrow: list[str]) -> Decoded:
    def use(item: Item) -> tuple[np.ndarray, int | None]:
        raw, label = item.read()
        return decode_quiet(raw, size, lambda: narrow.append(item.name)), label

    found, skipped = usable(items, use)
    columns = {"pixels": np.stack([x for x, _ in found]), "labels": label_column(y for _, y in found)} if found else {}
    return Decoded(columns, skipped, len(items))


def usable(items: Iterable[Item], use: Callable[[Item], T]) -> tuple[list[T], list[Skipped]]:
    """What is made of each item, and the items that nothing can be made of: one bad image never stops the others."""
    found, skipped = list[T](), list[Skipped]()
    for item in items:
        try:
            found.append(use(item))
        except Exception as error:  # from a source's reader, too
            skipped.append(Skipped(item.name, reason(error)))
    return found, skipped
