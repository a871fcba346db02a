import numpy as np
import pytest
import torch

from foretell.data import Images
from foretell.methods import IWM, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig


@pytest.fixture
def tiny():
    return IWMConfig(
        encoder=ViTConfig(image_size=16, patch_size=4, width=32, depth=2, heads=2),
        predictor=PredictorConfig(width=16, depth=2, heads=2),
    )


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    made = IWM(tiny).eval()
    with torch.no_grad():
        for p in made.target_encoder.parameters():  # as after training, the two encoders are not the same
            p.add_(0.01 * torch.randn_like(p))
    return made


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
