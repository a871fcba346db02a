"""RankMe: the number of dimensions that features use. It needs no labels and is cheap enough to watch a run with.

n samples · D width · k values
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.evaluate.measure import Line, Measure, Result
from foretell.evaluate.subject import Subject

EPSILON = 1e-7
IMAGES = 25_600
"""The paper's number of images (§4)."""


class RankMe(Measure):
    """The number of dimensions that the features of the training images use: `value` `of` the most it can be."""

    name: ClassVar[str] = "rankme"
    title: ClassVar[str] = "RankMe"

    def run(self, subject: Subject) -> Result:
        """Measure features; of more than 25,600 images a random part."""
        features = subject.learn.features
        some = torch.randperm(len(features), generator=torch.Generator().manual_seed(subject.seed))[:IMAGES]
        used = features[some]
        return Result({"value": rankme(used), "of": min(used.shape)})

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """The rank."""
        return [Line(self.title, numbers, "{:.1f}")]


def rankme(features: Float[Tensor, "n D"]) -> float:
    """The number of dimensions that the features use: RankMe (Garrido et al. 2023, arXiv:2210.02885, eq. 1).

    It is exp(−Σ p_k log p_k) with p_k = σ_k / ‖σ‖₁ + ε and σ the singular values of the features, which are
    not centred.

    Returns:
        1 (every sample lies on one line through 0) to min(n, D) (all directions are used equally).
    """
    return effective_rank(torch.linalg.svdvals(exact(features)))


def exact(x: Tensor) -> Tensor:
    """In float64, and so on the CPU: not every device has it, and the matrix is small."""
    return x.detach().cpu().double()


def effective_rank(values: Float[Tensor, " k"]) -> float:
    """The exponential of the entropy of values ≥ 0; 1 where all are 0."""
    total = values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    p = values / total + EPSILON
    return (-(p * p.log()).sum()).exp().item()
