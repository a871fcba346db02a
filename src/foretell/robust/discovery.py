"""Discover environments in a data set, and say in numbers how far they can be trusted.

    found = discovery(labelled(load("features.npz", Vectors())))
    found.report["flip_rate"], found.environment

N rows · S seeds · E environments
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor
from torch.nn import functional as F

from foretell.evaluate.intervals import Z, wilson
from foretell.robust.rows import Labelled, check, held_out, labelled
from foretell.robust.twins import Settings, TwinConfig
from foretell.robust.xrm import Discovery, discover

__all__ = ["Found", "Labelled", "discovery", "held_out", "labelled", "purity", "stability", "tables"]

PART = 1 << 20
"""Rows that are counted, and written, at a time."""


@dataclass(frozen=True)
class Found:
    """The environments of a data set."""

    environment: Int[Tensor, " N"] = field(repr=False)
    """0 to E − 1 for every row, of training and of validation: what most seeds say."""
    confidence: Float[Tensor, " N"] = field(repr=False)
    """Share of the seeds that say so."""
    votes: Float[Tensor, "N 2"] = field(repr=False)
    """Share of the seeds whose twin A, and whose twin B, errs on the row."""
    validation: Bool[Tensor, " N"] = field(repr=False)
    """Which rows the twins did not learn from."""
    report: dict[str, Any]
    """Plain numbers: `flip_rate`, `environments` {class: [rows of 0, rows of 1]}, `stability`, `purity`, `settings`."""


def discovery(
    rows: Labelled,
    *,
    draws: int | Sequence[Settings] = 10,
    seeds: int = 10,
    seed: int = 0,
    config: TwinConfig | None = None,
    environments: int = 2,
    scaled: bool = True,
    progress: bool = True,
) -> Found:
    """Discover environments; other arguments are as of `foretell.robust.xrm.discover`.

    Args:
        environments: 2, as in the paper: both twins are right, or one errs. 3 is our own: both are right, one errs, or
            both err.
        scaled: bring each column of vectors to mean 0 and deviation 1. ColorMNIST, whose columns are pixels, was
            published without.

    Raises:
        ForetellError: as `check` and `xrm.discover`.
    """
    check(rows)
    validation = held_out(rows.y, seed)
    found = discover(
        rows.x,
        rows.y,
        validation,
        draws=draws,
        seeds=seeds,
        seed=seed,
        config=config,
        scaled=scaled,
        progress=progress,
    )
    by_seed = assigned(found, environments)
    votes = torch.zeros(len(rows.y), 2)
    for run in found.runs:
        votes += run.wrong
    votes /= seeds
    environment, confidence = elected(by_seed, environments)
    report = _report(rows, environment, by_seed, found, environments)
    return Found(environment, confidence, votes, validation, report)


def assigned(found: Discovery, environments: int = 2) -> Integer[Tensor, "S N"]:
    """The environment that each seed gives each row: how many twins err, at most E − 1. A byte each."""
    return torch.stack([run.wrong.sum(1).clamp(max=environments - 1).byte() for run in found.runs])


def elected(by_seed: Integer[Tensor, "S N"], environments: int = 2) -> tuple[Int[Tensor, " N"], Float[Tensor, " N"]]:
    """What most seeds say, the higher one of two that are even; and the share of the seeds that say so."""
    counts = torch.zeros(environments, by_seed.shape[1], dtype=torch.int16)
    for seed in by_seed:  # one at a time: rows may be many
        for e in range(environments):
            counts[e] += seed == e
    highest = environments - 1 - counts.flip(0).argmax(0)  # argmax takes the first of equals
    return highest, counts.amax(0) / len(by_seed)


def _report(
    rows: Labelled, environment: Int[Tensor, " N"], by_seed: Integer[Tensor, "S N"], found: Discovery, environments: int
) -> dict[str, Any]:
    counts = torch.bincount(rows.y * environments + environment, minlength=len(rows.classes) * environments)
    report: dict[str, Any] = {
        "flip_rate": found.flip_rate,
        "tried": found.tried,
        "settings": vars(found.settings),
        "environments": dict(zip(rows.classes, counts.view(-1, environments).tolist(), strict=True)),
        "stability": stability(by_seed),
        "skipped": len(rows.skipped),
    }
    if rows.group is not None and (rows.group >= 0).any():
        report["purity"] = purity(rows.y, environment, rows.group)
    return report


def stability(by_seed: Integer[Tensor, "S N"]) -> dict[str, float] | None:
    """How often two seeds put a row into the same environment.

    Returns:
        `value`: the mean over pairs of seeds. `low`, `high`: its 95 % interval, by leaving out one seed at a time (the
        jackknife); of two seeds by their rows (Wilson). `chance`: how often two seeds would agree that give as many
        rows to each environment, and know nothing else. None for one seed.
    """
    S, N = by_seed.shape
    if S < 2:
        return None
    highest = int(by_seed.max())
    same, shares = torch.zeros(S, S, dtype=torch.float64), []
    for e in range(highest + 1):
        here = torch.zeros(S, dtype=torch.float64)
        for part in by_seed.split(PART, 1):
            is_e = (part == e).float()
            same += (is_e @ is_e.T).double()
            here += is_e.sum(1).double()
        shares.append(here / N)
    agree = same / N
    pairs = ~torch.eye(S, dtype=torch.bool)
    value = float(agree[pairs].mean())
    expected = sum(torch.outer(share, share) for share in shares)
    low, high = wilson(round(value * N), N) if S == 2 else _jackknife(agree, value)
    return {"value": value, "low": low, "high": high, "chance": float(torch.as_tensor(expected)[pairs].mean())}


def _jackknife(agree: Float[Tensor, "S S"], value: float) -> tuple[float, float]:
    """The interval of a mean over pairs of seeds, from the means without each of the seeds."""
    S = len(agree)
    total = agree.sum() - agree.trace()
    without = (total - 2 * (agree.sum(1) - agree.diagonal())) / ((S - 1) * (S - 2))
    half = Z * float(((S - 1) / S * (without - without.mean()).square().sum()).sqrt())
    return max(value - half, 0.0), min(value + half, 1.0)


def purity(y: Int[Tensor, " N"], environment: Int[Tensor, " N"], group: Int[Tensor, " N"]) -> dict[str, Any]:
    """How well environments separate the known groups; rows whose group is unknown (−1) do not count.

    Returns:
        `value`: share of the rows whose group is the commonest of their class and environment, with its 95 % interval
        `low` to `high`. `without`: the same without environments, which is what a split that knows nothing scores.
    """
    known = group >= 0
    y, environment, group = y[known], environment[known], group[known]

    groups = int(group.max()) + 1

    def commonest(cells: Int[Tensor, " _"]) -> int:
        counts = torch.bincount(cells * groups + group)  # no sorting: rows may be many
        return int(F.pad(counts, (0, -len(counts) % groups)).view(-1, groups).amax(1).sum())

    n = len(y)
    right = commonest(y * (int(environment.max()) + 1) + environment)
    low, high = wilson(right, n)
    return {"value": right / n, "low": low, "high": high, "without": commonest(y) / n}


def tables(found: Found, rows: Labelled) -> Iterator[dict[str, np.ndarray | list[str]]]:
    """What environments.parquet holds, column by column; some rows at a time."""
    files = rows.files
    for start in range(0, len(rows.y), PART):
        part = slice(start, start + PART)
        columns: dict[str, np.ndarray | list[str]] = {"row": np.arange(start, min(start + PART, len(rows.y)))}
        if files is not None:
            columns["file"] = files[part]
        yield columns | {
            "label": np.array(rows.classes)[rows.y[part].numpy()],
            "environment": found.environment[part].numpy(),
            "confidence": found.confidence[part].numpy(),
            "twin_a": found.votes[part, 0].numpy(),
            "twin_b": found.votes[part, 1].numpy(),
            "part": np.where(found.validation[part].numpy(), "validation", "train"),
        }
