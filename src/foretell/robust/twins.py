"""Many small classifiers trained side by side: the twins of every run, in one product of matrices.

R runs · M = 2R networks · N rows · B rows of a batch · D width of a row · H hidden width · n classes
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell.errors import COUNT, NOT_NEGATIVE, POSITIVE, SIZE, within

Kind = Literal["linear", "mlp"]


@dataclass(frozen=True)
class Settings:
    """How one run is trained: what XRM draws at random and chooses by flip rate."""

    lr: float = 1e-3
    batch: int = 64
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        within(self, lr=POSITIVE, batch=COUNT, weight_decay=NOT_NEGATIVE)


@dataclass(frozen=True)
class TwinConfig:
    """What every twin is made of and how long it learns."""

    network: Kind = "linear"
    """`linear` for frozen features, as the paper's images; `mlp` for pixels, as its ColorMNIST."""
    width: int = 390
    """Hidden width of the two hidden layers of `mlp`."""
    steps: int = 1000
    """Optimiser steps: a fixed number, without early stopping."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """`sgd` has momentum 0.9."""

    def __post_init__(self) -> None:
        within(self, width=SIZE, steps=COUNT)


class Twins:
    """R pairs of networks: a call asks all of them about the same rows.

    Each run keeps its own parameters, so that an ordinary optimiser gives each its own rate. A call joins them:
    one product for all networks, however many runs there are.

    Args:
        runs: R.
        inputs: D.
        classes: n.
        config: the kind of network.
        generator: draws the weights of hidden layers. The last layer begins at zero, so that no twin has an opinion.
    """

    def __init__(self, runs: int, inputs: int, classes: int, config: TwinConfig, generator: torch.Generator) -> None:
        hidden = [config.width] * 2 if config.network == "mlp" else []
        sizes = [inputs, *hidden, classes]
        self.runs = [
            [
                parameter
                for a, b in pairwise(sizes)
                for parameter in (_weights(a, b, generator), nn.Parameter(torch.zeros(2, 1, b)))
            ]
            for _ in range(runs)
        ]
        with torch.no_grad():
            for run in self.runs:
                run[-2].zero_()

    def __call__(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "R 2 B n"]:
        """The logits of every network."""
        layers = [torch.cat(same) for same in zip(*self.runs, strict=True)]  # [M, in, out]
        z = torch.einsum("bd,mdh->mbh", x, layers[0]) + layers[1]
        for weight, bias in zip(layers[2::2], layers[3::2], strict=True):
            z = torch.baddbmm(bias, z.relu(), weight)
        return z.unflatten(0, (-1, 2))


def _weights(inputs: int, outputs: int, generator: torch.Generator) -> nn.Parameter:
    """Two matrices by Xavier's rule, one for each twin."""
    bound = (6 / (inputs + outputs)) ** 0.5
    return nn.Parameter((torch.rand(2, inputs, outputs, generator=generator) * 2 - 1) * bound)


def optimizer_of(twins: Twins, settings: list[Settings], config: TwinConfig) -> torch.optim.Optimizer:
    """One optimiser for all runs, with each run's own rate and decay."""
    groups = [
        {"params": run, "lr": one.lr, "weight_decay": one.weight_decay}
        for run, one in zip(twins.runs, settings, strict=True)
    ]
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, foreach=True)
    return torch.optim.SGD(groups, lr=1e-3, momentum=0.9, foreach=True)
