"""Shapes are checked in tests: every annotated function of foretell raises on a tensor of another shape."""

from pathlib import Path

import jaxtyping

# before the first import of foretell; production imports the same annotations and checks nothing
jaxtyping.install_import_hook("foretell", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

import hypothesis
import numpy as np
import pytest
import torch

from foretell.data import Images

# a busy machine is not a failure; on CI hypothesis itself draws the same examples every time
hypothesis.settings.register_profile("patient", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("patient")
torch.set_num_threads(1)  # small tensors: a second thread costs more than it brings


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Data sets that are not part of the repository: CIFAR-10 and Tiny ImageNet as parquet files."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data sets in {folder}")
    return folder


@pytest.fixture(scope="session")
def noise() -> Images:
    """Two classes of coloured noise: red ones and blue ones."""
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 100, (40, 3, 16, 16), dtype=np.uint8)
    labels = torch.arange(40) % 2
    pixels[labels == 0, 0] += 120
    pixels[labels == 1, 2] += 120
    return Images(pixels, labels, ("red", "blue"), (), "noise")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Freshly initialised weights are the same in every run."""
    torch.manual_seed(0)
