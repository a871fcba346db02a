"""The small network between an encoder and a joint-embedding loss.

B batch · D encoder width · K output width
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from foretell.errors import DEPTH, SIZE, within


@dataclass(frozen=True)
class ProjectorConfig:
    """Size of a projector."""

    width: int = 512
    """Width of the hidden layers."""
    out: int = 128
    """K: the loss sees this many dimensions."""
    layers: int = 2
    """1 is a linear map, whose loss reaches at most min(D, K) directions of the features."""

    def __post_init__(self) -> None:
        within(self, "projector", width=SIZE, out=SIZE, layers=DEPTH)


class Projector(nn.Sequential):
    """Linear layers with batch norm and ReLU between them: [B, D] -> [B, K]."""

    def __init__(self, config: ProjectorConfig, width: int) -> None:
        layers: list[nn.Module] = []
        for _ in range(config.layers - 1):
            layers += [nn.Linear(width, config.width, bias=False), nn.BatchNorm1d(config.width), nn.ReLU(inplace=True)]
            width = config.width
        super().__init__(*layers, nn.Linear(width, config.out))

    def forward(self, input: Float[Tensor, "B D"]) -> Float[Tensor, "B K"]:
        """Map features to the vectors that the loss compares."""
        return super().forward(input)
