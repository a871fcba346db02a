"""Is it collapsed? Three numbers from latents alone, without labels and cheap enough to watch a run with.

n samples · N patches · D width
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
    return _effective_rank(torch.linalg.svdvals(_exact(features)))


def lidar(features: Float[Tensor, "objects views D"], delta: float = 1e-4) -> float:
    """How many dimensions tell objects apart: LiDAR (Thilak et al. 2023, arXiv:2312.04000, eqs. 1–2).

    With Σ_b the covariance of the objects' means and Σ_w the mean covariance of an object's views plus δ·I,
    it is the exponential of the entropy of the eigenvalues of Σ_w^(−1/2) Σ_b Σ_w^(−1/2). Unlike RankMe it
    does not count a dimension in which the views of one object differ as much as the objects do.

    Args:
        features: several views of each object; pooled, of `augmented`.
        delta: δ, keeps Σ_w invertible.

    Returns:
        1 to min(objects − 1, D); 1 too where nothing tells the objects apart.
    """
    features = _exact(features)
    means = features.mean(1)
    within = (features - means.unsqueeze(1)).flatten(0, 1)
    covariance = within.T @ within / len(within) + delta * torch.eye(within.shape[1], dtype=within.dtype)
    between = (means - means.mean(0)) / len(means) ** 0.5
    # Where Σ_w = L·Lᵀ, L⁻¹ Σ_b L⁻ᵀ has the same eigenvalues: the squared singular values of L⁻¹ · betweenᵀ.
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), between.T, upper=False)
    return _effective_rank(torch.linalg.svdvals(whitened).square())


def spread(latents: Float[Tensor, "n N D"]) -> float:
    """How much latents differ from image to image.

    The standard deviation over samples at each patch and channel, averaged over both.

    Args:
        latents: from `JEPA.target`, layer-normed.

    Returns:
        0 (every image says the same, be it different from patch to patch) to about 1.
    """
    found = Spread()
    found.add(latents)
    return found.value


class Spread:
    """`spread` of latents that come part by part and are never held all at once.

    Chan et al.'s update of mean and squared deviations (1979), which is exact where all are equal, as E[s²] − E[s]² is
    not.
    """

    def __init__(self) -> None:
        self.samples, self.mean, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, latents: Float[Tensor, "n N D"]) -> None:
        """Take in the latents of more samples."""
        latents = latents.float()
        variance, mean = torch.var_mean(latents, 0, correction=0)
        moved = mean - self.mean.to(mean.device)
        before, self.samples = self.samples, self.samples + len(latents)
        between = moved.square() * (before * len(latents) / self.samples)
        self.squares = self.squares.to(mean.device) + variance * len(latents) + between
        self.mean = mean - moved * (before / self.samples)

    @property
    def value(self) -> float:
        """The spread of all that were added."""
        return (self.squares / self.samples).sqrt().mean().item()


def _exact(x: Tensor) -> Tensor:
    """In float64, and so on the CPU: not every device has it, and what follows is small."""
    return x.detach().cpu().double()


def _effective_rank(values: Float[Tensor, " k"]) -> float:
    """The exponential of the entropy of values ≥ 0; 1 where all are 0."""
    total = values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    p = values / total + EPSILON
    return (-(p * p.log()).sum()).exp().item()
