"""What must hold between the data to learn from and the data to test on."""

from __future__ import annotations

import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from foretell.errors import ForetellError, ForetellWarning

from .dataset import Images, K, Pictures

CHUNK = 1024
"""Pictures that are read at a time."""


def checked(spec: str | Path, train: K, test: K) -> tuple[K, K]:
    """Two splits, the test split without the classes that training has no sample of.

    Raises:
        ForetellError: then nothing is left to test on.

    Warns:
        ForetellWarning: names such classes, and counts pictures that are in both splits.
    """
    if isinstance(train, Pictures):  # a probe learns their classes; procedures are measured without
        test = _known(spec, train, test)
    if isinstance(train, Images) and isinstance(test, Images) and (same := shared(train, test)):
        warnings.warn(
            f"{spec}: {same:,} of {len(test):,} test pictures are training pictures too, pixel for pixel: what is "
            "measured on them says nothing of new ones; take them out of one of the splits",
            ForetellWarning,
            stacklevel=3,
        )
    return train, test


def _known(spec: str | Path, train: K, test: K) -> K:
    if train.labels is None or test.labels is None or train.classes != test.classes or not len(test):
        return test
    count = len(train.classes)
    learned, asked = (data.labels.bincount(minlength=count) for data in (train, test))  # type: ignore[union-attr]
    lacking = ((learned == 0) & (asked > 0)).nonzero().flatten().tolist()
    if not lacking:
        return test
    named = ", ".join(f"{train.classes[c]} ({int(asked[c])})" for c in lacking[:8]) + (
        ", …" if len(lacking) > 8 else ""
    )
    kept = ~torch.isin(test.labels, torch.tensor(lacking))
    if not kept.any():
        raise ForetellError(f"{spec}: the test split has only classes without a training sample: {named}")
    warnings.warn(
        f"{spec}: the test split has classes without a training sample, which are left out: {named}",
        ForetellWarning,
        stacklevel=4,
    )
    return test.subset(kept)


def shared(train: Images, test: Images) -> int:
    """How many test pictures are also training pictures, pixel for pixel. Blank ones are no leak.

    A row of pixels is compared first, so that little is read of pictures that differ.
    """
    if not (len(train) and len(test)) or train.columns["pixels"] != test.columns["pixels"]:
        return 0
    lines = [_lines(data) for data in (train, test)]
    both = lines[0].keys() & lines[1].keys()
    learned, asked = (
        _digests(data, sorted(n for line in both for n in of[line]))
        for data, of in zip((train, test), lines, strict=True)
    )
    known = set(learned)
    return sum(digest in known for digest in asked)


def _lines(data: Images) -> dict[bytes, list[int]]:
    """The middle row of each picture's second channel -> the pictures that have it."""
    pixels, middle = data.pixels, data.take([0]).shape[2] // 2
    found: dict[bytes, list[int]] = {}
    for first in range(0, len(data), CHUNK):
        places = data.at(np.arange(first, min(first + CHUNK, len(data))))
        if isinstance(pixels, np.ndarray):  # a memory map: only these pixels are read
            rows = pixels[places, 1, middle]
        else:
            rows = pixels.take(places, axis=0)[:, 1, middle]
        for number, row in enumerate(rows, first):
            found.setdefault(row.tobytes(), []).append(number)
    return found


def _digests(data: Images, places: list[int]) -> list[bytes]:
    """Hashes of whole pictures; without those of one grey."""
    found: list[bytes] = []
    for first in range(0, len(places), CHUNK):
        some = data.take(places[first : first + CHUNK]).numpy()
        found += [sha256(picture.tobytes()).digest() for picture in some if picture.min() < picture.max()]
    return found
