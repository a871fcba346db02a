"""Outlined pictures of things, with words that people use for them: a selection of Noto Emoji that ships (see NOTICE).

    sprites = load()
    sprites.pixels                      # uint8 [N, 64, 64, 4], RGBA
    dog = sprites.things[0]             # Thing("dog", kinds=("animal",), words=("dog", "hound"), ...)
    sprites.things[sprites.thing[7]]    # what picture 7 shows

    load("folder/of/rgba")              # any pictures with transparency: a file's name is the word for it

Several pictures may show one thing. Some pictures and some words are held out, so that a model can be tested on them.

N pictures · S side in pixels
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from foretell.errors import ForetellError

FOLDER = Path(__file__).parent
SIDE = 64
ACROSS = 20  # sprites in a line of the sheet
ENDINGS = (".png", ".webp", ".gif", ".tif", ".tiff")
"""Of pictures that may be transparent."""


@dataclass(frozen=True)
class Thing:
    """What one or several pictures show."""

    name: str
    kinds: tuple[str, ...]
    """What it is more generally, the nearest first: ("bird", "animal")."""
    words: tuple[str, ...]
    """What people call it; each word names this thing alone."""
    held_out_words: tuple[str, ...] = ()
    """Words to test with."""


@dataclass(frozen=True, eq=False)
class Sprites:
    """Outlined pictures.

    pixels: uint8 [N, S, S, 4], RGBA; alpha is the outline.
    things: what they show.
    thing: int64 [N], the number of what a picture shows.
    held_out: bool [N], whether a picture is for testing.
    names: of the pictures.
    fingerprint: identifies pictures and words.
    """

    pixels: np.ndarray = field(repr=False)
    things: tuple[Thing, ...] = field(repr=False)
    thing: np.ndarray = field(repr=False)
    held_out: np.ndarray = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    fingerprint: str

    def __len__(self) -> int:
        return len(self.pixels)

    def pictures(self, name: str, held_out: bool | None = None) -> np.ndarray:
        """The pictures [n, S, S, 4] of a thing: all, or those that are held out or not.

        Raises ForetellError where there is no such thing.
        """
        names = [thing.name for thing in self.things]
        if name not in names:
            raise ForetellError(f"no thing {name!r} among the sprites, expected one of {', '.join(names)}")
        wanted = self.thing == names.index(name)
        return self.pixels[wanted if held_out is None else wanted & (self.held_out == held_out)]


def load(folder: str | Path | None = None) -> Sprites:
    """The sprites that ship, or those of a folder.

    Args:
        folder: pictures with transparency, at any depth. The name of a file is the word for what it shows, without a
            number at its end: `red-fox-2.png` is a "red fox". The folder that holds it is its kind. Every fifth of a
            thing's pictures, where it has five, is held out.

    Raises:
        ForetellError: no such folder, no usable picture, or a picture without transparency.
    """
    return _shipped() if folder is None else _of_folder(Path(folder).expanduser())


def listed() -> Iterator[tuple[dict[str, str], str, bool]]:
    """The pictures that ship, in the order of the sheet: what `things.csv` says of one, its code, whether held out."""
    with (FOLDER / "things.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column in ("pictures", "held_out_pictures"):
                yield from ((row, code, column == "held_out_pictures") for code in row[column].split())


@cache
def _shipped() -> Sprites:
    try:
        sheet = np.asarray(Image.open(FOLDER / "sheet.webp").convert("RGBA"))
        pictures = list(listed())
    except OSError as error:
        raise ForetellError(
            f"{FOLDER}: the sprites are missing or damaged ({error}); install foretell again"
        ) from error
    tiles = sheet.reshape(-1, SIDE, ACROSS, SIDE, 4).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 4)[: len(pictures)]
    rows = {row["name"]: row for row, _, _ in pictures}
    things = tuple(
        Thing(name, _split(row["kinds"]), _split(row["words"]), _split(row["held_out_words"]))
        for name, row in rows.items()
    )
    thing = [list(rows).index(row["name"]) for row, _, _ in pictures]
    return _made(tiles, things, thing, [out for _, _, out in pictures], [code for _, code, _ in pictures])


def _of_folder(folder: Path) -> Sprites:
    from foretell.data.source import files_below

    if not folder.is_dir():
        raise ForetellError(
            f"{folder}: {'not a folder' if folder.exists() else 'not found'}, expected transparent pictures (PNG)"
        )
    paths = [folder / file.path for file in files_below(folder) if file.path.lower().endswith(ENDINGS)]
    if not paths:
        raise ForetellError(f"{folder}: no picture that may be transparent, expected {', '.join(ENDINGS)}")
    words = [re.sub(r"[\W_]*\d*$", "", path.stem) for path in paths]
    words = [re.sub(r"[\W_]+", " ", word).strip().lower() for word in words]
    if "" in words:
        raise ForetellError(
            f"{paths[words.index('')]}: its name holds no word; name it by what it shows: red-fox-2.png"
        )
    kinds = {
        word: () if path.parent == folder else (path.parent.name.lower(),)
        for word, path in zip(words, paths, strict=True)
    }
    names, count, held_out = list(kinds), dict.fromkeys(kinds, 0), []
    for word in words:
        count[word] += 1
        held_out.append(count[word] % 5 == 0)
    things = tuple(Thing(name, kinds[name], (name,)) for name in names)
    tiles = np.stack([_tile(path) for path in paths])
    return _made(tiles, things, [names.index(word) for word in words], held_out, [path.name for path in paths])


def _tile(path: Path) -> np.ndarray:
    """One picture, cut to what can be seen and put into a square: uint8 [S, S, 4]."""
    try:
        image = Image.open(path).convert("RGBA")
    except Exception as error:  # Pillow's plugins raise whatever their parsing stumbles over
        raise ForetellError(f"{path}: cannot be read as a picture ({error}); take it out of the folder") from error
    alpha = np.asarray(image)[..., 3]
    if not alpha.any() or alpha.min() > 127:
        found = "all of it is transparent" if not alpha.any() else "no part of it is transparent"
        raise ForetellError(f"{path}: {found}, expected a thing with an outline, transparent around it")
    image = image.crop(image.getbbox(alpha_only=True))
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    tile = Image.new("RGBA", (SIDE, SIDE))
    tile.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return np.asarray(tile)


def _made(
    tiles: np.ndarray, things: tuple[Thing, ...], thing: list[int], held_out: list[bool], names: list[str]
) -> Sprites:
    tiles = np.ascontiguousarray(tiles)
    about: tuple[Any, ...] = (things, thing, held_out)
    found = hashlib.sha256(tiles.tobytes() + repr(about).encode()).hexdigest()[:32]
    return Sprites(tiles, things, np.array(thing), np.array(held_out), tuple(names), found)


def _split(words: str) -> tuple[str, ...]:
    return tuple(filter(None, words.split("|")))
