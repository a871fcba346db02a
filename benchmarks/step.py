"""One exact I-JEPA training step, or with `--frames` one of V-JEPA: same masks, sizes, batch and weights; forward,
backward, AdamW, moving average.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
import tyro

from benchmarks.measure import SIDE, available, interleaved, one_thread, product, table
from benchmarks.peers import PEERS
from benchmarks.problem import Problem
from benchmarks.video_peers import PEERS as VIDEO_PEERS


def main(
    problem: tyro.conf.OmitArgPrefixes[Problem] = Problem(),  # noqa: B008 frozen
    precision: Literal["fp32", "bf16"] = "fp32",
    rounds: int = 15,
) -> None:
    """Measure a step in foretell and in its peers, beside what the processor's matrix products allow.

    Args:
        problem: sizes.
        precision: of the products; weights and optimiser stay in float32.
        rounds: turns that each contender has.
    """
    one_thread()
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    (contexts, K), (M, L) = problem.masks[0].shape, problem.masks[1].shape[1:]
    what, peers = ("images", PEERS) if problem.frames is None else ("clips", VIDEO_PEERS)
    size, patch = (" × ".join(map(str, n)) for n in (problem.pixels.shape[2:], problem.config.encoder.patch))
    print(
        f"ViT {problem.depth}×{problem.width}, {what} of {size} in patches of {patch}, batch {problem.batch}, "
        f"{contexts // problem.batch} × {K} context patches, {M} blocks of {L}; predictor "
        f"{problem.predictor_depth}×{problem.predictor_width}; {precision}, medians of {rounds} rounds\n"
    )
    steps = available({name: partial(build, problem, dtype) for name, build in peers.items()})
    losses = {name: float(step()) for name, step in steps.items()}  # equal weights, so one problem has one loss
    seconds = interleaved({**steps, "": product(dtype)}, rounds)
    rate = 2 * SIDE**3 / seconds.pop("")
    rows = [
        [
            name,
            f"{s * 1e3:.0f}",
            f"{problem.batch / s:.1f}",
            f"{problem.flops / rate / s:.0%}",
            f"{s / seconds['foretell']:.2f}",
            f"{losses[name]:.5f}",
        ]
        for name, s in seconds.items()
    ]
    table(["library", "ms a step", f"{what}/s", "of the limit", "× foretell's time", "first loss"], rows)
    print(
        f"limit: {problem.flops / 1e9:.1f} GFLOP of matrix products at {rate / 1e9:.0f} GFLOP/s, "
        f"which is what a product of {SIDE} × {SIDE} reaches"
    )


if __name__ == "__main__":
    tyro.cli(main)
