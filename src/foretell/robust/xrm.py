"""Cross-risk minimisation: Pezeshki et al., "Discovering environments with XRM", ICML 2024, arXiv:2309.16748.

    aᵢ ~ Bernoulli(½)                                      twin A learns from row i, or twin B does
    L = Σ_c mean_{i: ỹᵢ = c} CE(held-in twin(xᵢ), c)         classes weigh alike, by the labels ỹ as they stand
    ỹᵢ ← argmax held-out twin(xᵢ)   with chance (pᵢ − 1/n) · n/(n − 1)     pᵢ: its confidence
    e(x, y) = 1 where A(x) ≠ y or B(x) ≠ y                  y: the original label

Each twin learns one half of the rows. Labels drift towards confident mistakes of the twin that did not learn from the
row, so both twins come to rely on the shortcut alone. What they get wrong at last lacks the shortcut: environment 1.

Differs from the paper:
- All runs see the same rows in the same order, so that they share one product of matrices. A run with a smaller batch
  takes the first rows of it.
- The last layer of the `mlp` begins at zero as the text says; the released code overwrites it.
- Several seeds are joined by vote into one environment a row (`Discovery`); the paper keeps each seed's own.

R runs · N rows, some of them for validation · B rows of a batch · D width of a row · n classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from foretell.errors import ForetellError
from foretell.progress import watched
from foretell.robust.convolution import SIDE, ConvolutionalTwins
from foretell.robust.scaling import Scaling
from foretell.robust.twins import Optimizer, Settings, TwinConfig, TwinKind, Twins
from foretell.train.loop import batch_index, generator

PART, PICTURES = 8192, 256
"""Vectors and pictures that are asked about at a time, after training."""


@dataclass(frozen=True)
class Run:
    """What one pair of twins came to."""

    settings: Settings
    seed: int
    flip_rate: float
    """Share of the rows learned from whose label differs from the original after the last step; 0 where the twins
    are degenerate: a class of the training or validation rows is all in one environment."""
    wrong: Bool[Tensor, "N 2"] = field(repr=False)
    """Which twin errs on a row, by the original label."""

    @property
    def environment(self) -> Int[Tensor, " N"]:
        """0 or 1 for each row: 1 where either twin errs, whether it learned from the row or not."""
        return self.wrong.any(1).long()


def drawn(count: int, seed: int = 0, network: TwinKind = "linear") -> list[Settings]:
    """Hyper-parameters as the paper draws them: rate 10^U(−5, −3), decay 10^U(−6, −3); batch 2^U(5, 7) for frozen
    features (`linear`), and 2^U(3, 6) for ColorMNIST (`mlp`). Rates of `conv`, which the paper lacks: 10^U(−3.5, −2.5).
    """
    chance = np.random.default_rng([seed, 1])
    batch = (3, 6) if network == "mlp" else (5, 7)
    rate = (-3.5, -2.5) if network == "conv" else (-5, -3)
    return [
        Settings(
            lr=float(10 ** chance.uniform(*rate)),
            batch=int(2 ** chance.uniform(*batch)),
            weight_decay=float(10 ** chance.uniform(-6, -3)),
        )
        for _ in range(count)
    ]


def train(
    x: Shaped[Tensor, "N ..."],
    y: Int[Tensor, " _"],
    settings: Sequence[Settings],
    seeds: Sequence[int],
    config: TwinConfig | None = None,
    *,
    validation: Bool[Tensor, " _"] | None = None,
    scaled: bool = False,
    progress: str | None = None,
) -> list[Run]:
    """Train twins for each of several settings at once.

    Args:
        x: all rows: vectors [N, D], or pictures [N, 3, S, S] as bytes or in [0, 1]. A memory map stays on disk, and
            batches are read from it.
        y: their labels, 0 to n − 1.
        settings: of each run.
        seeds: of each run: they draw the halves and the flips. The first draws the order of the rows, for all.
        config: the network and the number of steps.
        validation: rows that are given an environment and not learned from; None for none.
        scaled: bring each column of vectors to mean 0 and deviation 1 over the rows that are learned from.
        progress: what to call the work on a progress bar; None for no bar.

    Raises:
        ForetellError: rows that are not finite, fewer than two classes, or a class with fewer than two rows to learn
            from.
    """
    validation = torch.zeros(len(x), dtype=torch.bool) if validation is None else validation
    config, classes = config or TwinConfig(), _classes(x, y, validation)
    learned = (~validation).nonzero().squeeze(1)
    N, R = len(learned), len(settings)
    chance = [generator(seed, 0, 0) for seed in seeds]
    learns_a = torch.stack([torch.rand(N, generator=g) < 0.5 for g in chance])  # [R, N]: whether A learns from the row
    drifting = y[learned].to(torch.uint8 if classes <= 256 else torch.int32).repeat(R, 1)  # many rows: little memory
    batches = torch.tensor([one.batch for one in settings])
    scaling = Scaling.of(x, ~validation) if scaled and x.ndim == 2 else None
    twins = _twins(x, R, classes, config, generator(seeds[0], 1, 0), scaling)
    optimizer = Optimizer(twins, settings, config)
    for step in watched(range(config.steps), progress):
        index = batch_index(step, N, min(int(batches.max()), N), seeds[0])
        used = torch.arange(len(index)) < batches.unsqueeze(1)  # [R, B]
        logits = twins(_numbers(x[learned[index]]))
        first = learns_a[:, index].unsqueeze(-1)
        held_in = torch.where(first, logits[:, 0], logits[:, 1])
        held_out = torch.where(first, logits[:, 1], logits[:, 0]).detach()
        labels = drifting[:, index].long()
        balanced(held_in, labels, used).sum().backward()
        optimizer.step()
        draw = torch.stack([torch.rand(len(index), generator=g) for g in chance])
        flips = used & (draw < flip_chance(held_out))
        drifting[:, index] = torch.where(flips, held_out.argmax(-1), labels).to(drifting.dtype)
    flipped = ((drifting != y[learned].to(drifting.dtype)).sum(1) / N).tolist()
    return [
        Run(one, seed, share if _both(wrong.any(1), y, validation) else 0.0, wrong)
        for one, seed, share, wrong in zip(settings, seeds, flipped, _mistakes(twins, x, y), strict=True)
    ]


def balanced(
    logits: Float[Tensor, "R B n"], labels: Int[Tensor, "R B"], used: Bool[Tensor, "R B"]
) -> Float[Tensor, " R"]:
    """Σ_c mean_{i: label c} CE of each run over the rows it uses: a class without rows adds nothing."""
    error = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
    one_hot = F.one_hot(labels, logits.shape[-1]) * used.unsqueeze(-1)
    counts = one_hot.sum(1).clamp(min=1)  # [R, n]
    return (error * used / counts.gather(1, labels)).sum(1)


def flip_chance(logits: Float[Tensor, "*some n"]) -> Float[Tensor, "*some"]:
    """(p − 1/n) · n/(n − 1), p the confidence: 0 where the twin knows nothing, 1 where it is sure."""
    n = logits.shape[-1]
    return ((logits.softmax(-1).amax(-1) - 1 / n) * n / (n - 1)).clamp(0, 1)


def _twins(
    x: Tensor, runs: int, classes: int, config: TwinConfig, chance: torch.Generator, scaling: Scaling | None
) -> Twins | ConvolutionalTwins:
    """Networks for vectors or for pictures."""
    pictures = x.ndim == 4 and x.shape[1] == 3 and min(x.shape[2:]) >= SIDE
    if pictures != (config.network == "conv") or x.ndim != (4 if pictures else 2):
        expected = f"pictures [N, 3, S, S], S at least {SIDE}" if config.network == "conv" else "vectors [N, D]"
        raise ForetellError(f"network {config.network} takes {expected}; found {list(x.shape)}")
    if pictures:
        return ConvolutionalTwins(runs, classes, chance)
    return Twins(runs, x.shape[1], classes, config, chance, scaling)


def _numbers(x: Shaped[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
    """Rows as networks take them: bytes become numbers in [0, 1]."""
    return x.float() / 255 if x.dtype == torch.uint8 else x.float()


@torch.no_grad()
def _mistakes(twins: Twins | ConvolutionalTwins, x: Shaped[Tensor, "N ..."], y: Int[Tensor, " N"]) -> Tensor:
    """Which networks err on which row: bool [R, N, 2]."""
    size, start = PART if x.ndim == 2 else PICTURES, 0
    wrong: Tensor | None = None
    for some, of in zip(x.split(size), y.split(size), strict=True):
        found = (twins(_numbers(some)).argmax(-1) != of).transpose(1, 2)
        if wrong is None:
            wrong = torch.empty(len(found), len(y), 2, dtype=torch.bool)
        wrong[:, start : start + len(of)] = found
        start += len(of)
    assert wrong is not None
    return wrong


def _both(environment: Bool[Tensor, " N"], y: Int[Tensor, " N"], validation: Bool[Tensor, " N"]) -> bool:
    """Whether each class has rows in both environments, among those learned from and among those for validation."""
    cells, most = 2 * y + environment, 2 * (int(y.max()) + 1)
    return all(
        bool(((torch.bincount(cells[part], minlength=most).view(-1, 2) > 0).sum(1) != 1).all())
        for part in (~validation, validation)
    )


def _classes(x: Shaped[Tensor, "N ..."], y: Int[Tensor, " _"], validation: Bool[Tensor, " _"]) -> int:
    if not len(x) == len(y) == len(validation):
        raise ForetellError(f"found {len(x)} rows and {len(y)} labels, expected a label for each row")
    counts = torch.bincount(y[~validation], minlength=int(y.max()) + 1) if len(y) else y
    if len(counts) < 2:
        raise ForetellError(f"found {len(counts)} classes among the labels, expected two or more to tell apart")
    if few := [c for c, count in enumerate(counts.tolist()) if count < 2]:
        raise ForetellError(f"class {few[0]} has fewer than two rows; each twin needs rows of each class: leave it out")
    if not all(part.isfinite().all() for part in x.split(PART) if x.dtype != torch.uint8):
        raise ForetellError("a row has a number that is NaN or infinite, expected finite features")
    return len(counts)


@dataclass(frozen=True)
class Discovery:
    """The environments of a table, and how far they can be trusted."""

    settings: Settings
    """The settings with the largest flip rate among those tried."""
    tried: list[float]
    """The flip rate of each of the settings tried."""
    runs: list[Run] = field(repr=False)
    """One for each seed, with `settings`."""

    @property
    def flip_rate(self) -> float:
        """The mean over seeds; 0 where nothing was found."""
        return float(np.mean([run.flip_rate for run in self.runs]))


def discover(
    x: Shaped[Tensor, "N ..."],
    y: Int[Tensor, " _"],
    validation: Bool[Tensor, " _"] | None = None,
    *,
    draws: int | Sequence[Settings] = 10,
    seeds: int = 10,
    seed: int = 0,
    config: TwinConfig | None = None,
    scaled: bool = False,
    progress: bool = True,
) -> Discovery:
    """Choose settings by flip rate, which asks for no annotation, and train that choice with several seeds (§4).

    Args:
        x: all rows.
        y: their labels, 0 to n − 1.
        validation: rows that are given an environment and not learned from; None for none.
        draws: how many settings to draw, or the settings themselves.
        seeds: how many runs of the chosen one.
        seed: the first of them; it also draws the settings.
        config: the network and the number of steps.
        scaled: as of `train`.
        progress: show bars.

    Raises:
        ForetellError: as `train`.
    """
    config = config or TwinConfig()
    given = drawn(draws, seed, config.network) if isinstance(draws, int) else list(draws)

    def runs(settings: list[Settings], of: list[int], what: str) -> list[Run]:
        said = what if progress else None
        return train(x, y, settings, of, config, validation=validation, scaled=scaled, progress=said)

    tried = runs(given, [seed] * len(given), "Trying settings")
    best, rates = max(tried, key=lambda run: run.flip_rate).settings, [run.flip_rate for run in tried]
    del tried  # of many rows its mistakes take much memory
    return Discovery(best, rates, runs([best] * seeds, [seed + k for k in range(seeds)], "Repeating the choice"))
