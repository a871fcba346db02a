"""Small convolutional networks trained side by side from pixels: `Twins` for pictures.

Three 3 × 3 convolutions at stride 2, ReLU, the mean over places, and a linear layer. All networks are
groups of one convolution. There is no normalisation over the batch: twins must not learn from each other's rows.

R runs · M = 2R networks · B rows of a batch · S side of a picture in pixels · C channels · n classes
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

CHANNELS = (3, 16, 24, 32)
SIDE = 8
"""The least side that these convolutions leave something of."""


class ConvolutionalTwins:
    """R pairs of convolutional networks: a call asks all of them about the same pictures.

    Args:
        runs: R.
        classes: n.
        generator: draws the weights (He et al. 2015). The last layer begins at zero, so that no twin has an opinion.
    """

    def __init__(self, runs: int, classes: int, generator: torch.Generator) -> None:
        M = 2 * runs
        self.weights = [
            (torch.randn(M, 9 * a, b, generator=generator) * (2 / (9 * a)) ** 0.5).requires_grad_()
            for a, b in pairwise(CHANNELS)
        ]
        self.weights.append(torch.zeros(M, CHANNELS[-1], classes, requires_grad=True))
        self.biases = [torch.zeros(M, 1, weight.shape[2], requires_grad=True) for weight in self.weights]

    @property
    def parameters(self) -> list[Tensor]:
        """All that learns; the first axis numbers networks, as of `Twins`."""
        return [*self.weights, *self.biases]

    def __call__(self, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "R 2 B n"]:
        """The logits of every network for pictures in [0, 1]."""
        *hidden, last = zip(self.weights, self.biases, strict=True)
        M = len(last[0])
        z = x * 4 - 2  # around 0, with a deviation near 1
        for layer, (weight, bias) in enumerate(hidden):
            kernel = weight.transpose(1, 2).reshape(M * weight.shape[2], -1, 3, 3)
            groups = M if layer else 1  # the first layers of all networks see the same pixels
            z = F.conv2d(z, kernel, bias.flatten(), 2, 1, groups=groups).relu()
        pooled = z.mean((2, 3)).unflatten(1, (M, -1)).transpose(0, 1)  # [M, B, C]
        return torch.baddbmm(last[1], pooled, last[0]).unflatten(0, (-1, 2))
