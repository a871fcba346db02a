"""Stochastic positions (FlexPredict / StoP: Bar et al., "Stochastic Positional Embeddings Improve Masked Image
Modeling", ICML 2024, arXiv:2308.00566).

    ψ̂ⱼ = ψⱼ + A nⱼ,   nⱼ ~ N(0, σ² I)        §3.2: the place of a patch is known only up to Σ = σ² A Aᵀ
    cᵢ = ψᵢ + A sᵢ,   mⱼ = ψ̂ⱼ + m̃           §3.3: the same A brings context latents into the predictor

A model that predicts a patch *about there* learns features that hold for the surroundings. Were A free, training
would shrink it to nothing (Prop. A.1); shared with the context, A = 0 would hide the context from the predictor.

Differs from the paper:
- σ is the standard deviation of n, as in the released code; the paper prints σ as the variance.
- The context projection keeps a bias beside m̃; in the released code the bias takes m̃'s place.

P places · D encoder width · d predictor width
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell.chance import there
from foretell.errors import NOT_NEGATIVE, within


@dataclass(frozen=True)
class PositionNoise:
    """The uncertainty of places."""

    sigma: float = 0.0
    """Standard deviation of n. 0: places are exact. The paper takes 0.25, for ViT-H 0.2."""
    of: Literal["targets", "context", "both"] = "targets"
    """The patches with uncertain places. The paper finds targets only best."""
    covariance: Literal["shared", "own", "fixed"] = "shared"
    """`shared`: A is the predictor's projection of the context. `own`: a learned A of its own, which training can
    shrink. `fixed`: no A, Σ = σ² I."""

    def __post_init__(self) -> None:
        within(self, "noise", sigma=NOT_NEGATIVE)


class StochasticPositions(nn.Module):
    """Moves places by learned noise.

    Args:
        config: the size of the noise.
        embed: the predictor's projection of context latents, D to d.
    """

    def __init__(self, config: PositionNoise, embed: nn.Linear) -> None:
        super().__init__()
        self.config = config
        own = config.covariance == "own"  # without noise nothing reaches it, and DDP would wait for its gradient
        self.own = nn.Parameter(embed.weight.detach().clone(), config.sigma > 0) if own else None

    def matrix(self, embed: nn.Linear) -> Float[Tensor, "d n"]:
        """A, so that Σ = σ² A Aᵀ."""
        if self.config.covariance == "fixed":
            return torch.eye(embed.out_features, device=embed.weight.device)
        return embed.weight if self.own is None else self.own

    def forward(
        self,
        context: Float[Tensor, "B K d"],
        targets: Float[Tensor, "B_M L d"],
        embed: nn.Linear,
        chance: torch.Generator,
    ) -> tuple[Float[Tensor, "B K d"], Float[Tensor, "B_M L d"]]:
        """Draw a place for each position whose place is uncertain: ψ + A n, anew at every call.

        Args:
            context: ψ of the patches seen.
            targets: ψ of the patches to predict.
            embed: the predictor's projection of the context.
            chance: draws n.
        """
        if not self.config.sigma:
            return context, targets
        if self.config.of != "targets":
            context = self._moved(context, embed, chance)
        if self.config.of != "context":
            targets = self._moved(targets, embed, chance)
        return context, targets

    def _moved(self, position: Float[Tensor, "*P d"], embed: nn.Linear, chance: torch.Generator) -> Tensor:
        A = self.matrix(embed)
        n = torch.randn(
            *position.shape[:-1], A.shape[1], generator=there(chance, position.device), device=position.device
        )
        return position + nn.functional.linear(self.config.sigma * n, A)

    def measures(self, embed: nn.Linear) -> dict[str, float]:
        """The monitors' values; empty if places are exact.

        - `projection`: ‖A‖, Frobenius. Its fall to zero would blind the predictor to its context.
        - `position_noise`: how far places are moved, the noise's root mean square over channels, √(tr Σ / d). To
          compare with: a sine–cosine position's own is √½.
        """
        if not self.config.sigma:
            return {}
        A = self.matrix(embed)
        norm = A.norm().item()
        return {"projection": norm, "position_noise": self.config.sigma * norm / len(A) ** 0.5}
