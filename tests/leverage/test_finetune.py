import json
from dataclasses import replace

import pytest
import torch

from foretell.errors import ForetellError
from foretell.leverage import FinetuneConfig, WorldModelClassifier, finetune, load_classifier, save_classifier
from foretell.methods import IJEPA, IJEPAConfig
from foretell.train.optimizer import adamw

from .conftest import TINY, colours

QUICK = FinetuneConfig(steps=3, batch=8, lr=1e-2, precision="fp32")
LEARNS = {
    "predictor": {"predictor", "head"},
    "predictor-random": {"predictor", "head"},
    "encoder": {"encoder", "head"},
    "end-to-end": {"encoder", "predictor", "head"},
}
RATES = {
    "predictor": {"predictor": 0.1, "head": 1.0},
    "predictor-random": {"predictor": 1.0, "head": 1.0},
    "encoder": {"encoder": 0.1, "head": 1.0},
    "end-to-end": {"encoder": 0.1, "predictor": 0.1, "head": 1.0},
}


def of(module, name):
    return {key: p for key, p in module.named_parameters() if key.startswith(name)}
