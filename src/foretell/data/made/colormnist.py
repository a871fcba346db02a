"""ColorMNIST and its three variants: digits whose colour goes with the label, and goes against it in the test set.

    colormnist:PATH   inversecolormnist:PATH   mcolor:PATH   colormnist_v3:PATH   colormnist

PATH is any MNIST that `foretell.data.load` reads: a folder, or Parquet files of Hugging Face. Without a path it is
$FORETELL_MNIST; where that is not set, the digits that scikit-learn brings (1,797 of 8 × 8 pixels, made 14 × 14; every
fifth is for testing), and a warning says so. Of MNIST every second pixel is kept (14 × 14), in one of two colour
channels; the other channel is zero. The label says whether the digit is below 5, with noise. The colour is the label,
with other noise. Even and odd rows have different noise: they are the two environments that people would name. See
Arjovsky et al. 2019, arXiv:1907.02893; the variants are those of Pezeshki et al. 2024, arXiv:2309.16748.

Columns: `features` [392] in [0, 1], `labels` 0 or 1, `groups`: the colour, 0 or 1, `half`: 0 for even rows, 1 for odd.

N rows
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from foretell.data.dataset import Images
from foretell.data.items import Item
from foretell.data.source import Contents, Source, Splits, identity
from foretell.errors import ForetellError, ForetellWarning
from foretell.extras import needed

VERSION = 2  # raise it when the same seed gives other rows


class Noise(NamedTuple):
    """Chances that the label is not the digit's, and that the colour is not the label's."""

    label: float
    colour: float


VARIANTS: dict[str, tuple[Noise, Noise, Noise]] = {
    "colormnist": (Noise(0.25, 0.2), Noise(0.25, 0.1), Noise(0.25, 0.9)),
    "inversecolormnist": (Noise(0.15, 0.2), Noise(0.15, 0.3), Noise(0.15, 0.9)),
    "mcolor": (Noise(0.2, 0.15), Noise(0.3, 0.15), Noise(0.9, 0.15)),
    "colormnist_v3": (Noise(0.2, 0.25), Noise(0.1, 0.25), Noise(0.9, 0.25)),
}
"""Name -> noise of even rows, of odd rows, and of the test set."""


NAMES = {"groups": ("0", "1"), "half": ("even", "odd")}


class Digits(NamedTuple):
    """Digits before they are coloured."""

    pixels: np.ndarray
    """uint8 [N, 14, 14]"""
    digit: np.ndarray
    """int64 [N], 0 to 9"""


def find(spec: str, seed: int) -> Splits:
    """Rows to learn from and to test on; `seed` draws the noise.

    Raises:
        ForetellError: no MNIST is at the path; or none is named, and scikit-learn is not installed.
    """
    name, _, path = spec.partition(":")
    path = path or os.environ.get("FORETELL_MNIST", "")
    even, odd, test = VARIANTS[name]
    noise = {"train": (even, odd), "test": (test, test)}
    parts = _mnist(name, path) if path else _small(spec)
    return {
        split: Source(
            name=f"{name} ({split})",
            identity=identity(name, VERSION, split, known, seed),
            read=partial(_read, name, read, noise[split], seed + (split == "test") * 2**32),
        )
        for split, (known, read) in parts.items()
    }


def _mnist(name: str, path: str) -> dict[str, tuple[str, Callable[[], Digits]]]:
    """The digits of an MNIST on disk, and what identifies them, by split."""
    from foretell.data import load

    found = {split: load(path, 28, split=split, progress=False) for split in ("train", "test")}
    return {split: (images.fingerprint, partial(digits, images, name)) for split, images in found.items()}


def digits(images: Images, name: str) -> Digits:
    """The digits of an MNIST at half its size.

    Args:
        images: of 28 pixels.
        name: the purpose, for errors.

    Raises:
        ForetellError: they are not of the classes 0 to 9.
    """
    if images.labels is None or not set(images.classes) <= set("0123456789"):
        raise ForetellError(f"{name}: these pictures are not of the classes 0 to 9, expected MNIST")
    digit = np.array([int(each) for each in images.classes])[images.labels.numpy()]
    return Digits(images.take(range(len(images)))[:, 0, ::2, ::2].numpy(), digit)


def _small(spec: str) -> dict[str, tuple[str, Callable[[], Digits]]]:
    """The digits of scikit-learn: every fifth for testing."""
    needed("sklearn.datasets", f"{spec} without a path of MNIST")
    said = f"{spec}: no MNIST is named, so these are scikit-learn's 1,797 digits; name one by {spec}:PATH"
    warnings.warn(said, ForetellWarning, stacklevel=2)

    def read(test: bool) -> Digits:
        found = needed("sklearn.datasets", "scikit-learn's digits").load_digits()
        chosen = (np.arange(len(found.target)) % 5 == 4) == test
        pixels = [
            np.asarray(Image.fromarray((each * (255 / 16)).astype(np.uint8)).resize((14, 14), Image.Resampling.BICUBIC))
            for each in found.images[chosen]
        ]
        return Digits(np.stack(pixels), found.target[chosen].astype(np.int64))

    return {split: ("scikit-learn", partial(read, split == "test")) for split in ("train", "test")}


def _read(name: str, read: Callable[[], Digits], noise: tuple[Noise, Noise], seed: int) -> Contents:
    columns = coloured(*read(), noise, seed)
    return Contents(len(columns["labels"]), ("5 to 9", "0 to 4"), [Item(name, lambda: (columns, None))], NAMES)


def coloured(pixels: np.ndarray, digit: np.ndarray, noise: tuple[Noise, Noise], seed: int) -> dict[str, np.ndarray]:
    """Colour digits.

    Args:
        pixels: uint8 [N, 14, 14].
        digit: int64 [N], 0 to 9.
        noise: of even and of odd rows.
        seed: draws the noise.

    Returns:
        `features` float32 [N, 392]; `labels`, `groups` and `half` int64 [N].
    """
    chance, N = np.random.default_rng([VERSION, seed]), len(digit)
    odd = np.arange(N) % 2
    flipped = chance.random(N) < np.array([each.label for each in noise])[odd]
    label = (digit < 5) ^ flipped
    colour = label ^ (chance.random(N) < np.array([each.colour for each in noise])[odd])
    features = np.zeros((N, 2, 14, 14), np.float32)
    features[np.arange(N), colour.astype(np.int64)] = pixels / np.float32(255)
    return {
        "features": features.reshape(N, -1),
        "labels": label.astype(np.int64),
        "groups": colour.astype(np.int64),
        "half": odd,
    }
