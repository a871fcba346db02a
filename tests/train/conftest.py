from pathlib import Path

import numpy as np
import pytest
import torch

from foretell.data import Images
from foretell.methods import IWM, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig

TINY = IWMConfig(encoder=ViTConfig(16, 4, 32, 2, 2), predictor=PredictorConfig(16, 2, 2))
FLAGS = (
    "--model.encoder.image-size 16 --model.encoder.patch-size 4 --model.encoder.width 32 --model.encoder.depth 2 "
    "--model.encoder.heads 2 --model.predictor.width 16 --model.predictor.depth 2 --model.predictor.heads 2 "
    "--batch 16 --log-every 1 --device cpu"
).split()
"""TINY as flags of `foretell train iwm`."""


@pytest.fixture
def images(noise: Images) -> Images:
    """The data of the runs here."""
    return noise


@pytest.fixture
def tiny() -> IWM:
    torch.manual_seed(0)
    return IWM(TINY)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 small PNG files."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    chance = np.random.default_rng(0)
    for n in range(24):
        Image.fromarray(chance.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(folder / f"{n}.png")
    return folder
