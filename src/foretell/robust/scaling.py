"""Columns of vectors to mean 0 and deviation 1: features that vary little learn slowly at the paper's rates.

N rows · D columns · B rows of a batch
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

PART = 1 << 16
"""Rows that are summed at a time: a memory map stays on disk."""
LEAST = 1e-6
"""A column whose deviation is a smaller share of its mean is constant but for rounding, and is only centred."""


class Scaling(nn.Module):
    """(x − mean) / deviation. It is saved with the layers behind it, which therefore take vectors as they come.

    Args:
        mean: of each column.
        deviation: of each column.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Float[Tensor, " D"], deviation: Float[Tensor, " D"]) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    @classmethod
    def of(cls, x: Shaped[Tensor, "N D"], rows: Bool[Tensor, " N"]) -> Scaling:
        """That of some rows: those that are learned from."""
        known, D = int(rows.sum()), x.shape[1]
        mean, variance = torch.zeros(D, dtype=torch.float64), torch.zeros(D, dtype=torch.float64)
        parts = list(zip(x.split(PART), rows.split(PART), strict=True))
        for part, some in parts:
            mean += part[some].double().sum(0) / known
        for part, some in parts:  # once more: the difference of large sums would not be exact
            variance += (part[some].double() - mean).square().sum(0) / known
        deviation = variance.sqrt()
        constant = deviation <= LEAST * mean.abs()
        return cls(mean.float(), torch.where(constant, 1.0, deviation).float())

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Vectors as layers take them."""
        return (x - self.mean) / self.deviation
