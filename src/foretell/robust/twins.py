"""Many small classifiers trained side by side: the twins of every run, in one product of matrices.

R runs · M = 2R networks · N rows · B rows of a batch · D width of a row · H hidden width · n classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.errors import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, SIZE, within
from foretell.robust.convolution import ConvolutionalTwins
from foretell.robust.scaling import Scaling

Kind = Literal["linear", "mlp"]
TwinKind = Literal["linear", "mlp", "conv"]


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

    network: TwinKind = "linear"
    """`linear` for frozen features, as the paper's images; `mlp` for rows of pixels, as its ColorMNIST; `conv` for
    pictures [3, S, S], end to end."""
    width: int = 390
    """Hidden width of the two hidden layers of `mlp`."""
    bias: bool = True
    """Whether layers have one."""
    steps: int = 1000
    """Optimiser steps: a fixed number, without early stopping."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.9
    """Of `sgd`."""

    def __post_init__(self) -> None:
        within(self, width=SIZE, steps=COUNT, momentum=SHARE)


class Twins:
    """R pairs of networks: a call asks all of them about the same rows, in one product of matrices.

    Args:
        runs: R.
        inputs: D.
        classes: n.
        config: the kind of network.
        generator: draws the weights of hidden layers. The last layer begins at zero, so that no twin has an opinion.
        scaling: of the rows; None to take them as they come.
    """

    def __init__(
        self,
        runs: int,
        inputs: int,
        classes: int,
        config: TwinConfig,
        generator: torch.Generator,
        scaling: Scaling | None = None,
    ) -> None:
        self.scaling = scaling
        hidden = [config.width] * 2 if config.network == "mlp" else []
        sizes = list(pairwise([inputs, *hidden, classes]))
        M = 2 * runs
        self.weights = [_xavier(M, a, b, generator).requires_grad_() for a, b in sizes]
        self.biases = [torch.zeros(M, 1, b, requires_grad=config.bias) for _, b in sizes]
        with torch.no_grad():
            self.weights[-1].zero_()

    @property
    def parameters(self) -> list[Tensor]:
        """All that learns; the first axis numbers networks: A of the first run, B of the first run, A of the second."""
        return [p for p in (*self.weights, *self.biases) if p.requires_grad]

    def __call__(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "R 2 B n"]:
        """The logits of every network."""
        if self.scaling is not None:
            x = self.scaling(x)
        z = torch.einsum("bd,mdh->mbh", x, self.weights[0]) + self.biases[0]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            z = torch.baddbmm(bias, z.relu(), weight)
        return z.unflatten(0, (-1, 2))


def _xavier(networks: int, inputs: int, outputs: int, generator: torch.Generator) -> Float[Tensor, "M in out"]:
    """Weights by Xavier's rule."""
    bound = (6 / (inputs + outputs)) ** 0.5
    return (torch.rand(networks, inputs, outputs, generator=generator) * 2 - 1) * bound


class Optimizer:
    """SGD with momentum, or Adam, with a rate and a decay of each run's own: torch's would step run by run.

    Args:
        twins: what learns.
        settings: of each run.
        config: which rule.
    """

    def __init__(self, twins: Twins | ConvolutionalTwins, settings: Sequence[Settings], config: TwinConfig) -> None:
        self.parameters, self.config, self.steps = twins.parameters, config, 0
        lr, decay = torch.tensor([(one.lr, one.weight_decay) for one in settings]).T
        self.lr, self.decay = (each.repeat_interleave(2).view(-1, 1, 1) for each in (lr, decay))
        self.first, self.second = ([torch.zeros_like(p) for p in self.parameters] for _ in range(2))

    @torch.no_grad()
    def step(self) -> None:
        """Move by the gradients, and forget them."""
        self.steps += 1
        for p, first, second in zip(self.parameters, self.first, self.second, strict=True):
            assert p.grad is not None  # every network has a part in every loss
            gradient = p.grad.addcmul_(p, self.decay)
            if self.config.optimizer == "sgd":
                p.addcmul_(first.mul_(self.config.momentum).add_(gradient), self.lr, value=-1)
            else:  # Kingma and Ba 2015, with torch's defaults
                first.lerp_(gradient, 0.1)
                second.lerp_(gradient.square(), 0.001)
                root = (second / (1 - 0.999**self.steps)).sqrt_().add_(1e-8)
                p.addcmul_(first / root, self.lr / (1 - 0.9**self.steps), value=-1)
            p.grad = None
