"""Memory and time of a training step, an image, as images and batches grow. Linux only: it reads /proc."""

from __future__ import annotations

import gc
import multiprocessing
import re
from pathlib import Path
from time import process_time

import torch
import tyro

from benchmarks.measure import one_thread, table
from benchmarks.peers import PEERS
from benchmarks.problem import Problem

STEPS = 3


def resident(field: str) -> int:
    """Bytes of this process's memory: `VmRSS` now, `VmHWM` at most since the last `forget`."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def forget() -> None:
    """Start `VmHWM` anew."""
    Path("/proc/self/clear_refs").write_text("5")


def cost(name: str, problem: Problem) -> tuple[float, float] | str:
    """Bytes that a step needs on top of what lies there before, and its seconds; or why there are none."""
    torch.set_num_threads(1)
    try:
        PEERS[name](Problem(batch=2), torch.float32)()  # libraries loaded, kernels chosen, before the count begins
        step = PEERS[name](problem, torch.float32)
    except ImportError as error:
        return str(error)
    gc.collect()
    forget()
    before = resident("VmRSS")
    spent = []
    for _ in range(STEPS):
        began = process_time()
        step()
        spent.append(process_time() - began)
    return resident("VmHWM") - before, min(spent)


def main(
    libraries: tuple[str, ...] = ("foretell", "lightly", "simulusion"),
    sizes: tuple[int, ...] = (32, 64, 96),
    batches: tuple[int, ...] = (8, 32),
) -> None:
    """Measure the memory of a step and how it grows.

    Args:
        libraries: who takes part.
        sizes: pixels a side, at the largest batch; patches stay at 8 pixels.
        batches: at 64 pixels.
    """
    one_thread()
    settings = list(dict.fromkeys([*((size, max(batches)) for size in sizes), *((64, batch) for batch in batches)]))
    rows = []
    for name in libraries:
        for size, batch in sorted(settings):
            problem = Problem(image_size=size, batch=batch)
            # a process each: what one leaves behind is not another's
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found = pool.apply(cost, (name, problem))
            if isinstance(found, str):
                print(f"left out: {name} ({found})\n")
                break
            peak, seconds = found
            rows.append(
                [
                    name,
                    str(size),
                    str((size // problem.patch_size) ** 2),
                    str(batch),
                    f"{peak / 2**20:.0f}",
                    f"{peak / batch / 2**20:.1f}",
                    f"{seconds / batch * 1e3:.1f}",
                ]
            )
    table(["library", "pixels", "patches", "batch", "MiB a step", "MiB an image", "ms an image"], rows)


if __name__ == "__main__":
    tyro.cli(main)
