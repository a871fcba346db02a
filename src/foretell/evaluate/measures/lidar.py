"""LiDAR: the number of dimensions that tell images apart, beside what differs between views of one image.

D width
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.evaluate.encode import augmented
from foretell.evaluate.measure import Line, Measure, Result
from foretell.evaluate.measures.rankme import effective_rank, exact
from foretell.evaluate.subject import Subject


class LiDAR(Measure):
    """The number of dimensions that tell the training images apart: `value` `of` the most it can be."""

    name: ClassVar[str] = "lidar"
    title: ClassVar[str] = "LiDAR"

    def run(self, subject: Subject) -> Result:
        """Encode several views of some images and measure them."""
        text = subject.bar("Encoding several views of images")
        views = augmented(subject.model, subject.train, seed=subject.seed, device=subject.device, progress=text)
        return Result({"value": lidar(views), "of": max(min(len(views) - 1, views.shape[-1]), 1)})

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """The rank."""
        return [Line(self.title, numbers, "{:.1f}")]


def lidar(features: Float[Tensor, "objects views D"], delta: float = 1e-4) -> float:
    """The number of dimensions that tell objects apart: LiDAR (Thilak et al. 2023, arXiv:2312.04000, eqs. 1–2).

    Σ_b is the covariance of the objects' means. Σ_w is the mean covariance of an object's views, plus δ·I. LiDAR is the
    exponential of the entropy of the eigenvalues of Σ_w^(−1/2) Σ_b Σ_w^(−1/2). Unlike RankMe, it does not count a
    dimension in which one object's views differ as much as the objects.

    Args:
        features: several views of each object; pooled, of `augmented`.
        delta: δ, keeps Σ_w invertible.

    Returns:
        1 to min(objects − 1, D); 1 too where nothing tells the objects apart.
    """
    features = exact(features)
    means = features.mean(1)
    within = (features - means.unsqueeze(1)).flatten(0, 1)
    covariance = within.T @ within / len(within) + delta * torch.eye(within.shape[1], dtype=within.dtype)
    between = (means - means.mean(0)) / len(means) ** 0.5
    # Where Σ_w = L·Lᵀ, L⁻¹ Σ_b L⁻ᵀ has the same eigenvalues: the squared singular values of L⁻¹ · betweenᵀ.
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), between.T, upper=False)
    return effective_rank(torch.linalg.svdvals(whitened).square())
