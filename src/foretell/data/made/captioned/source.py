"""`captions`, or `captions:N` for N scenes to learn from, and an eighth as many others, 512 or more, to test on.

`captions:N:SPLIT` tests on what is held out (see `draw.SPLITS`). `captions:N:FOLDER` and `captions:N:SPLIT:FOLDER` draw
from a folder of transparent pictures (see `foretell.data.sprites`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import partial
from typing import Any

from foretell.data.captions.form import Told
from foretell.data.items import Item
from foretell.data.made.splits import parts
from foretell.data.reads import Captions, Photographs
from foretell.data.source import Contents, Source, Splits, identity
from foretell.data.sprites import Sprites, load
from foretell.errors import ForetellError

from .draw import SPLITS, VERSION, Drawer, chance_of
from .render import picture
from .say import captions, swapped_colours, swapped_places

SMALLEST = 16
"""Pixels of a side, at least: the smallest things have four then."""
TESTED = 512
"""Scenes to test on, at least."""


def find(spec: str, reads: Photographs, seed: int) -> Splits:
    """Train and test scenes, drawn by `seed`.

    Raises:
        ForetellError: no number, no such split or folder, pictures that are too small, nothing is held out.
    """
    count, tested, folder = _asked(spec)
    check_size(spec, reads.size)
    sprites = load(folder)
    for split in ("train", tested):
        if not Drawer(sprites, split).numbers:
            raise ForetellError(
                f"{spec}: no picture is left for the split {split!r}: these sprites have none to hold out"
            )
    with_captions = isinstance(reads, Captions)
    asked = {"train": ("train", count), "test": (tested, max(count // 8, TESTED))}
    return {
        side: Source(
            name=f"captions ({split})",
            identity=identity("captions", VERSION, split, many, seed, sprites.fingerprint, with_captions),
            read=partial(_read, sprites, split, many, seed, reads),
        )
        for side, (split, many) in asked.items()
    }


def check_size(spec: str, size: int) -> None:
    """Raise ForetellError where pictures are too small to show the smallest things."""
    if size < SMALLEST:
        raise ForetellError(f"{spec}: found pictures of {size} pixels a side, expected {SMALLEST} or more")


def _asked(spec: str) -> tuple[int, str, str | None]:
    """How many scenes, which split to test on, and the folder of the sprites."""
    count, rest = parts(spec, "scenes", "SPLIT", "FOLDER")
    tested = rest.pop(0) if rest and rest[0] in SPLITS[1:] else "test"
    folder = ":".join(rest) if rest else None
    if folder is not None and "/" not in folder and (near := get_close_matches(folder, SPLITS[1:])):
        raise ForetellError(f"{spec}: no split {folder!r}; did you mean {near[0]!r}? There are {', '.join(SPLITS[1:])}")
    return count, tested, folder


def _read(sprites: Sprites, split: str, count: int, seed: int, reads: Photographs) -> Contents:
    classes = tuple(thing.name for thing in sprites.things)
    return Contents(count, classes, _items(sprites, split, count, seed, reads))


def _items(sprites: Sprites, split: str, count: int, seed: int, reads: Photographs) -> Iterator[Item]:
    drawer = Drawer(sprites, split)

    def reader(index: int) -> Callable[[], tuple[Any, Any]]:
        def read() -> tuple[Any, Any]:
            chance = chance_of(split, seed, index)
            scene = drawer.scene(chance)
            pixels = picture(scene, reads.size, sprites)
            if not isinstance(reads, Captions):
                return _image(pixels), scene.largest
            texts = {
                "swapped_colours": swapped_colours(scene, chance),
                "swapped_places": swapped_places(scene, chance),
            }
            said = captions(scene, chance, split)
            return pixels, Told(said, scene.largest, texts, {"scene": scene.rows})

        return read

    return (Item(f"scene {index}", reader(index)) for index in range(count))


def _image(pixels: Any) -> Any:
    """As photographs are decoded from."""
    from PIL import Image

    return Image.fromarray(pixels.transpose(1, 2, 0))
