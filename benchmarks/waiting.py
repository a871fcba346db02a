"""How long training steps wait for their batches: read on the spot, or made ahead by `foretell.train.prefetch`.

Two kinds of steps: those of recipes, computed here, and those of a device that computes by itself. The second kind is a
sleep, because the processor is free meanwhile; its data is larger than a recipe's for a CPU, and is read from the disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import median
from time import monotonic, process_time, sleep

import numpy as np
import torch
import tyro

from benchmarks.measure import one_thread, table
from foretell.data import Batch, Images, Pictures, Videos, load
from foretell.methods import begin
from foretell.recipes import RECIPES
from foretell.train.loop import TrainConfig, Trainer, batch_index
from foretell.train.prefetch import Prefetched
from foretell.train.world import World

CPU = torch.device("cpu")
Run = Callable[[], tuple[Callable[[int], Batch], Callable[[int, Batch], object]]]
"""Begins a run: what makes the batch of a step, and what computes the step."""


def once(run: Run, steps: int, ahead: bool) -> tuple[float, float, float]:
    """Milliseconds of a step: that it waits and that it takes (medians of wall time), and its process time."""
    make, compute = run()
    made: AbstractContextManager[Iterator[Batch]] = nullcontext(map(make, range(steps)))
    if ahead:
        made = Prefetched(range(steps), make, CPU)
    waited, taken, used = [], [], process_time()
    with made as batches:
        for step in range(steps):
            began = monotonic()
            batch = next(batches)
            waited.append(monotonic() - began)
            compute(step, batch)
            taken.append(monotonic() - began)
    return 1e3 * median(waited[1:]), 1e3 * median(taken[1:]), 1e3 * (process_time() - used) / steps


def compared(runs: dict[str, Run], steps: int, rounds: int) -> None:
    """Print what steps wait, on the spot and ahead, by turns."""
    rows = []
    for name, run in runs.items():
        found: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
        for turn in range(rounds):
            for ahead in (False, True) if turn % 2 else (True, False):
                found[ahead].append(once(run, steps, ahead))
        for ahead, what in ((False, "on the spot"), (True, "ahead")):
            rows.append([name, what, *(f"{median(each):.1f}" for each in zip(*found[ahead], strict=True))])
    table(["step", "read", "ms it waits", "ms in all", "ms of process time"], rows)


def recipe(name: str, spec: str, batch: int, steps: int, folder: Path) -> Run:
    """Steps of a recipe, on the CPU."""
    images: Pictures = load(spec, RECIPES[name]().model.reads, cache_dir=folder, progress=False)

    def run() -> tuple[Callable[[int], Batch], Callable[[int, Batch], object]]:
        torch.manual_seed(0)
        config = TrainConfig(steps=steps, batch=batch, monitor_every=0, precision="fp32")
        trainer = Trainer(begin(RECIPES[name]().model), images, config, Path(), World(CPU))
        return trainer.batch, lambda step, found: trainer.step(step, iter([found]))

    return run


def device(kind: type[Pictures], shape: tuple[int, ...], batch: int, busy: float, folder: Path) -> Run:
    """Steps of a device that is busy for some seconds, on samples of a file that is not in memory."""
    path = folder / f"{kind.__name__}.npy"
    samples = max(2**28 // int(np.prod(shape)), 2 * batch)
    noise = np.random.default_rng(0).integers(256, size=(8, *shape), dtype=np.uint8)
    written = np.lib.format.open_memmap(path, "w+", np.uint8, (samples, *shape))
    for start in range(0, samples, 8):
        written[start : start + 8] = noise[: samples - start]
    written.flush()
    del written

    def run() -> tuple[Callable[[int], Batch], Callable[[int, Batch], object]]:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        data = kind(np.load(path, mmap_mode="r"), None, (), (), "")
        return lambda step: data.batch(batch_index(step, samples, batch, 0)), lambda *_: sleep(busy)

    return run


def main(steps: int = 16, rounds: int = 5, busy: float = 0.2) -> None:
    """Measure.

    Args:
        steps: of a run.
        rounds: turns that each kind of reading has.
        busy: seconds that a step of a device takes.
    """
    one_thread()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = {
            f"device, {busy:g} s: 64 images of 224": device(Images, (3, 224, 224), 64, busy, folder),
            f"device, {busy:g} s: 8 clips of 16 × 128": device(Videos, (16, 3, 128, 128), 8, busy, folder),
            "ijepa, 32 photographs": recipe("ijepa", "photographs", 32, steps, folder),
            "vjepa-mini, 8 clips": recipe("vjepa-mini", "scenes:128", 8, steps, folder),
        }
        print(f"medians of {rounds} rounds of {steps} steps\n")
        compared(runs, steps, rounds)


if __name__ == "__main__":
    tyro.cli(main)
