"""Animals before grounds: pictures whose ground goes with the animal in most of them, and with nothing in the test set.

    backgrounds   backgrounds:2000   backgrounds:2000:correlation=0.9,noise=0.1   backgrounds:2000:test=2000

The label says whether the animal is a bird or a mammal. The group says whether the ground is land (leaves or wood) or
sky (an evening sky or galaxies). Birds are before the sky, and mammals before land, in a share `correlation` of the
pictures to learn from. In the test set each ground comes as often with each label. `noise` is the share of wrong labels
among the pictures to learn from; the ground goes with the label as it is written, as in ColorMNIST.

This is our Waterbirds (Sagawa et al. 2020, arXiv:1911.08731, §4): animals are pictures that ship (`data/sprites`), and
grounds are crops of photographs that ship (`data/pictures`). No pixel of a photograph is in both a training and a test
picture. The animals are the same in both, at other places, sizes and angles.

S side of a picture in pixels
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageEnhance

from foretell.data import sprites
from foretell.data.items import Case, Item
from foretell.data.made.splits import HELD_OUT, asked
from foretell.data.photographs import FOLDER
from foretell.data.source import Contents, Source, Splits, identity
from foretell.errors import ForetellError, Range, check_range

VERSION = 1  # raise it when the same seed gives other pictures
SIDE = 64
CLASSES = ("bird", "mammal")
GROUPS = ("sky", "land")
"""A class goes with the ground of the same number."""
ANIMALS = (
    ("songbird", "dove", "duck", "swan", "eagle", "goose", "owl", "flamingo"),
    ("cow", "tiger", "pig", "elephant", "sheep", "dog", "cat", "rabbit"),
)
ANGLE, LEAST, MOST = 15, 0.7, 0.9
"""How far an animal is turned at most, in degrees, and its size as a share of the picture's side."""


Region: TypeAlias = tuple[int, int, int, int]
"""(left, top, right, bottom)"""


class GroundRegions(NamedTuple):
    """Where a photograph shows nothing but ground: regions in its pixels."""

    name: str
    file: str
    train: tuple[Region, ...]
    test: tuple[Region, ...]


GROUNDS: tuple[tuple[GroundRegions, ...], ...] = (
    (
        GroundRegions("evening sky", "rocket.jpg", ((95, 0, 400, 118),), ((412, 0, 552, 118),)),
        GroundRegions("galaxies", "galaxies.jpg", ((0, 0, 660, 872),), ((680, 0, 1000, 872),)),
    ),
    (
        GroundRegions(
            "leaves",
            "raccoon.jpg",
            ((0, 210, 105, 384), (172, 285, 238, 384), (400, 200, 512, 300)),
            ((106, 240, 171, 384),),
        ),
        GroundRegions("wood", "coffee.webp", ((485, 20, 600, 170), (485, 300, 600, 400)), ((485, 172, 600, 298),)),
    ),
)
"""By group."""


class Dials(NamedTuple):
    """What can be set."""

    correlation: float = 0.95
    """Share of the training pictures whose ground goes with their label: 0.5 for no shortcut, 1 for nothing else."""
    noise: float = 0.0
    """Share of the training labels that are wrong."""


EVEN = Dials(0.5, 0.0)
"""Of the test set."""
RANGES = {"correlation": Range(0.5, 1), "noise": Range(0, 0.5)}


class Collage(NamedTuple):
    """What a picture is made of."""

    label: int
    group: int
    kind: int
    """0 for a bird, 1 for a mammal: the label where it is right."""
    animal: str
    ground: GroundRegions


def find(spec: str, seed: int, groups: bool = False) -> Splits:
    """Pictures to learn from, and `test` pictures to test on, or an eighth as many; `seed` draws them.

    Args:
        spec: `backgrounds:N:DIAL=VALUE,…`; N and the dials may be left out.
        seed: draws everything.
        groups: items tell their group, too (see `foretell.data.images.grouped`).

    Raises:
        ForetellError: N is no number, or no such dial, or its value is out of range.
    """
    count, dials, test = parsed(spec)
    known = sprites.load().fingerprint
    return {
        split: Source(
            name=f"backgrounds ({split})",
            identity=identity("backgrounds", VERSION, known, split, many, *set_to, seed, groups),
            read=partial(_read, first, many, set_to, seed, groups),
        )
        for split, (first, many, set_to) in {"train": (0, count, dials), "test": (HELD_OUT, test, EVEN)}.items()
    }


def parsed(spec: str) -> tuple[int, Dials, int]:
    """How many, the dials, and how many to test on."""
    name, *parts = spec.split(":")
    words = parts.pop().split(",") if parts and not parts[-1].isdecimal() and "=" in parts[-1] else []
    dials, test = {}, None
    for word in words:
        dial, _, value = word.partition("=")
        if dial == "test":
            if not (value.isdecimal() and int(value) >= 8):
                raise ForetellError(f"{spec}: test is {value!r}, expected a whole number of pictures, 8 or more")
            test = int(value)
            continue
        try:
            dials[dial] = float(value)
        except ValueError:
            raise ForetellError(f"{spec}: {dial} is {value!r}, expected a number") from None
        if dial not in RANGES:
            raise ForetellError(f"{spec}: there is no dial {dial!r}, expected {', '.join(RANGES)} or test")
        check_range(f"{spec}: {dial}", dials[dial], RANGES[dial])
    count = asked(":".join([name, *parts]), "pictures")
    return count, Dials(**dials), test or count // 8


def scene(index: int, dials: Dials, seed: int) -> tuple[Collage, np.random.Generator]:
    """What picture `index` shows, and the chance that draws the rest of it."""
    chance = np.random.default_rng([VERSION, seed, index])
    kind, wrong, along, which = chance.integers(2), chance.random(), chance.random(), chance.integers(2)
    label = int(kind ^ (wrong < dials.noise))
    group = label if along < dials.correlation else 1 - label
    animal = ANIMALS[kind][chance.integers(len(ANIMALS[kind]))]
    return Collage(label, group, int(kind), animal, GROUNDS[group][which]), chance


def picture(index: int, dials: Dials, seed: int) -> Image.Image:
    """Picture `index`, [S, S]. From `HELD_OUT` on its ground is one that no training picture shows."""
    drawn, chance = scene(index, dials, seed)
    ground = drawn.ground
    canvas = _ground(ground.file, ground.train if index < HELD_OUT else ground.test, chance)
    among = sprites.load().pictures(drawn.animal)
    animal = Image.fromarray(among[chance.integers(len(among))])
    if chance.random() < 0.5:
        animal = animal.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    size = round(SIDE * chance.uniform(LEAST, MOST))
    animal = animal.rotate(chance.uniform(-ANGLE, ANGLE), Image.Resampling.BICUBIC).resize((size, size))
    left, top = chance.integers(0, SIDE - size + 1, 2).tolist()
    canvas.paste(animal, (left, top), animal)
    return canvas


def _ground(file: str, regions: tuple[Region, ...], chance: np.random.Generator) -> Image.Image:
    """A square crop of one of some regions, mirrored or not, brighter or darker."""
    left, top, right, bottom = regions[chance.integers(len(regions))]
    side = int(chance.integers(SIDE, min(right - left, bottom - top) + 1))
    x, y = int(chance.integers(left, right - side + 1)), int(chance.integers(top, bottom - side + 1))
    crop = _photograph(file).resize((SIDE, SIDE), Image.Resampling.BILINEAR, (x, y, x + side, y + side))
    if chance.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageEnhance.Brightness(crop).enhance(chance.uniform(0.8, 1.2))


@cache
def _photograph(file: str) -> Image.Image:
    path = Path(FOLDER) / file
    try:
        return Image.open(path).convert("RGB")
    except OSError as error:
        raise ForetellError(f"{path} is missing or damaged ({error}); install foretell again") from error


def _read(first: int, count: int, dials: Dials, seed: int, groups: bool) -> Contents:
    def reader(index: int, drawn: Collage) -> Callable[[], tuple[Image.Image, int | Case]]:
        known = Case(drawn.label, drawn.group) if groups else drawn.label
        return lambda: (picture(index, dials, seed), known)

    def items() -> Iterator[Item]:
        for index in range(first, first + count):
            drawn, _ = scene(index, dials, seed)
            yield Item(f"{drawn.animal} before {drawn.ground.name}, {index - first}", reader(index, drawn))

    return Contents(count, CLASSES, items(), {"groups": GROUPS} if groups else {})
