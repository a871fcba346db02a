import numpy as np
import pytest
import torch

from foretell.data import Images


@pytest.fixture(scope="session")
def train_images() -> Images:
    """Two classes of coloured noise: red ones and blue ones."""
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 100, (40, 3, 16, 16), dtype=np.uint8)
    labels = torch.arange(40) % 2
    pixels[labels == 0, 0] += 120
    pixels[labels == 1, 2] += 120
    return Images(pixels, labels, ("red", "blue"), (), "noise")
