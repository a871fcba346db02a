"""A training step while glibc gives freed memory back to the system, and while it is kept (`foretell.train.memory`)."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import torch
import tyro

from benchmarks.measure import one_thread, table
from foretell.data import Pictures
from foretell.methods import begin
from foretell.recipes import RECIPES
from foretell.train.loop import TrainConfig, Trainer
from foretell.train.memory import keep_freed
from foretell.train.world import World

STEPS, BEFORE = 5, 2  # that count, and that come before them


def training(name: str, batch: int, **settings: Any) -> Trainer:
    """A recipe's model, about to learn from a batch of noise on the CPU; `settings` are of its `TrainConfig`."""
    torch.manual_seed(0)
    model = begin(RECIPES[name]().model)
    encoder = model.config.encoder
    shape = (*([encoder.frames] if len(encoder.patch) == 3 else []), encoder.image_size, encoder.image_size)
    noise = np.random.default_rng(0).integers(256, size=(batch, 3, *shape), dtype=np.uint8)
    train = TrainConfig(batch=batch, monitor_every=0, **settings)
    return Trainer(model, Pictures(noise, None, (), (), ""), train, Path(), World(torch.device("cpu")))


def cost(name: str, batch: int, kept: bool) -> tuple[float, float]:
    """Seconds of process time of a step, and MiB that the process held at most."""
    torch.set_num_threads(1)
    if kept:
        keep_freed()
    trainer = training(name, batch)
    spent = []
    for step in range(BEFORE + STEPS):
        began = process_time()
        trainer.step(step)
        spent.append(process_time() - began)
    return median(spent[BEFORE:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(
    steps: tuple[tuple[str, int], ...] = (("ijepa", 128), ("vjepa", 16), ("vjepa-mini", 16)), rounds: int = 3
) -> None:
    """Measure.

    Args:
        steps: recipes, each with its batch.
        rounds: turns that each has of either kind, in a process of its own.
    """
    one_thread()
    rows = []
    for name, batch in steps:
        found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        for turn in range(rounds):
            print(f"\r{name}, round {turn + 1} of {rounds}", end="", file=sys.stderr, flush=True)
            for kept in (False, True):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    found[kept].append(pool.apply(cost, (name, batch, kept)))
        print(file=sys.stderr)
        (back, held), (seconds, most) = (map(median, zip(*found[kept], strict=True)) for kept in (False, True))
        times = [f"{back * 1e3:.0f}", f"{seconds * 1e3:.0f}", f"{seconds / back:.2f}"]
        rows.append([f"{name}, batch {batch}", *times, f"{held:.0f}", f"{most:.0f}"])
    table(["step", "ms, given back", "ms, kept", "ratio", "MiB, given back", "MiB, kept"], rows)


if __name__ == "__main__":
    tyro.cli(main)
