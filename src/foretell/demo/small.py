"""The model that a demo trains, and the number of steps that fit the time."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch

from foretell.augment import Photometric
from foretell.data import Images
from foretell.methods import IWM, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.train.loop import TrainConfig, Trainer
from foretell.train.world import World

DATA = "photographs"
PIXELS = 32
LOOKS = 8
"""How often the monitors measure, if there is time."""


def recipe(
    actions: Photometric, images: Images, seconds: float, seed: int, device: torch.device
) -> tuple[IWMConfig, TrainConfig]:
    """A small image world model, and a training that takes about `seconds` here.

    Args:
        actions: the actions that it learns. They are the shipped model's, so both get the same questions.
        images: the data of the training. A few steps are tried on it.
        seconds: of training, monitors included.
        seed: of the training.
        device: the device of the training.
    """
    # Few large patches: a minute of one core is a few hundred steps, not a hundred. The predictor is deeper than the
    # encoder: IWM's first condition for learning the effect of a change.
    config = IWMConfig(
        encoder=ViTConfig(image_size=PIXELS, patch_size=8, width=96, depth=2, heads=3),
        predictor=PredictorConfig(width=64, depth=6, heads=2),
        augment=actions,
    )
    # The run is short, so the target encoder follows faster than in a long one.
    train = TrainConfig(batch=64, lr=2e-3, momentum=0.99, seed=seed, device=str(device))
    step, look = _speed(config, train, images, device, trial=min(seconds / 20, 3.0))
    looks = max(2, min(LOOKS, int(0.1 * seconds / look)))
    every = max(1, int((seconds - looks * look) / step / looks))
    return config, replace(
        train,
        steps=looks * every,
        log_every=max(looks * every // 100, 1),
        monitor_every=every,
        checkpoint_every=looks * every,
    )


def _speed(
    config: IWMConfig, train: TrainConfig, images: Images, device: torch.device, trial: float
) -> tuple[float, float]:
    """The seconds of a step, and of one measurement by the monitors."""
    trainer = Trainer(IWM(config), images, train, Path(), World(device))  # writes nothing unless it is run
    assert trainer.monitors
    for step in range(2):  # the first ones also pay for memory and compiled kernels
        trainer.step(step).item()
    began, steps = time.monotonic(), 0
    while not steps or time.monotonic() - began < trial:
        trainer.step(steps).item()  # waits for the device
        steps += 1
    took = (time.monotonic() - began) / steps
    began = time.monotonic()
    trainer.monitors.measure(trainer.model, device)
    return took, time.monotonic() - began
