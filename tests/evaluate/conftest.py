"""Small images and models that several tests make."""

import numpy as np
import pytest
import torch

from foretell.data import Images
from foretell.masking import BlockMasks
from foretell.methods.iwm import IWM, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig


def _images(n: int, size: int = 16, classes: int = 3, seed: int = 0) -> Images:
    """Noise on a background whose colour is the class."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    pixels = random.integers(0, 120, (n, 3, size, size), dtype=np.uint8)
    pixels[np.arange(n), labels] += 90
    names = tuple(f"class {c}" for c in range(classes))
    return Images(pixels, torch.from_numpy(labels), names, (), f"{n} {seed}")


def _world_model(seed: int = 0) -> IWM:
    """An untrained IWM of four patches."""
    torch.manual_seed(seed)
    config = IWMConfig(
        encoder=ViTConfig(image_size=16, patch_size=4, width=24, depth=1, heads=2),
        predictor=PredictorConfig(width=16, depth=1, heads=2),
        masks=BlockMasks(blocks=2),
    )
    return IWM(config)


@pytest.fixture(scope="session")
def images():
    """Makes n images; see `_images`."""
    return _images


@pytest.fixture(scope="session")
def world_model():
    """Makes a world model; see `_world_model`."""
    return _world_model
