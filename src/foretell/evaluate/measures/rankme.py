"""RankMe: the number of dimensions that features use. It needs no labels and is cheap enough to watch a run with.

n samples · D width · k values
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-7


def rankme(features: Float[Tensor, "n D"]) -> float:
    """How many dimensions the features use: RankMe (Garrido et al. 2023, arXiv:2210.02885, eq. 1).

    It is exp(−Σ p_k log p_k) with p_k = σ_k / ‖σ‖₁ + ε and σ the singular values of the features, which are
    not centred.

    Returns:
        1 (every sample lies on one line through 0) to min(n, D) (all directions are used alike).
    """
    return effective_rank(torch.linalg.svdvals(exact(features)))


def exact(x: Tensor) -> Tensor:
    """In float64, and so on the CPU: not every device has it, and what follows is small."""
    return x.detach().cpu().double()


def effective_rank(values: Float[Tensor, " k"]) -> float:
    """The exponential of the entropy of values ≥ 0; 1 where all are 0."""
    total = values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    p = values / total + EPSILON
    return (-(p * p.log()).sum()).exp().item()
