"""How images with captions are decoded and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from foretell.data.cache import Form, Stored
from foretell.data.columns import Column, lists, several_texts
from foretell.data.dataset import Captioned
from foretell.data.images.decode import Raw, decode_quiet, quiet_pillow
from foretell.data.images.form import CHUNK, usable
from foretell.data.items import Decoded, Item, Unusable, in_threads, label_column

from .text import cleaned

VERSION = 1  # raise it when the same file gives other columns


@dataclass(frozen=True)
class Told:
    """What an item knows of its image."""

    captions: Sequence[str | bytes | None]
    label: int | None = None
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further columns of texts."""
    rows: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further columns of arrays [L, ...] that differ in L."""


def captioned(size: int) -> Form[Captioned]:
    """Images with captions, `size` × `size`, for the cache."""
    return Form(
        what="captioned images",
        kind=_captioned,
        shape=(3, size, size),
        key=f"captions {VERSION} {size}",
        decode=lambda items: decode_all(items, size),
    )


def _captioned(stored: Stored) -> Captioned:
    others = {name: column for name, column in stored.columns.items() if name not in ("pixels", "captions")}
    return Captioned(
        stored.array("pixels"),
        stored.labels,
        stored.classes,
        stored.skipped,
        stored.fingerprint,
        captions=stored.columns["captions"],
        others=others,
    )


def decode_all(items: Iterable[Item], size: int) -> Generator[Decoded, None, None]:
    """All images in their order; what is odd about captions is counted, and told once."""
    odd: Counter[str] = Counter()
    with quiet_pillow():
        yield from in_threads(items, lambda chunk: _decode_chunk(chunk, size, odd), CHUNK)
    _tell(odd)


def _decode_chunk(items: list[Item], size: int, odd: Counter[str]) -> Decoded:
    def use(item: Item) -> tuple[np.ndarray, Told]:
        raw, known = item.read()
        captions, strange = cleaned(known.captions)
        odd.update(strange)
        if not captions:
            raise Unusable("has no caption")
        return _pixels(raw, size), replace(known, captions=captions)

    found, skipped = usable(items, use)
    columns = _columns([pixels for pixels, _ in found], [told for _, told in found]) if found else {}
    return Decoded(columns, skipped, len(items))


def _columns(pixels: list[np.ndarray], told: list[Told]) -> dict[str, Column]:
    columns: dict[str, Column] = {
        "pixels": np.stack(pixels),
        "captions": several_texts([[str(text) for text in each.captions] for each in told]),
        "labels": label_column([each.label for each in told]),
    }
    for name in told[0].texts:
        columns[name] = several_texts([each.texts[name] for each in told])
    for name in told[0].rows:
        columns[name] = lists([each.rows[name] for each in told])
    return columns


def _pixels(raw: Raw | Any, size: int) -> np.ndarray:
    """uint8 [3, size, size]; what was made at this size is itself."""
    if isinstance(raw, np.ndarray) and raw.shape == (3, size, size) and raw.dtype == np.uint8:
        return raw
    return decode_quiet(raw, size)


def _tell(odd: Counter[str]) -> None:
    if odd:
        from foretell.progress import say

        say("Captions: " + ", ".join(f"{count:,} {what}" for what, count in odd.most_common()) + ".")
