"""Muon for the matrices of transformer blocks, AdamW for all else.

    M ← β M + (1 − β) G        O = U Vᵀ of (1 − β) G + β M = U S Vᵀ        W ← (1 − η λ) W − 0.2 η √max(A, B) O

A step replaces a matrix's momentum by a matrix whose singular values are all equal. So it moves in every direction of
the gradient, not mainly in its few largest ones (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon). The
factor 0.2 √max(A, B) makes the step as large as a step of AdamW. So AdamW's learning rates and weight decays can be
used (Liu et al. 2025, arXiv:2502.16982, §2.2).

torch.optim.Muon differs: it computes in bfloat16 even where the processor emulates it. It takes one matrix at a time,
and it treats queries, keys and values as one matrix.

n matrices · A × B their shape
"""

from __future__ import annotations

from collections import defaultdict
from math import sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.train.world import gathered, like

BETA = 0.95
QUINTIC = 3.4445, -4.7750, 2.0315
"""Jordan's: steep at 0, so that five rounds bring a singular value of 0.01 near 1, and any to 0.7 to 1.2."""
ROUNDS = 5


class Muon(torch.optim.AdamW):
    """AdamW, except for groups with `matrices`, the number of matrices in each of their parameters, 1 or more.

    Queries, keys and values lie in one parameter and are three matrices.

    Args:
        dtype: to compute the steps' directions in.
        options: as of `torch.optim.AdamW`.
    """

    def __init__(self, groups: list[dict[str, Any]], dtype: torch.dtype, **options: Any) -> None:
        super().__init__(groups, **options)
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move every parameter; gradients of matrices are gone afterwards."""
        for group in self.param_groups:
            if group.get("matrices"):
                self._turn(group)
        super().step()  # skips parameters without a gradient

    def _turn(self, group: dict[str, Any]) -> None:
        alike = defaultdict[tuple[int, ...], list[tuple[Tensor, Tensor]]](list)
        for p in group["params"]:
            if p.grad is not None:
                if not self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
                momentum = self.state[p]["momentum"].lerp_(p.grad, 1 - BETA)
                matrices = gathered(p.grad.lerp(momentum, BETA)).unflatten(0, (group["matrices"], -1))
                alike[matrices.shape].append((p, matrices))
                p.grad = None
        for (n, A, B), found in alike.items():
            turned = orthogonal(torch.cat([matrices for _, matrices in found]).to(self._dtype))
            for (p, _), matrices in zip(found, turned.split(n), strict=True):
                step = like(p, matrices.flatten(0, 1).to(p.dtype))
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-0.2 * group["lr"] * sqrt(max(A, B)))


def orthogonal(matrices: Float[Tensor, "n A B"]) -> Float[Tensor, "n A B"]:
    """U Vᵀ of U S Vᵀ, nearly: singular values are brought to 0.7 to 1.2 by rounds of a X + b X Xᵀ X + c (X Xᵀ)² X."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices  # the smaller of the two squares
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
