"""Data that is made here: `NAME`, or `NAME:N` for N samples to learn from, and N / 8 other samples to test on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version

from foretell.data.source import Contents, Source, Splits, identity
from foretell.errors import ForetellError
from foretell.extras import needed

COUNT = 4096
HELD_OUT = 10**9  # number of the first one to test on


def asked(spec: str, what: str) -> int:
    """N of `NAME:N`, or the usual number. Raises ForetellError where it is none."""
    name, colon, number = spec.partition(":")
    if colon and not (number.isdecimal() and int(number) >= 8):
        raise ForetellError(f"{spec}: expected {name}, or {name}:N with a whole number of {what}, 8 or more.")
    return int(number or COUNT)


def splits(name: str, count: int, layout: int, seed: int, read: Callable[[int, int], Contents]) -> Splits:
    """`count` to learn from and an eighth as many to test on; `read` makes some, from which number on and how many."""
    needed("pymunk", "making data")
    return {
        split: Source(
            name=f"{name} ({split})",
            identity=identity(name, layout, version("pymunk"), split, many, seed),
            read=partial(read, first, many),
        )
        for split, (first, many) in {"train": (0, count), "test": (HELD_OUT, count // 8)}.items()
    }
