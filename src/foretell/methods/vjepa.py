"""V-JEPA: Bardes et al., "Revisiting Feature Prediction for Learning Visual Representations from Video", 2024,
arXiv:2404.08471.

    L = mean_masks ‖ p_φ(f_θ(x_visible), places) − LN(f^EMA(x)) ‖₁        §3.1: hidden parts of a clip from the others

One clip, two masks (many small blocks, few large ones), both running through all of time; the target is encoded once.

Differs from the paper:
- Targets are layer-normed, as in the released code.
- A fixed budget of visible places (see `foretell.masking.tubes`), and all others are predicted.
- One mask token; the released code has one for each of the two masks (`token_per_mask`).
- Its schedules end where they end; the released code stretches them by a quarter and cuts that off. Its rates are one
  step ahead of ours (`rates_ahead`).
- Crops have an aspect of 3/4 to 4/3 and are cut to the frame; the released code's have 0.75 to 1.35, and are drawn
  again where they do not fit.
- Outputs of blocks are scaled by their depth at first; the released code undoes this (`depth_scaled`).

B batch · T tubelets · P places of the plane · D width
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from foretell import losses
from foretell.augment import random_resized_crop, to_float
from foretell.errors import COUNT, POSITIVE, SHARE, SOME, within
from foretell.jepa import JEPA
from foretell.masking.tubes import TubeMasks
from foretell.nn.predictor import Predictor, PredictorConfig
from foretell.nn.queries import MaskTokens, TokenPerMask
from foretell.nn.vit import VideoViTConfig, ViT, layer_norm
from foretell.registry import register
from foretell.views import Views

if TYPE_CHECKING:
    from foretell.data import Batch, Clips


@dataclass(frozen=True)
class VJEPAConfig:
    """The configuration of a V-JEPA."""

    encoder: VideoViTConfig = field(default_factory=VideoViTConfig)
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    masks: TubeMasks = field(default_factory=TubeMasks)
    crop: tuple[float, float] = (0.3, 1.0)
    """Area of the random crop, as a share of the frame; the same in every frame."""
    flip: float = 0.5
    """Chance of mirroring a clip left and right."""
    fps: float | None = None
    """Frames a second that videos are resampled to; None takes their frames as they come."""
    stride: int = 1
    """Every `stride`-th of these frames is in the clip. The paper: every fourth of about 30 a second."""
    clips: int = 1
    """Clips of a video at most, from its beginning to its end."""
    centred: bool = False
    """Take each clip's mean latent off its targets: what stays the same all through a clip is then nothing to predict.
    Not in the paper: against slow features (see `VJEPA.motion`)."""
    loss: losses.Distance = "l1"
    """Distance to the targets. `l2`, not in the paper, learns the mean of what may come; `l1` learns the median."""
    token_per_mask: bool = False
    """Whether the predictor has a mask token for each of `masks.blocks`, as in the released code, and not one for all.
    If the mask of a prediction is unknown, the second token is used."""

    def __post_init__(self) -> None:
        within(self, crop=SOME, flip=SHARE, fps=POSITIVE, stride=COUNT, clips=COUNT)

    @property
    def reads(self) -> Clips:
        """The data that the method reads, for `foretell.data.load`."""
        from foretell.data import Clips

        return Clips(self.encoder.image_size, self.encoder.frames, self.fps, self.stride, self.clips)

    def queries(self) -> nn.Module:
        """The queries of the predictor."""
        width = self.predictor.width
        return TokenPerMask(width, len(self.masks.blocks)) if self.token_per_mask else MaskTokens(width)


@register("vjepa", VJEPAConfig)
class VJEPA(JEPA):
    """Predict hidden parts of a clip from the others, in latent space."""

    config: VJEPAConfig
    entrances = (*JEPA.entrances, "motion")

    def __init__(self, config: VJEPAConfig) -> None:
        encoder = ViT(config.encoder)
        predictor = Predictor(config.predictor, encoder.width, config.queries(), config.encoder.grid)
        super().__init__(encoder, predictor, losses.DISTANCES[config.loss], config)

    def views(self, batch: Batch, generator: torch.Generator) -> Views:
        """x = y = a clip, with the same crop in every frame; a prediction problem for each mask."""
        c = self.config
        frames = to_float(batch.pixels).flatten(1, 2)  # a clip is cropped as a picture of 3 T channels
        y = random_resized_crop(frames, c.encoder.image_size, generator, c.crop, flip=c.flip)
        y = y.unflatten(1, batch.pixels.shape[1:3])
        context_index, target_index = c.masks.draw(generator, c.encoder.grid, len(y))
        kinds = len(c.masks.blocks)
        x = y.repeat(kinds, 1, 1, 1, 1)
        mask = torch.eye(kinds, device=y.device).repeat_interleave(len(y), 0) if c.token_per_mask else None
        return Views(x, y, context_index.to(y.device), target_index.to(y.device), mask, generator)

    @torch.no_grad()
    def target(self, y: Float[Tensor, "B C ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ D"]:
        """s_y: the targets of predictions: layer-normed, without gradient, as in `JEPA`."""
        s_y = self.in_chunks(self.target_encoder, y, index)
        return layer_norm(s_y - s_y.mean(1, keepdim=True) if self.config.centred else s_y)

    def divide(self, x: Float[Tensor, "B 3 F H W"], seen: int) -> tuple[Int[Tensor, "B K"], Int[Tensor, "B L"]]:
        """The patches of a clip's first `seen` tubelets, and all others."""
        T, rows, columns = self.context_encoder.grid(x)
        every = torch.arange(T * rows * columns, device=x.device).expand(len(x), -1)
        return every[:, : seen * rows * columns], every[:, seen * rows * columns :]

    def foresee(self, x: Float[Tensor, "B 3 F H W"], seen: int) -> Float[Tensor, "B L D"]:
        """The model's prediction of a clip after its first `seen` tubelets. It sees only the pixels of these.

        A predictor with a token for each mask is asked with the first one, as Meta's evaluation of surprise does
        (arXiv:2502.11831, released code).
        """
        past, future = self.divide(x, seen)
        grid = self.context_encoder.grid(x)
        first = None
        if self.config.token_per_mask:
            first = torch.eye(len(self.config.masks.blocks), device=x.device)[:1].expand(len(x), -1)
        return self.predict(self.encode(x, past), past, future.unsqueeze(1), first, grid)[:, 0]

    def trivial(self, views: Views) -> dict[str, float]:
        """The losses of guesses without learning, and two measures of motion (see `motion`)."""
        return {**super().trivial(views), **self.motion(views.target)}

    @torch.no_grad()
    def motion(self, clip: Float[Tensor, "B C T H W"]) -> dict[str, float]:
        """Whether the model sees motion.

        Small runs may learn slow features: the loss falls, but latents encode the kind of a scene and not the places of
        its objects. Numbers of surprise mean something only if both of these are low:

        - `static`, well below 1: the share of the targets' variance that is constant within a clip.
        - `moving`, below 1: the error of predicting the next tubelet from a clip's first half, on patches that change,
          divided by the error of repeating the last latent.
        """
        T, *plane = self.context_encoder.grid(clip)
        P, seen = plane[0] * plane[1], T // 2
        s_y = self.target(clip).unflatten(1, (T, P))
        varies = (s_y - s_y.mean((0, 1), keepdim=True)).square().mean()
        moves = (s_y - s_y.mean(1, keepdim=True)).square().mean()

        every = torch.arange(T * P, device=clip.device).expand(len(clip), -1)
        past, following = every[:, : seen * P], every[:, seen * P : (seen + 1) * P].unsqueeze(1)
        prediction = self.predict(self.encode(clip, past), past, following, grid=(T, *plane))[:, 0]
        changed = moved(clip, self.context_encoder.patch, seen)
        errors = [(s - s_y[:, seen]).abs().mean(-1)[changed].mean().item() for s in (prediction, s_y[:, seen - 1])]
        return {"static": (1 - moves / varies).item(), "moving": errors[0] / errors[1] if changed.any() else 1.0}


def moved(clip: Float[Tensor, "B C T H W"], patch: tuple[int, ...], tubelet: int, least: float = 0.02) -> Tensor:
    """The patches of a tubelet that differ from the tubelet before by `least` or more on average: [B, P] bool."""
    t, rows, columns = patch
    now = clip[:, :, tubelet * t : (tubelet + 1) * t]
    before = clip[:, :, (tubelet - 1) * t : tubelet * t]
    difference = (now - before).abs().mean((1, 2))
    patches = difference.unfold(1, rows, rows).unfold(2, columns, columns)
    return patches.mean((-2, -1)).flatten(1) > least
