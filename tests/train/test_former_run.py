"""A run folder that was written before data became columns: opened, evaluated and resumed.

`before/` is a run of 6 steps that was killed after its checkpoint at step 4.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from foretell import hub
from foretell.data import Images
from foretell.errors import ForetellError
from foretell.evaluate import evaluate
from foretell.hub.files import from_config
from foretell.methods import IJEPA
from foretell.train.loop import TrainConfig, read
from foretell.train.run import run

BEFORE = Path(__file__).parent / "before"
EXPECTED = {5: 0.4537983536720276, 6: 0.437122642993927}
"""Losses of the steps that were still to come, as the program of then computed them."""


@pytest.fixture
def former(tmp_path):
    return Path(shutil.copytree(BEFORE, tmp_path / "run"))


@pytest.fixture
def images():
    """The data of the run: the cache of that time."""
    cache = Path(__file__).parents[1] / "data" / "before" / "pics"
    about = json.loads((cache / "about.json").read_text())
    pixels, labels = np.load(cache / "pixels.npy"), torch.from_numpy(np.load(cache / "labels.npy"))
    return Images(pixels, labels, tuple(about["classes"]), (), about["fingerprint"])


def settings(folder):
    config = json.loads((folder / "config.json").read_text())
    return from_config(config, folder / "config.json").config, TrainConfig(**config["train"])


def test_it_is_opened_and_evaluated(former, images):
    model = hub.load(former)
    assert isinstance(model, IJEPA)
    assert hub.trained_on(former) == images.fingerprint
    report = evaluate(model, images, images.subset(range(0, 12, 2)))
    assert report is not None


def test_it_is_resumed_to_the_losses_of_then(former, images):
    model, config = settings(former)
    run(model, config, "pics", former, resume=True, images=images)
    found = {line["step"]: line["loss"] for line in read(former / "metrics.jsonl") if "loss" in line}
    assert list(found) == [1, 2, 3, 4, 5, 6]
    for step, loss in EXPECTED.items():  # on the machine of then bit for bit; others may add in another order
        assert found[step] == pytest.approx(loss, rel=1e-4)


def test_other_data_is_refused(former, images):
    model, config = settings(former)
    with pytest.raises(ForetellError, match=r"data.fingerprint is 'a97c418ea8"):
        run(model, config, "pics", former, resume=True, images=images.subset(range(6)))
