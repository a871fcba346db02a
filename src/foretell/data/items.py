"""The items of a source, the results of its decoder, and the threads that decode."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from .columns import Column
    from .dataset import Skipped

MISSING = np.iinfo(np.int64).min
"""In a column of labels: this sample has none."""


class Unusable(Exception):
    """An image, a video or a row that cannot be used; the message is the reason."""


class Item(NamedTuple):
    """One image, video or piece of a table: its name for messages, and a function that reads it with its labels.

    `read` runs in a thread. Its error becomes the reason to skip the item.
    """

    name: str
    read: Callable[[], tuple[Any, Any]]
    """The raw data and, of images and videos, the number of its class, or None."""


class Case(NamedTuple):
    """What is known of a picture in a set with groups: numbers of its class and of its group, None where unknown."""

    label: int | None
    group: int | None = None


class Decoded(NamedTuple):
    """Consecutive samples: n rows of each column ({} if none could be used), and the skipped items among them."""

    columns: Mapping[str, Column]
    skipped: list[Skipped]
    items: int
    """The number of their items."""


def label_column(labels: Iterable[int | None]) -> np.ndarray:
    """int64 [n], `MISSING` for None."""
    return np.array([MISSING if label is None else label for label in labels], np.int64)


def in_threads(
    items: Iterable[Item], decode_chunk: Callable[[list[Item]], Decoded], count: int
) -> Generator[Decoded, None, None]:
    """The results of `decode_chunk` for all items, `count` at a time, in their order, with one thread for each core."""
    threads = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16)
    items, pending = iter(items), deque[Future[Decoded]]()
    with ThreadPoolExecutor(threads, "decode") as pool:
        try:
            while chunk := list(islice(items, count)):
                pending.append(pool.submit(decode_chunk, chunk))
                if len(pending) > 2 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
