"""A training step by AdamW and by Muon: what turning the steps of matrices costs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro

from benchmarks.measure import interleaved, one_thread, table
from foretell.data import Videos
from foretell.methods import begin
from foretell.recipes import RECIPES
from foretell.train.loop import TrainConfig, Trainer
from foretell.train.world import enter


def stepping(name: str, batch: int, optimizer: Literal["adamw", "muon"]) -> Callable[[], object]:
    """A contender that takes the next training step of a video recipe's model."""
    torch.manual_seed(0)
    model = begin(RECIPES[name]().model)
    encoder = model.config.encoder
    shape = (batch, encoder.frames, 3, encoder.image_size, encoder.image_size)
    noise = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    train = TrainConfig(batch=batch, optimizer=optimizer, monitor_every=0)
    trainer, steps = Trainer(model, Videos(noise, None, (), (), ""), train, Path(), enter("cpu")), count()
    return lambda: trainer.step(next(steps))


def main(
    steps: tuple[tuple[str, int], ...] = (("vjepa-mini", 8), ("vjepa-mini", 32), ("vjepa-fine", 8), ("vjepa", 16)),
    rounds: int = 9,
) -> None:
    """Measure.

    Args:
        steps: recipes of videos, each with its batch.
        rounds: turns that each optimizer has.
    """
    one_thread()
    rows = []
    for name, batch in steps:
        took = interleaved({kind: stepping(name, batch, kind) for kind in ("adamw", "muon")}, rounds)
        times = [f"{took[kind] * 1e3:.0f}" for kind in ("adamw", "muon")]
        rows.append([f"{name}, batch {batch}", *times, f"{took['muon'] / took['adamw']:.2f}"])
    table(["step", "ms, AdamW", "ms, Muon", "ratio"], rows)


if __name__ == "__main__":
    tyro.cli(main)
