"""The control of every latent method: the same encoder, predictor and masks, but pixels to predict (I-JEPA §7, table
7). The loss is that of MAE (He et al. 2022, arXiv:2111.06377, §3).

    1/M Σᵢ Σ_{j∈Bᵢ} ‖ ŷⱼ − norm(yⱼ) ‖²₂        each patch's pixels to mean 0 and variance 1

Differs from the paper:
- I-JEPA's masks, and its predictor instead of MAE's decoder: only the target differs from I-JEPA.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell import losses
from foretell.errors import ForetellError
from foretell.jepa import JEPA
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.methods.vjepa import VJEPA, VJEPAConfig
from foretell.nn.predictor import Predictor
from foretell.nn.queries import MaskTokens
from foretell.nn.vit import ViT, layer_norm, patchify
from foretell.registry import register
from foretell.views import take


class PixelTargets(JEPA):
    """A method whose targets are pixels: mix it into the latent method that it controls.

    A subclass builds its predictor with `answer` = the numbers of a patch.
    """

    @torch.no_grad()
    def target(self, y: Float[Tensor, "B C ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ P"]:
        """The pixels of each patch of y, to mean 0 and variance 1."""
        patches = patchify(y, self.context_encoder.patch)
        return layer_norm(patches if index is None else take(patches, index))

    def latents(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B N D"]:
        """The latents that monitors check for collapse: the encoder's, not the targets."""
        return layer_norm(self.in_chunks(self.target_encoder, x))

    def update_target(self, momentum: float) -> None:
        """There is no slow copy: the encoder itself is evaluated and finetuned."""
        super().update_target(0.0)


@dataclass(frozen=True)
class PixelsConfig(IJEPAConfig):
    """The configuration of a pixel predictor."""


@register("pixels", PixelsConfig)
class Pixels(PixelTargets, IJEPA):
    """Predict blocks of an image from the rest of it, in pixels."""

    def __init__(self, config: PixelsConfig) -> None:
        JEPA.__init__(self, *_networks(config), losses.l2, config)


@dataclass(frozen=True)
class VideoPixelsConfig(VJEPAConfig):
    """The configuration of a pixel predictor of clips."""

    loss: losses.Distance = "l2"
    """Distance to the pixels: MAE's is `l2`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.centred:
            raise ForetellError("centred needs latent targets, and the targets here are pixels: leave it out")


@register("video-pixels", VideoPixelsConfig)
class VideoPixels(PixelTargets, VJEPA):
    """Predict hidden parts of a clip from the others, in pixels (VideoMAE, arXiv:2203.12602, by V-JEPA's masks)."""

    def __init__(self, config: VideoPixelsConfig) -> None:
        JEPA.__init__(self, *_networks(config), losses.DISTANCES[config.loss], config)


def _networks(config: PixelsConfig | VideoPixelsConfig) -> tuple[ViT, Predictor]:
    encoder = ViT(config.encoder)
    queries = config.queries() if isinstance(config, VideoPixelsConfig) else MaskTokens(config.predictor.width)
    answer = 3 * prod(encoder.patch)
    return encoder, Predictor(config.predictor, encoder.width, queries, config.encoder.grid, answer)
