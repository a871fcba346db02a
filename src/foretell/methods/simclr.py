"""SimCLR: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020,
arXiv:2002.05709.

    ℓᵢⱼ = −log exp(sim(zᵢ, zⱼ)/τ) / Σ_{k≠i} exp(sim(zᵢ, z_k)/τ)        §2.1, eq. 1, over all 2N views of a batch

Differs from the paper:
- AdamW instead of LARS.
- Jitter is done in a fixed order, and blur is σ pixels at any image size, its kernel as wide as it takes (see
  `foretell.augment`).
- Batch norm goes over one process's photographs on a CPU; on GPUs over all processes', as in the paper.
- Negatives come from all processes. If a step is computed in parts (`accumulate`), they come from one part.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from foretell import losses
from foretell.augment import Photometric
from foretell.errors import POSITIVE, SOME, within
from foretell.joint import EncoderConfig, JointEmbedding
from foretell.method import ReadsPhotographs
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.registry import register
from foretell.views import Pair


@dataclass(frozen=True)
class SimCLRConfig(ReadsPhotographs):
    """The configuration of a SimCLR."""

    encoder: EncoderConfig = field(default_factory=ResNetConfig)
    projector: ProjectorConfig = field(default_factory=ProjectorConfig)
    augment: Photometric = field(
        default_factory=lambda: Photometric(
            brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, blur_probability=0.5, solarize_probability=0.0
        )
    )
    """Augmentation of both views; strength 1 (§A)."""
    crop: tuple[float, float] = (0.08, 1.0)
    """Area of the random crops, as a share of the photograph."""
    temperature: float = 0.1
    """τ; the paper has 0.1 for ImageNet, 0.5 for CIFAR-10."""

    def __post_init__(self) -> None:
        within(self, crop=SOME, temperature=POSITIVE)


@register("simclr", SimCLRConfig)
class SimCLR(JointEmbedding):
    """Tell the two views of a photograph from all other photographs'."""

    config: SimCLRConfig

    def __init__(self, config: SimCLRConfig) -> None:
        super().__init__(config, (config.augment, config.augment))

    def forward(self, views: Pair) -> Float[Tensor, ""]:
        """NT-Xent; both views go through the encoder as one batch, as in the released code."""
        z, other = self.project(torch.cat([views.source, views.target])).chunk(2)
        with losses.exact(z.device):
            return losses.nt_xent(self.gather(z), self.gather(other), self.config.temperature)
