"""Scores of violation of expectation: pairs, single videos, and how sure they are."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.evaluate.intervals import wilson

NEAR = 1e-6
"""Two scores are a tie if they differ by less than this share: sums in another order can differ by that much."""


def pairwise(possible: Float[Tensor, " n"], impossible: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Whether the impossible clip of each pair is the more surprising: 1 or 0. A tie, or nearly one, is wrong."""
    margin = NEAR * torch.maximum(possible.abs(), impossible.abs())
    return (impossible - possible > margin).float()


def accuracy(correct: Float[Tensor, " n"]) -> dict[str, Any]:
    """A share of pairs, its 95 % interval (Wilson), and the number of pairs."""
    low, high = wilson(int(correct.sum()), len(correct))
    return {"value": correct.mean().item(), "low": low, "high": high, "pairs": len(correct)}
