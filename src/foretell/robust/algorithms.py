"""What a group-robust algorithm changes: which rows a step sees, and what their errors cost.

    ERM       mean error                                                        Vapnik 1992
    RWG       rows drawn in inverse proportion to their group's size            Idrissi et al. 2022, arXiv:2110.14503
    SUBG      each group cut to the size of the smallest, once                  the same
    GroupDRO  Σ_g q_g L_g,  q_g ← q_g exp(η L_g) / Σ                            Sagawa et al. 2020, arXiv:1911.08731
    IRM       Σ_e L_e + λ ‖∂L_e/∂w‖² at w = 1, by even and odd rows               Arjovsky et al. 2019, arXiv:1907.02893
    JTT       ERM, then again with the rows it got wrong λ times                Liu et al. 2021, arXiv:2107.09044
    LfF       CE weighted by how much harder it is for a biased network         Nam et al. 2020, arXiv:2007.02561
    EIIL      environments that a reference network violates IRM on most        Creager et al. 2021, arXiv:2010.07249

LfF takes what is hard for what matters: where labels are noisy it learns the noise.

A group is one environment of one class: group = classes·environment + class.

B rows of a batch · n classes · G groups · E environments
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Rows:
    """What is known of a batch, besides its features."""

    y: Int[Tensor, " B"]
    environment: Int[Tensor, " B"]
    group: Int[Tensor, " B"]


class Algorithm(ABC):
    """A way to train a classifier."""

    def weights(self, group: Int[Tensor, " N"], generator: torch.Generator) -> Float[Tensor, " N"] | None:
        """Chance of each row to be drawn, with replacement; None: each row once an epoch. 0 leaves a row out."""
        return None

    @abstractmethod
    def loss(self, logits: Float[Tensor, "B n"], rows: Rows, step: int) -> Float[Tensor, ""]:
        """What one batch costs."""


class ERM(Algorithm):
    """Mean error."""

    def loss(self, logits: Float[Tensor, "B n"], rows: Rows, step: int) -> Float[Tensor, ""]:
        """Mean cross-entropy."""
        return F.cross_entropy(logits, rows.y)


class RWG(ERM):
    """Groups are drawn alike."""

    def weights(self, group: Int[Tensor, " N"], generator: torch.Generator) -> Float[Tensor, " N"]:
        """N / size of the row's group."""
        return len(group) / torch.bincount(group)[group].float()


class SUBG(ERM):
    """Groups are of one size."""

    def weights(self, group: Int[Tensor, " N"], generator: torch.Generator) -> Float[Tensor, " N"]:
        """1 for a random part of each group, as many rows as the smallest has; 0 for the rest."""
        counts = torch.bincount(group)
        least = int(counts[counts > 0].min())
        kept = torch.zeros(len(group))
        for g in group.unique():
            of = (group == g).nonzero().squeeze(1)
            kept[of[torch.randperm(len(of), generator=generator)[:least]]] = 1
        return kept


class GroupDRO(Algorithm):
    """The worst groups count most.

    Args:
        groups: G.
        eta: η, how fast weights follow errors.
    """

    def __init__(self, groups: int, eta: float = 0.01) -> None:
        self.eta, self.q = eta, torch.ones(groups)

    def loss(self, logits: Float[Tensor, "B n"], rows: Rows, step: int) -> Float[Tensor, ""]:
        """Σ_g q_g L_g; a group that is not in the batch costs nothing and keeps its share."""
        error = F.cross_entropy(logits, rows.y, reduction="none")
        counts = torch.bincount(rows.group, minlength=len(self.q))
        by_group = torch.zeros(len(self.q)).index_add(0, rows.group, error) / counts.clamp(min=1)
        q = self.q * (self.eta * by_group.detach()).exp()
        self.q = q / q.sum()
        return (self.q * by_group).sum()


class IRM(Algorithm):
    """One classifier that is best in every environment.

    Args:
        strength: λ after `anneal` steps; 1 before.
        anneal: steps until the penalty counts in full.
    """

    def __init__(self, strength: float = 100.0, anneal: int = 500) -> None:
        self.strength, self.anneal = strength, anneal

    def loss(self, logits: Float[Tensor, "B n"], rows: Rows, step: int) -> Float[Tensor, ""]:
        """Mean error over environments, and the penalty (of an environment with two rows or more)."""
        weight = self.strength if step >= self.anneal else 1.0
        costs = []
        for e in rows.environment.unique():
            of = rows.environment == e
            cost = F.cross_entropy(logits[of], rows.y[of])
            if int(of.sum()) > 1:
                cost = cost + weight * penalty(logits[of], rows.y[of])
            costs.append(cost)
        return torch.stack(costs).mean() / max(weight, 1.0)


def penalty(logits: Float[Tensor, "B n"], y: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """IRMv1: the product of two unbiased estimates of ∂L/∂w at w = 1, from even and from odd rows."""
    w = torch.ones((), requires_grad=True)
    halves = [F.cross_entropy(logits[k::2] * w, y[k::2]) for k in (0, 1)]
    even, odd = (torch.autograd.grad(half, w, create_graph=True)[0] for half in halves)
    return even * odd


class JTT(ERM):
    """Rows that a first network got wrong count more.

    Args:
        wrong: which rows.
        times: λ, how often each of them is drawn for once of another.
    """

    def __init__(self, wrong: Bool[Tensor, " N"], times: float = 10.0) -> None:
        self.wrong, self.times = wrong, times

    def weights(self, group: Int[Tensor, " N"], generator: torch.Generator) -> Float[Tensor, " N"]:
        """λ for rows that were wrong, 1 for the others."""
        return torch.where(self.wrong, self.times, 1.0)


def generalised(logits: Float[Tensor, "B n"], y: Int[Tensor, " B"], q: float = 0.7) -> Float[Tensor, ""]:
    """LfF's loss of the biased network: CE weighted by q·p_y^q without gradient, so that easy rows count most."""
    p = logits.detach().softmax(-1).gather(1, y.unsqueeze(1)).squeeze(1)
    return (q * p**q * F.cross_entropy(logits, y, reduction="none")).mean()


def harder(biased: Float[Tensor, "B n"], debiased: Float[Tensor, "B n"], y: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
    """LfF's weight of each row for the debiased network: ce_b / (ce_b + ce_d), without gradient."""
    b, d = (F.cross_entropy(z.detach(), y, reduction="none") for z in (biased, debiased))
    return b / (b + d + 1e-8)


def inferred(logits: Float[Tensor, "N n"], y: Int[Tensor, " N"], steps: int = 2000, lr: float = 1e-3) -> Tensor:
    """EIIL's environments: the assignment under which a frozen reference violates IRM most; int64 [N], 0 or 1."""
    logits = logits.detach()
    # ∂CEᵢ/∂w at w = 1: how each row would like the reference scaled
    each = (logits.softmax(-1) * logits).sum(1) - logits.gather(1, y.unsqueeze(1)).squeeze(1)
    guess = torch.randn(len(y), generator=torch.Generator().manual_seed(0)).mul_(0.01).requires_grad_()
    optimizer = torch.optim.Adam([guess], lr=lr * 10)
    for _ in range(steps):
        share = guess.sigmoid()
        violated = torch.stack([((q * each).sum() / q.sum()).square() for q in (share, 1 - share)])
        optimizer.zero_grad()
        (-violated.mean()).backward()
        optimizer.step()
    return (guess.detach() > 0).long()
