"""The scale claims are tested at: one thread trains an arm in some minutes."""

from dataclasses import replace
from typing import Any

from foretell.augment import Photometric
from foretell.methods import IJEPAConfig, IWMConfig, PixelsConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.recipes import Recipe
from foretell.train.loop import TrainConfig

ENCODER = ViTConfig(image_size=24, patch_size=4, width=128, depth=4, heads=2)
PREDICTOR = PredictorConfig(width=64, depth=6, heads=2)
TRAIN = TrainConfig(steps=1000, batch=64, monitor_every=0, checkpoint_every=250)
"""No monitors: for a claim a collapse is a result."""
LEARNER, SHALLOW = replace(ENCODER, init_std=None), replace(PREDICTOR, depth=2, init_std=None)
LONG = replace(TRAIN, steps=4000)
"""For what an image world model knows of actions: after `TRAIN` it knows little (docs/log.md)."""
SMALL_BATCH = replace(LONG, batch=32)
"""For claims of accuracy. An I-JEPA of `PREDICTOR` and `TRAIN` is no better than an untrained one (docs/log.md)."""


def _text(predictor: PredictorConfig, train: TrainConfig) -> str:
    return (
        f"24 pixels, patches of 4; encoder 128 × 4, predictor 64 × {predictor.depth} (width × depth); "
        f"{train.steps:,} steps of {train.batch} photographs"
    )


TEXT, TEXT_LONG, ACCURACY = _text(PREDICTOR, TRAIN), _text(PREDICTOR, LONG), _text(SHALLOW, SMALL_BATCH)

JITTER = Photometric()
"""The paper's default: jitter, and destructive operations on the source."""
STRONG = replace(JITTER, brightness=0.8, contrast=0.8, saturation=0.4, hue=0.2)
"""Jitter twice the default's strength."""
JITTER_ONLY = replace(JITTER, blur_probability=0.0, grayscale_probability=0.0, solarize_probability=0.0)


def iwm(train: TrainConfig = TRAIN, **changes: Any) -> Recipe:
    """An image world model at this scale, of strong jitter; `changes` are of its configuration."""
    return Recipe(replace(IWMConfig(encoder=ENCODER, predictor=PREDICTOR, augment=STRONG), **changes), train)


def ijepa(**changes: Any) -> Recipe:
    """An I-JEPA at this scale; `changes` are of its configuration."""
    return Recipe(replace(IJEPAConfig(encoder=LEARNER, predictor=SHALLOW), **changes), SMALL_BATCH)


def pixels() -> Recipe:
    """I-JEPA's control at this scale: pixels to predict."""
    return Recipe(PixelsConfig(encoder=LEARNER, predictor=SHALLOW), SMALL_BATCH)
