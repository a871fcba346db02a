"""Linear discriminant analysis: Fisher 1936; Hastie et al., The Elements of Statistical Learning, 2009, 4.3.

    logit_k(x) = μ_kᵀ Σ⁻¹ x − ½ μ_kᵀ Σ⁻¹ μ_k + log n_k

Every class k has a mean μ_k of n_k samples, and all share one covariance Σ. It has a closed form: nothing is trained.

Here x is standardised, so that 0 is the mean of all. With few samples much of what a mean and a covariance say is
chance, so both are shrunk:
- a mean towards 0, as if half a sample more were there.
- Σ towards a multiple of the identity, as far as Chen et al. 2010 (arXiv:0907.4698, eq. 23) say: their
  oracle-approximating estimate (OAS).

n samples · D width
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

PRIOR = 0.5
"""Samples at 0 that each class has beside its own."""


class Discriminant(nn.Module):
    """Names vectors: [..., D] -> logits [..., classes]. Its numbers are buffers, which no optimizer moves.

    Args:
        width: D.
        classes: how many there are.
    """

    means: Tensor
    """Of each class as they are [classes, D]; 0 where a class has no sample."""
    weight: Tensor
    bias: Tensor

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(classes, width))
        self.register_buffer("weight", torch.zeros(classes, width))
        self.register_buffer("bias", torch.zeros(classes))

    def forward(self, x: Float[Tensor, "*some D"]) -> Float[Tensor, "*some classes"]:
        """Logits of each class; all equal before `learn`."""
        return F.linear(x, self.weight, self.bias)

    @torch.no_grad()
    def learn(self, parts: Iterable[tuple[Float[Tensor, "n D"], Int[Tensor, " n"]]]) -> None:
        """Take means and covariance from samples, which come in parts.

        Args:
            parts: samples, and the class of each, from 0.
        """
        classes, D = self.means.shape
        sums = torch.zeros(classes, D, dtype=torch.float64)
        counts, scatter = torch.zeros(classes, dtype=torch.float64), torch.zeros(D, D, dtype=torch.float64)
        for x, y in parts:
            x, y = x.detach().cpu().double(), y.cpu()
            sums.index_add_(0, y, x)
            counts += y.bincount(minlength=classes)
            scatter += x.T @ x
        own = sums / counts.clamp_min(1).unsqueeze(1)
        scatter -= own.T @ (own * counts.unsqueeze(1))
        free = counts.sum() - (counts > 0).sum()  # samples beyond one a class tell how classes vary
        drawn = sums / (counts + PRIOR).unsqueeze(1)
        weight = torch.linalg.solve(shrunk(scatter / free.clamp_min(1), float(free)), drawn.T).T
        self.means.copy_(own)
        self.weight.copy_(weight)
        self.bias.copy_((counts + PRIOR).log() - (weight * drawn).sum(1) / 2)


def shrunk(covariance: Float[Tensor, "D D"], samples: float) -> Float[Tensor, "D D"]:
    """(1 − ρ) S + ρ tr(S)/D · I, with ρ of Chen et al. 2010, eq. 23; the identity where nothing varies.

    Args:
        covariance: S, that of the samples.
        samples: how many they are.
    """
    D = len(covariance)
    identity = torch.eye(D, dtype=covariance.dtype)
    trace, square = covariance.trace(), covariance.square().sum()
    if samples < 1 or trace <= 0:
        return identity
    above, below = (1 - 2 / D) * square + trace**2, (samples + 1 - 2 / D) * (square - trace**2 / D)
    rho = 1.0 if below <= 0 else min(float(above / below), 1.0)
    return (1 - rho) * covariance + (rho + 1e-6) * (trace / D) * identity
