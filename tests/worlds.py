"""A small image world model, for the tests of what uses one."""

import pytest
import torch

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
