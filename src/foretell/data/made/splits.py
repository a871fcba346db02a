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
    """N of `NAME:N`, or the usual number. Raises ForetellError where it is none, or more follows."""
    count, rest = parts(spec, what)
    if rest:
        raise _unknown(spec, what)
    return count


def parts(spec: str, what: str, *then: str) -> tuple[int, list[str]]:
    """N of `NAME:N:…`, or the usual number, and what follows it.

    Args:
        spec: the place of the data.
        what: there are N of, for errors.
        then: what may follow, for errors.

    Raises:
        ForetellError: N is no number, or too small.
    """
    _, *rest = spec.split(":")
    number = rest.pop(0) if rest else str(COUNT)
    if not (number.isdecimal() and int(number) >= 8):
        raise _unknown(spec, what, *then)
    return int(number), rest


def _unknown(spec: str, what: str, *then: str) -> ForetellError:
    name = spec.partition(":")[0]
    more = "".join(f", or {name}:N:{each}" for each in then)
    return ForetellError(f"{spec}: expected {name}, or {name}:N with a whole number of {what}, 8 or more{more}")


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
