import numpy as np
import pytest
import torch
from tests.worlds import model, tiny

from foretell.data import Images

__all__ = ["model", "tiny"]


@pytest.fixture
def colours():
    """Makes noise in which the channel of its class is brighter."""

    def make(n, seed, classes=("red", "green", "blue"), size=16):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, len(classes), n)
        pixels = rng.integers(0, 80, (n, 3, size, size))
        pixels[np.arange(n), labels] += 150
        return Images(pixels.astype(np.uint8), torch.from_numpy(labels), tuple(classes), (), f"colours {seed}")

    return make


@pytest.fixture
def lights():
    """Makes noise, dark or bright."""

    def make(n, seed):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, n)
        pixels = rng.integers(0, 80, (n, 3, 16, 16)) + 150 * labels.reshape(-1, 1, 1, 1)
        return Images(pixels.astype(np.uint8), torch.from_numpy(labels), ("dark", "bright"), (), f"lights {seed}")

    return make
