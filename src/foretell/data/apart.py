"""What must hold between the data to learn from and the data to test on."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch

from foretell.errors import ForetellError, ForetellWarning

from .dataset import Images, K

PROBED = 64
"""Pixels of a picture that are compared first."""
CHUNK = 4096
"""Pictures that are read at a time."""


def checked(spec: str | Path, train: K, test: K) -> tuple[K, K]:
    """Two splits, the test split without the classes that training has no sample of.

    Raises:
        ForetellError: then nothing is left to test on.

    Warns:
        ForetellWarning: names such classes, and counts pictures that are in both splits.
    """
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
    """How many test pictures are also training pictures, pixel for pixel. Blank ones are no leak."""
    if not (len(train) and len(test)) or train.columns["pixels"] != test.columns["pixels"]:
        return 0
    several = _probes(train)
    alike = [(n, several[key]) for key, places in _probes(test).items() if key in several for n in places]
    return sum(any(torch.equal(test.take([n])[0], train.take([m])[0]) for m in places) for n, places in alike)


def _probes(data: Images) -> dict[bytes, list[int]]:
    """Some pixels of each picture -> the pictures that have these; without those of one grey."""
    found: dict[bytes, list[int]] = {}
    for first in range(0, len(data), CHUNK):
        rows = data.take(np.arange(first, min(first + CHUNK, len(data)))).flatten(1)
        at = torch.linspace(0, rows.shape[1] - 1, PROBED).long()
        for number, row in enumerate(rows[:, at].numpy(), first):
            if row.min() < row.max():
                found.setdefault(row.tobytes(), []).append(number)
    return found
