"""VICReg: Bardes, Ponce and LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
Learning", ICLR 2022, arXiv:2105.04906.

    ℓ(Z, Z′) = λ s(Z, Z′) + μ [v(Z) + v(Z′)] + ν [c(Z) + c(Z′)]        §4.1, eq. 6

s pulls the two views of a photograph together. v keeps every dimension spread over the photographs of a batch. c keeps
dimensions from being correlated.

Differs from the paper:
- s is averaged over dimensions, and v over the two views, as in the released code; the paper prints sums.
- AdamW instead of LARS.
- Jitter is done in a fixed order, and blur is σ pixels at any image size (see `foretell.augment`).
- v and c use the photographs of all processes. If a step is computed in parts (`accumulate`), they use one part.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from foretell import losses
from foretell.augment import Photometric
from foretell.errors import NOT_NEGATIVE, SOME, within
from foretell.joint import EncoderConfig, JointEmbedding
from foretell.method import ReadsPhotographs
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.registry import register
from foretell.views import Pair


@dataclass(frozen=True)
class VICRegConfig(ReadsPhotographs):
    """The configuration of a VICReg."""

    encoder: EncoderConfig = field(default_factory=ResNetConfig)
    projector: ProjectorConfig = field(default_factory=lambda: ProjectorConfig(width=512, out=512, layers=3))
    """The paper's "expander": 3 layers of 8192."""
    augment: Photometric = field(default_factory=lambda: Photometric(blur_probability=0.5, solarize_probability=0.1))
    """Augmentation of both views (§C)."""
    crop: tuple[float, float] = (0.08, 1.0)
    """Area of the random crops, as a share of the photograph."""
    invariance: float = 25.0
    """λ."""
    variance: float = 25.0
    """μ."""
    covariance: float = 1.0
    """ν."""

    def __post_init__(self) -> None:
        within(self, crop=SOME, invariance=NOT_NEGATIVE, variance=NOT_NEGATIVE, covariance=NOT_NEGATIVE)


@register("vicreg", VICRegConfig)
class VICReg(JointEmbedding):
    """Pull views together; keep embeddings from collapsing by their variance and covariance alone."""

    config: VICRegConfig

    def __init__(self, config: VICRegConfig) -> None:
        super().__init__(config, (config.augment, config.augment))

    def forward(self, views: Pair) -> Float[Tensor, ""]:
        """The three terms. Each view goes through the encoder separately."""
        c = self.config
        z, other = self.project(views.source), self.project(views.target)
        with losses.exact(z.device):
            z, other = self.gather(z), self.gather(other)
            return (
                c.invariance * losses.l2(z, other)
                + c.variance * (losses.variance(z) + losses.variance(other)) / 2
                + c.covariance * (losses.covariance(z) + losses.covariance(other))
            )
