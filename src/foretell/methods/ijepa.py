"""I-JEPA: Assran et al., "Self-Supervised Learning from Images with a Joint-Embedding Predictive
Architecture", CVPR 2023, arXiv:2301.08243.

    1/M Σᵢ Σ_{j∈Bᵢ} d(ŝ_yⱼ, s_yⱼ)        §3: from one context, the latents of M blocks of the same image

Differs from the paper:
- d is the smooth L1 distance to layer-normed targets, as in the released code; the paper prints L2.
- A fixed budget of context patches, kept at random, and blocks of independent area and aspect anywhere (see
  `foretell.masking`). The released code's masks are `masks.keep` raster.
- Small recipes begin with outputs of blocks scaled by their depth, with rates at step 0 of their schedules, and with
  crops that are cut to the photograph. The paper's recipes have the released code's (`depth_scaled`, `rates_ahead`,
  `crops_redrawn`).
- The first layer is drawn as in MAE (Xavier), and the mask token does not decay.
- Crops are resized bilinearly without antialiasing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from foretell import losses
from foretell.augment import random_resized_crop, to_float
from foretell.errors import SOME, within
from foretell.jepa import JEPA
from foretell.masking import BlockMasks, Masks
from foretell.method import ReadsPhotographs
from foretell.nn.predictor import Predictor, PredictorConfig
from foretell.nn.queries import MaskTokens
from foretell.nn.vit import ViT, ViTConfig
from foretell.registry import register
from foretell.views import Views

if TYPE_CHECKING:
    from foretell.data import Batch


@dataclass(frozen=True)
class IJEPAConfig(ReadsPhotographs):
    """The configuration of an I-JEPA."""

    encoder: ViTConfig = field(default_factory=ViTConfig)
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    masks: Masks = field(default_factory=BlockMasks)
    crop: tuple[float, float] = (0.3, 1.0)
    """Area of the random crop, as a share of the photograph; the only augmentation."""
    crops_redrawn: bool = False
    """Draw a crop that does not fit again, as torchvision does, in place of cutting it."""

    def __post_init__(self) -> None:
        within(self, crop=SOME)


@register("ijepa", IJEPAConfig)
class IJEPA(JEPA):
    """Predict blocks of an image from the rest of it, in latent space."""

    config: IJEPAConfig

    def __init__(self, config: IJEPAConfig) -> None:
        encoder = ViT(config.encoder)
        queries = MaskTokens(config.predictor.width)
        predictor = Predictor(config.predictor, encoder.width, queries, config.encoder.grid)
        super().__init__(encoder, predictor, losses.smooth_l1, config)

    def views(self, batch: Batch, generator: torch.Generator) -> Views:
        """x = y = a random crop; context and target blocks differ."""
        c = self.config
        y = random_resized_crop(
            to_float(batch.pixels), c.encoder.image_size, generator, c.crop, flip=0.0, redrawn=c.crops_redrawn
        )
        context_index, target_index = c.masks.draw(generator, c.encoder.grid, len(y))
        return Views(y, y, context_index.to(y.device), target_index.to(y.device), chance=generator)
