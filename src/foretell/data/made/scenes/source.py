"""`scenes`, or `scenes:N` for N of them: clips for training, and an eighth as many others for testing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from foretell.data.items import Item
from foretell.data.made.splits import asked, splits
from foretell.data.reads import Clips
from foretell.data.source import Contents, Splits
from foretell.errors import ForetellError

from . import KINDS, VERSION, film, scene
from .world import Scene


def find(spec: str, cut: Clips, seed: int) -> Splits:
    """Train and test clips, drawn by `seed`. Raises ForetellError if it is not a number, or for another frame rate."""
    train = asked(spec, "clips")
    own = cut.frames / Scene.seconds
    if cut.fps not in (None, own) or cut.stride != 1:
        raise ForetellError(
            f"{spec}: scenes last {Scene.seconds:g} seconds, in as many frames as a clip has ({own:g} a second), and "
            f"cannot be had at another pace (fps {cut.fps}, stride {cut.stride}): `foretell scenes` writes files"
        )
    if cut.frames < 8 or cut.size < 8:
        raise ForetellError(f"{spec}: found {cut.frames} frames at size {cut.size}; expected 8 or more of both.")
    return splits("scenes", train, VERSION, seed, partial(_read, seed, cut))


def _read(seed: int, cut: Clips, start: int, count: int) -> Contents:
    return Contents(count, tuple(KINDS), _items(start, count, seed, cut))


def _items(start: int, count: int, seed: int, cut: Clips) -> Iterator[Item]:
    def reader(index: int) -> Callable[[], tuple[np.ndarray, int]]:
        def read() -> tuple[np.ndarray, int]:
            drawn = scene(seed, index, cut.frames)
            return film(drawn, cut.size, cut.frames), tuple(KINDS).index(drawn.kind)

        return read

    return (Item(f"scene {index}", reader(index)) for index in range(start, start + count))
