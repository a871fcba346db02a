"""What discovering environments costs: draws of XRM side by side, and the paper's procedure for one after the other."""

from __future__ import annotations

import resource

import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measure import interleaved, one_thread, table
from foretell.robust import xrm
from foretell.robust.twins import Settings, TwinConfig


def main(rows: int = 60_000, width: int = 512, draws: int = 10, steps: int = 1000, rounds: int = 5) -> None:
    """Measure discovery on a table with a faint cause and a loud shortcut.

    Args:
        rows: of the table; a fifth of them are for validation.
        width: numbers a row.
        draws: settings to try.
        steps: of each.
        rounds: turns that each contender has.
    """
    one_thread()
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (rows,), generator=generator)
    x = torch.randn(rows, width, generator=generator)
    sign = 2.0 * y - 1
    x[:, 0] += sign
    x[:, 1] += 3 * torch.where(torch.rand(rows, generator=generator) < 0.1, -sign, sign)
    held = torch.arange(rows) % 5 == 0
    settings, config = xrm.drawn(draws), TwinConfig(steps=steps)

    before = _peak()
    xrm.train(x, y, settings, [0] * draws, TwinConfig(steps=1), validation=held)  # steps take no memory of their own
    memory = _peak() - before
    flips: dict[str, list[float]] = {}

    def beside() -> None:
        runs = xrm.train(x, y, settings, [0] * draws, config, validation=held)
        flips["side by side"] = [run.flip_rate for run in runs]

    def one_by_one() -> None:
        flips["one by one"] = alone(x, y, held, settings, steps)

    seconds = interleaved({"side by side": beside, "one by one": one_by_one}, rounds)
    print(f"{rows:,} rows of {width}, {draws} draws of {steps:,} steps, medians of {rounds} rounds\n")
    table(
        ["", "s", "× side by side", "largest flip rate"],
        [
            [name, f"{s:.1f}", f"{s / seconds['side by side']:.2f}", f"{max(flips[name]):.3f}"]
            for name, s in seconds.items()
        ],
    )
    print(f"memory beside the table of {x.nbytes / 2**20:.0f} MiB: {memory:.0f} MiB")


def alone(x: Tensor, y: Tensor, held: Tensor, settings: list[Settings], steps: int) -> list[float]:
    """The procedure as the paper prints it, for each of several settings; gives their flip rates."""
    rates = []
    x_learned, y_learned, n = x[~held], y[~held], int(y.max()) + 1
    for one in settings:
        generator = torch.Generator().manual_seed(0)
        twins = [nn.Linear(x.shape[1], n) for _ in range(2)]
        for twin in twins:
            nn.init.zeros_(twin.weight)
        parameters = [p for twin in twins for p in twin.parameters()]
        optimizer = torch.optim.SGD(parameters, one.lr, momentum=0.9, weight_decay=one.weight_decay)
        a = torch.rand(len(y_learned), generator=generator) < 0.5
        labels, order = y_learned.clone(), torch.empty(0, dtype=torch.int64)
        for _ in range(steps):
            if len(order) < one.batch:
                order = torch.cat([order, torch.randperm(len(y_learned), generator=generator)])
            index, order = order[: one.batch], order[one.batch :]
            p_a, p_b = (twin(x_learned[index]) for twin in twins)
            first = a[index].unsqueeze(1)
            held_in, held_out = torch.where(first, p_a, p_b), torch.where(first, p_b, p_a).detach()
            error = F.cross_entropy(held_in, labels[index], reduction="none")
            loss = torch.stack([error[labels[index] == c].mean() for c in labels[index].unique()]).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            p, guess = held_out.softmax(1).max(1)
            flips = torch.rand(len(index), generator=generator) < (p - 1 / n) * n / (n - 1)
            labels[index] = torch.where(flips, guess, labels[index])
        with torch.no_grad():
            for twin in twins:
                (twin(x).argmax(1) != y).sum()
        rates.append((labels != y_learned).float().mean().item())
    return rates


def _peak() -> float:
    """The most memory that this process has had, in MiB (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    tyro.cli(main)
