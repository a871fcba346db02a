"""The type of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretell.train.loop import TrainConfig


@dataclass(frozen=True)
class Recipe:
    """A model and how it is trained."""

    model: Any
    """The configuration of a method, such as `foretell.methods.IWMConfig`."""
    train: TrainConfig
    encoder: str | None = None
    """For a method that stands on a frozen encoder: the trained model that it is taken from."""
