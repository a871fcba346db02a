"""A training step by AdamW and by Muon: what turning the steps of matrices costs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import tyro

from benchmarks.freed import training
from benchmarks.measure import interleaved, one_thread, table
from foretell.train.memory import keep_freed


def stepping(name: str, batch: int, optimizer: str) -> Callable[[], object]:
    """A contender that takes the next training step of a recipe's model."""
    trainer, steps = training(name, batch, optimizer=optimizer), count()
    return lambda: trainer.step(next(steps))


def main(
    steps: tuple[tuple[str, int], ...] = (("vjepa-mini", 8), ("vjepa-mini", 32), ("vjepa-deep", 8), ("vjepa", 16)),
    rounds: int = 9,
) -> None:
    """Measure.

    Args:
        steps: recipes, each with its batch.
        rounds: turns that each optimizer has.
    """
    one_thread()
    keep_freed()  # as training does
    rows = []
    for name, batch in steps:
        took = interleaved({kind: stepping(name, batch, kind) for kind in ("adamw", "muon")}, rounds)
        times = [f"{took[kind] * 1e3:.0f}" for kind in ("adamw", "muon")]
        rows.append([f"{name}, batch {batch}", *times, f"{took['muon'] / took['adamw']:.2f}"])
    table(["step", "ms, AdamW", "ms, Muon", "ratio"], rows)


if __name__ == "__main__":
    tyro.cli(main)
