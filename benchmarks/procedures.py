"""Whether a frozen video model sees what is done in filmed procedures: a probe names the step of one clip."""

from __future__ import annotations

import time

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool3d

from benchmarks.measure import one_thread, table
from foretell import hub
from foretell.augment import to_float
from foretell.data.made.procedures import FIRST_TEST, STEPS, film, procedure
from foretell.evaluate.intervals import accuracy_of
from foretell.evaluate.measures.attentive import attentive_probe
from foretell.evaluate.measures.linear import linear_probe
from foretell.method import fresh, unrelated


def filmed(count: int, first: int, seed: int, size: int, frames: int) -> tuple[Tensor, Tensor]:
    """Clips of procedures, uint8 [n, 3, T, size, size], and the numbers of their steps [n]."""
    made = [procedure(seed, first + number) for number in range(count)]
    clips = np.concatenate([film(each, size, frames) for each in made])
    return torch.from_numpy(clips).transpose(1, 2), torch.tensor([STEPS.index(s) for each in made for s in each.steps])


@torch.no_grad()
def by_time(encoder: torch.nn.Module, clips: Tensor) -> Tensor:
    """The latents of each tubelet, their mean over the plane: float32 [n, tubelets, D]."""
    found = [encoder(to_float(some)) for some in clips.split(16)]
    times = encoder.config.frames // encoder.config.tubelet  # pyrefly: ignore
    return torch.cat([z.unflatten(1, (times, -1)).mean(2) for z in found])


def main(procedures: int = 480, held_out: int = 160, model: str = "vjepa-deep", seed: int = 0) -> None:
    """Measure.

    Args:
        procedures: to learn from.
        held_out: to test on.
        model: of videos, by the name that `foretell.load` takes.
        seed: draws the procedures, the untrained encoder, and the probes' weights.
    """
    one_thread()
    trained = hub.load(model)
    size, frames = trained.config.encoder.image_size, trained.config.encoder.frames
    started = time.process_time()
    clips, labels = filmed(procedures, 0, seed, size, frames)
    tested, asked = filmed(held_out, FIRST_TEST, seed, size, frames)
    rate = 60 * (len(clips) + len(tested)) / (time.process_time() - started)
    print(f"{len(clips)} clips to learn from, {len(tested)} to test on, {rate:.0f} filmed a minute")
    rows = []

    def add(name: str, right: Tensor) -> None:
        found = accuracy_of(int(right.sum()), asked)
        rows.append([name, f"{found['value']:.3f}", f"{found['low']:.3f} to {found['high']:.3f}"])
        print(rows[-1], flush=True)

    for name, each in ((model, trained), ("the same, untrained", fresh(trained, unrelated(seed)).eval())):
        z, z_test = (by_time(each.patch_encoder, some) for some in (clips, tested))
        add(f"{name}: linear, all latents' mean", linear_probe(z.mean(1), labels, z_test.mean(1), asked, seed=seed))
        add(
            f"{name}: linear, a latent a tubelet",
            linear_probe(z.flatten(1), labels, z_test.flatten(1), asked, seed=seed),
        )
        heads = each.patch_encoder.config.heads
        add(f"{name}: attentive, a latent a tubelet", attentive_probe(z, labels, z_test, asked, heads=heads, seed=seed))
    x, x_test = (adaptive_avg_pool3d(to_float(some), 8).flatten(1) for some in (clips, tested))
    add("pixels, 8 × 8 × 8: linear", linear_probe(x, labels, x_test, asked, seed=seed))
    add("the most frequent step", asked == labels.mode().values)
    table(["probe", "accuracy", "95 %"], rows)


if __name__ == "__main__":
    tyro.cli(main)
