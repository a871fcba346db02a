"""ColorMNIST and its three variants: digits whose colour goes with the label, and goes against it in the test set.

    colormnist:PATH   inversecolormnist:PATH   mcolor:PATH   colormnist_v3:PATH

PATH is any MNIST that `foretell.data.load` reads: a folder, or Parquet files of Hugging Face. Every second pixel is
kept (14 × 14), in one of two colour channels; the other channel is zero. The label says whether the digit is below 5,
with noise. The colour is the label, with other noise. Even and odd rows have different noise: they are the two
environments that people would name. See Arjovsky et al. 2019, arXiv:1907.02893; the variants are those of Pezeshki et
al. 2024, arXiv:2309.16748.

Columns: `features` [392] in [0, 1], `labels` 0 or 1, `groups`: the colour, 0 or 1.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from foretell.data.items import Item
from foretell.data.source import Contents, Source, Splits, identity
from foretell.errors import ForetellError

VERSION = 1  # raise it when the same seed gives other rows


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


def find(spec: str, seed: int) -> Splits:
    """Rows to learn from and to test on; `seed` draws the noise.

    Raises:
        ForetellError: no path is given, or no MNIST is there.
    """
    name, _, path = spec.partition(":")
    if not path:
        raise ForetellError(f"{spec}: no MNIST is named, expected {name}:PATH, a folder or Parquet files of MNIST")
    from foretell.data import load

    digits = {split: load(path, 28, split=split, progress=False) for split in ("train", "test")}
    even, odd, test = VARIANTS[name]
    noise = {"train": (even, odd), "test": (test, test)}
    return {
        split: Source(
            name=f"{name} ({split})",
            identity=identity(name, VERSION, split, images.fingerprint, seed),
            read=partial(_read, name, images, noise[split], seed + (split == "test") * 2**32),
        )
        for split, images in digits.items()
    }


def _read(name: str, images: Any, noise: tuple[Noise, Noise], seed: int) -> Contents:
    if images.labels is None or not set(images.classes) <= set("0123456789"):
        raise ForetellError(f"{name}: these pictures are not of the classes 0 to 9, expected MNIST")
    digit = np.array([int(name) for name in images.classes])[images.labels.numpy()]
    columns = coloured(images.take(range(len(images)))[:, 0].numpy(), digit, noise, seed)
    return Contents(len(images), ("5 to 9", "0 to 4"), [Item(name, lambda: (columns, None))], {"groups": ("0", "1")})


def coloured(pixels: np.ndarray, digit: np.ndarray, noise: tuple[Noise, Noise], seed: int) -> dict[str, np.ndarray]:
    """Colour digits.

    Args:
        pixels: uint8 [N, 28, 28].
        digit: int64 [N], 0 to 9.
        noise: of even and of odd rows.
        seed: draws the noise.

    Returns:
        `features` float32 [N, 392], `labels` and `groups` int64 [N].
    """
    chance, N = np.random.default_rng([VERSION, seed]), len(digit)
    odd = np.arange(N) % 2
    flipped = chance.random(N) < np.array([each.label for each in noise])[odd]
    label = (digit < 5) ^ flipped
    colour = label ^ (chance.random(N) < np.array([each.colour for each in noise])[odd])
    features = np.zeros((N, 2, 14, 14), np.float32)
    features[np.arange(N), colour.astype(np.int64)] = pixels[:, ::2, ::2] / np.float32(255)
    return {
        "features": features.reshape(N, -1),
        "labels": label.astype(np.int64),
        "groups": colour.astype(np.int64),
    }
