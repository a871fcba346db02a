"""The control of every latent method: the same encoder, predictor and masks, but pixels to predict (I-JEPA §7, table 7;
the loss is that of MAE, He et al. 2022, arXiv:2111.06377, §3).

    1/M Σᵢ Σ_{j∈Bᵢ} ‖ ŷⱼ − norm(yⱼ) ‖²₂        each patch's pixels to mean 0 and variance 1

Differs from the paper:
- I-JEPA's masks, and its predictor in the place of MAE's decoder: the target is all that differs from I-JEPA.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from foretell import losses
from foretell.jepa import JEPA
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.nn.predictor import Predictor
from foretell.nn.queries import MaskTokens
from foretell.nn.vit import ViT, layer_norm, patchify


@dataclass(frozen=True)
class PixelsConfig(IJEPAConfig):
    """What a pixel predictor is built from."""


class Pixels(IJEPA):
    """Predict blocks of an image from the rest of it, in pixels."""

    def __init__(self, config: PixelsConfig) -> None:
        encoder = ViT(config.encoder)
        queries = MaskTokens(config.predictor.width)
        predictor = Predictor(
            config.predictor, encoder.width, queries, config.encoder.grid, answer=3 * prod(encoder.patch)
        )
        JEPA.__init__(self, encoder, predictor, losses.l2, config)

    @torch.no_grad()
    def target(self, y: Float[Tensor, "B C ..."]) -> Float[Tensor, "B N P"]:
        """The pixels of each patch of y, to mean 0 and variance 1."""
        return layer_norm(patchify(y, self.context_encoder.patch))

    def latents(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B N D"]:
        """What monitors watch for collapse: the encoder's latents, not the targets."""
        return layer_norm(self.target_encoder(x))

    def update_target(self, momentum: float) -> None:
        """There is no slow copy: what is evaluated and finetuned is the encoder as it is."""
        super().update_target(0.0)
