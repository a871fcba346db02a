import numpy as np
import pytest
import torch

from foretell.data import Images
from foretell.methods import IWM, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig

TINY = IWMConfig(
    encoder=ViTConfig(image_size=16, patch_size=4, width=32, depth=2, heads=2),
    predictor=PredictorConfig(width=16, depth=2, heads=2),
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = IWM(TINY).eval()
    for p in made.target_encoder.parameters():  # as after training: the two encoders are not the same
        p.add_(0.01 * torch.randn_like(p))
    return made


def colours(n, seed, classes=("red", "green", "blue"), size=16):
    """Noise in which the class's own channel is brighter."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(classes), n)
    pixels = rng.integers(0, 160, (n, 3, size, size))
    pixels[np.arange(n), labels] += 60
    return Images(pixels.astype(np.uint8), torch.from_numpy(labels), tuple(classes), (), f"{seed}")


def bright(n, seed):
    """Noise, dark or bright."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    pixels = rng.integers(0, 128, (n, 3, 16, 16)) + 120 * labels.reshape(-1, 1, 1, 1)
    return Images(pixels.astype(np.uint8), torch.from_numpy(labels), ("dark", "bright"), (), f"{seed}")
