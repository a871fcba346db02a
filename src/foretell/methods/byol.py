"""BYOL: Grill et al., "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", NeurIPS 2020,
arXiv:2006.07733.

    L = ‖ q̄_θ(z_θ) − z̄′_ξ ‖²₂ = 2 − 2·cos(q_θ(z_θ), z′_ξ)        §3.1, eq. 2, and the same with the views exchanged
    ξ ← τξ + (1 − τ)θ                                                  eq. 1

Nothing keeps photographs apart but the asymmetry: one side predicts, the other is a slow average without gradient.

Differs from the paper:
- τ rises in a straight line (`TrainConfig.momentum`) instead of by half a cosine.
- AdamW instead of LARS.
- Jitter is done in a fixed order, and blur is σ pixels at any image size (see `foretell.augment`).
- Batch norm goes over one process's photographs on a CPU; on GPUs over all processes', as in the paper.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell import losses
from foretell.augment import Photometric
from foretell.errors import SOME, within
from foretell.joint import EncoderConfig, JointEmbedding
from foretell.method import ReadsPhotographs
from foretell.nn.projector import Projector, ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import pool
from foretell.registry import register
from foretell.views import Pair


@dataclass(frozen=True)
class BYOLConfig(ReadsPhotographs):
    """The configuration of a BYOL."""

    encoder: EncoderConfig = field(default_factory=ResNetConfig)
    projector: ProjectorConfig = field(default_factory=lambda: ProjectorConfig(width=512, out=128))
    """Sizes of the projector, and of the predictor after it; 4096 and 256 in the paper."""
    augment: Photometric = field(default_factory=lambda: Photometric(blur_probability=1.0, solarize_probability=0.0))
    """Augmentation of the first view (table 6)."""
    augment_other: Photometric = field(
        default_factory=lambda: Photometric(blur_probability=0.1, solarize_probability=0.2)
    )
    """Augmentation of the second view."""
    crop: tuple[float, float] = (0.08, 1.0)
    """Area of the random crops, as a share of the photograph."""

    def __post_init__(self) -> None:
        within(self, crop=SOME)


@register("byol", BYOLConfig)
class BYOL(JointEmbedding):
    """Predict the other view's embedding as a slow average of the model sees it."""

    config: BYOLConfig

    def __init__(self, config: BYOLConfig) -> None:
        super().__init__(config, (config.augment, config.augment_other))
        self.predictor = Projector(config.projector, config.projector.out)
        self.target_encoder = deepcopy(self.encoder).requires_grad_(False)
        self.target_projector = deepcopy(self.projector).requires_grad_(False)

    def forward(self, views: Pair) -> Float[Tensor, ""]:
        """Both directions, added. Each view goes through the networks separately."""
        x, y = views.source, views.target
        prediction, other = (self.in_chunks(self.predictor, self.project(view)) for view in (x, y))
        z, z_other = self.target(x), self.target(y)
        with losses.exact(x.device):
            return losses.normalised_l2(prediction.float(), z_other) + losses.normalised_l2(other.float(), z)

    @torch.no_grad()
    def target(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B K"]:
        """z_ξ: the target of a prediction, without gradient."""
        return self.in_chunks(self.target_projector, pool(self.in_chunks(self.target_encoder, x))).float()

    @torch.no_grad()
    def update_target(self, momentum: float) -> None:
        """Move the target towards the online network: ξ ← τξ + (1 − τ)θ. Each keeps its own batch statistics."""
        for slow, fast in ((self.target_encoder, self.encoder), (self.target_projector, self.projector)):
            torch._foreach_lerp_(list[Tensor](slow.parameters()), list[Tensor](fast.parameters()), 1.0 - momentum)

    def trained(self) -> dict[str, nn.Module]:
        """The encoder, the projector and the predictor."""
        return {**super().trained(), "predictor": self.predictor}
