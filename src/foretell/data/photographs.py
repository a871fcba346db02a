"""`photographs`: crops of the colour photographs in `pictures/`, which are in the public domain. Needs no network.

Train crops come from the left two thirds of each photograph (the upper two of an upright one), test crops from the
rest. No pixel is in both. A crop's label is its photograph.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from foretell.errors import ForetellError

from .items import Item
from .source import Contents, Source, Splits, identity

VERSION = 2  # raise it when the same seed gives other crops
FOLDER = Path(__file__).parent / "pictures"
PHOTOGRAPHS = {
    "astronaut": "astronaut.webp",
    "cat": "cat.webp",
    "coffee": "coffee.webp",
    "galaxies": "galaxies.jpg",
    "officer": "officer.jpg",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "raccoon": "raccoon.jpg",
}
"""Label -> file. A photograph's place decides its crops: new ones go to the end."""
CROPS = {"train": 512, "test": 64}  # of each photograph
TRAIN = 2 / 3  # of the longer side
SMALLEST = 0.2  # side of a crop, of the photograph's shorter side


def find(seed: int) -> Splits:
    """Train and test crops, drawn by `seed`."""
    return {
        split: Source(
            name=f"photographs ({split})",
            identity=identity("photographs", VERSION, split, CROPS[split], seed),
            read=partial(_read, split, seed),
        )
        for split in CROPS
    }


def _read(split: str, seed: int) -> Contents:
    return Contents(CROPS[split] * len(PHOTOGRAPHS), tuple(PHOTOGRAPHS), _items(split, seed))


def _items(split: str, seed: int) -> Iterator[Item]:
    def reader(image: Image.Image, box: tuple[int, int, int, int], label: int) -> Callable[[], tuple[Image.Image, int]]:
        return lambda: (image.crop(box), label)

    for label, (name, file) in enumerate(PHOTOGRAPHS.items()):
        try:
            image = Image.open(FOLDER / file).convert("RGB")
        except OSError as error:
            raise ForetellError(f"{FOLDER / file} is missing or damaged ({error}); install foretell again.") from error
        rng = np.random.default_rng([seed, label, list(CROPS).index(split)])
        for number, box in enumerate(crop_boxes(image.size, split, CROPS[split], rng)):
            yield Item(f"{name} crop {number}", reader(image, box, label))


def crop_boxes(
    size: tuple[int, int], split: str, count: int, rng: np.random.Generator
) -> list[tuple[int, int, int, int]]:
    """`count` squares (left, top, right, bottom) inside the split's region of a photograph of `size` (W, H).

    Sides are log-uniform, so that no scale prevails, from a fifth of the photograph's shorter side to the
    region's.
    """
    across = size[0] >= size[1]
    cut = round(max(size) * TRAIN)
    start, stop = (0, cut) if split == "train" else (cut, max(size))
    boxes = []
    for _ in range(count):
        low, high = SMALLEST * min(size), min(stop - start, min(size))
        side = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
        along, aside = int(rng.integers(start, stop - side + 1)), int(rng.integers(0, min(size) - side + 1))
        left, top = (along, aside) if across else (aside, along)
        boxes.append((left, top, left + side, top + side))
    return boxes
