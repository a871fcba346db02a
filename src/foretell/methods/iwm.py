"""Image World Models: Garrido et al., "Learning and Leveraging World Models in Visual Representation
Learning", 2024, arXiv:2403.00504.

    L(x, y) = Σ_{i ∉ context} ‖ p_φ(f_θ(x), a_{x→y}, m_a)ᵢ − f^EMA(y)ᵢ ‖²₂        §3, eq. 1

One crop of a photograph becomes a target y and a source x. The colours of y are jittered. x is jittered, then destroyed
(grayscale, blur, solarize) and masked. The predictor is told the way from x to y, a_{x→y}, and the places m_a.

Differs from the paper:
- Targets are layer-normed, as in I-JEPA; the paper does not say.
- The visible patches are a fixed number of those outside the four rectangles, first of those inside I-JEPA's square
  (see `foretell.masking`). That is 31 % of 14 × 14; the rectangles leave 53 % free on average. All others are
  predicted, jointly, so that a third of them lie outside the rectangles. docs/log.md has the result of the paper's
  masks.
- Strengths of the random crop are not printed: I-JEPA's (0.3, 1). Crops are cut to the photograph, and the paper's
  recipes draw them again as torchvision does (`crops_redrawn`).
- There is no released code. Outputs of blocks are scaled by their depth at first; I-JEPA's code does not in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch

from foretell import losses
from foretell.augment import Photometric, random_resized_crop, to_float
from foretell.capabilities import Imagines
from foretell.errors import SOME, within
from foretell.jepa import JEPA
from foretell.masking import BlockMasks, Masks, complement
from foretell.method import ReadsPhotographs
from foretell.nn.predictor import Predictor, PredictorConfig
from foretell.nn.queries import FeatureConditioned, MaskTokens, SequenceConditioned
from foretell.nn.vit import ViT, ViTConfig
from foretell.registry import register
from foretell.views import Views

if TYPE_CHECKING:
    from foretell.data import Batch


@dataclass(frozen=True)
class IWMConfig(ReadsPhotographs):
    """The configuration of an image world model."""

    encoder: ViTConfig = field(default_factory=ViTConfig)
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    masks: Masks = field(default_factory=BlockMasks)
    augment: Photometric = field(default_factory=Photometric)
    conditioning: Literal["feature", "sequence", "none"] = "feature"
    """The predictor gets the action mixed into mask tokens, as tokens of its own, or not at all."""
    chained: bool = False
    """Jitter the source on top of the target (main text) rather than independently of it (appendix)."""
    crop: tuple[float, float] = (0.3, 1.0)
    """Area of the random crop, as a share of the photograph."""
    crops_redrawn: bool = False
    """Draw a crop that does not fit again, as torchvision does, in place of cutting it."""

    def __post_init__(self) -> None:
        within(self, crop=SOME)


@register("iwm", IWMConfig)
class IWM(JEPA):
    """Predict the effect of a change of colour, or of the removal of a blur, on a latent."""

    config: IWMConfig

    def __init__(self, config: IWMConfig) -> None:
        encoder = ViT(config.encoder)
        width, actions = config.predictor.width, len(config.augment.parameters)
        queries = {
            "feature": lambda: FeatureConditioned(width, actions),
            "sequence": lambda: SequenceConditioned(width, actions),
            "none": lambda: MaskTokens(width),
        }[config.conditioning]()
        predictor = Predictor(config.predictor, encoder.width, queries, config.encoder.grid)
        super().__init__(encoder, predictor, losses.l2, config)
        self.actions = config.augment

    def lacks(self, capability: type) -> str | None:
        """As `Method.lacks`: a predictor without conditioning is never told of an action."""
        if capability is Imagines and self.config.conditioning == "none":
            return "this IWM was trained with conditioning none, so its predictor is not told of a change"
        return super().lacks(capability)

    def views(self, batch: Batch, generator: torch.Generator) -> Views:
        """x = destroy(jitter(crop)), masked; y = jitter(crop); a = the way from x to y."""
        c, augment = self.config, self.config.augment
        B = len(batch)
        crop = random_resized_crop(
            to_float(batch.pixels), c.encoder.image_size, generator, c.crop, redrawn=c.crops_redrawn
        )

        jitter = augment.draw(generator, B)
        y = augment.apply(crop, jitter)
        origin, start = (y, augment.identity(B, jitter.device)) if c.chained else (crop, jitter)
        state = augment.destroy(generator, augment.draw(generator, B))
        x = augment.apply(origin, state)
        action = augment.action(source=state, target=start)

        context_index, _ = c.masks.draw(generator, c.encoder.grid, B)
        target_index = complement(context_index, crop.shape[-1] ** 2 // c.encoder.patch_size**2).unsqueeze(1)
        context_index, target_index, action = (part.to(y.device) for part in (context_index, target_index, action))
        return Views(x, y, context_index, target_index, action, generator)
