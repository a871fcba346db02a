"""See what a model sees in a picture, patch by patch, and what it predicts where it sees nothing.

    wrong_j  = mean_k  mean_d | ŝ_jᵏ − s_j |          over the masks k that hide patch j
    unsure_j = mean_d  std_k ŝ_jᵏ                     how much the prediction depends on what else is visible

The model's own masks hide patches, many times. `unsure` needs no stochastic positions, other than
`foretell.imagine.uncertainty`: there the same patches are visible every time, and their places are drawn.

K masks · N patches · L hidden patches · D width
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from foretell.augment import to_float
from foretell.capabilities import EncodesPatches, Predicts, require
from foretell.errors import Range, check_range
from foretell.imagine.ask import Picture, check_picture
from foretell.masking import BlockMasks, complement
from foretell.method import Method


@dataclass(frozen=True)
class SeenPatches:
    """What an encoder makes of each patch of a picture."""

    colours: Float[Tensor, "rows columns 3"]
    """The first three principal components of the patches' latents, each from 0 to 1: like colours, like latents."""
    attention: Float[Tensor, "rows columns"]
    """How much attention each patch gets in the last block; the sum is 1."""


@dataclass(frozen=True)
class HiddenPatches:
    """What a world model predicts of patches that it does not see."""

    hidden: Bool[Tensor, "K rows columns"]
    """Which patches each mask hides."""
    latents: Float[Tensor, "K N D"]
    """The predicted latents where a mask hides, and those of the target encoder elsewhere. A decoder draws them."""
    wrong: Float[Tensor, "rows columns"]
    """Mean absolute error of each patch over the masks that hide it; NaN where none does."""
    unsure: Float[Tensor, "rows columns"]
    """Standard deviation of its predictions over these masks, the mean over channels; NaN where fewer than two do."""


@torch.no_grad()
def see(model: Method, image: Picture) -> SeenPatches:
    """What a model sees in a picture.

    Args:
        model: one that encodes images patch by patch.
        image: uint8 or in [0, 1], S the model's image size (see `read_image`).

    Raises:
        ForetellError: the model encodes no patches, or the image has another size.
    """
    encoder = require(model, EncodesPatches, "seeing patches").patch_encoder
    x = _batch(model, image, encoder.config.image_size)
    grid = encoder.grid(x)
    latents = encoder(x)[0].float().cpu()
    components = torch.linalg.svd(latents - latents.mean(0), full_matrices=False)
    few = min(3, len(components.S))
    scores = torch.zeros(len(latents), 3)
    scores[:, :few] = components.U[:, :few] * components.S[:few]
    scores = scores * torch.where(scores.abs().amax(0) == scores.amax(0), 1.0, -1.0)  # a sign by chance would flicker
    low, high = scores.amin(0), scores.amax(0)
    return SeenPatches(
        ((scores - low) / (high - low).clamp_min(1e-9)).reshape(*grid, 3),
        encoder.attention(x)[0].float().cpu().reshape(grid),
    )


@torch.no_grad()
def hide(model: Method, image: Picture, *, masks: int = 24, seed: int = 0) -> HiddenPatches:
    """Hide patches of a picture by a model's own masks, and ask the model for them.

    Args:
        model: an image model that predicts latents of patches.
        image: uint8 or in [0, 1], S the model's image size (see `read_image`).
        masks: K.
        seed: draws the masks.

    Raises:
        ForetellError: the model predicts no patches, the image has another size, or `masks` is out of range.
    """
    world = require(model, Predicts, "hiding patches")
    check_range("masks", masks, Range(2, 1000))
    x = _batch(model, image, world.patch_encoder.config.image_size)
    grid = world.patch_encoder.grid(x)
    N = grid[0] * grid[1]
    chance = torch.Generator().manual_seed(seed)
    drawn, _ = getattr(world.config, "masks", BlockMasks()).draw(chance, grid, masks)
    seen = drawn[:masks].to(x.device)
    asked = complement(seen, N)
    nothing = None if world.actions is None else x.new_zeros(masks, len(world.actions.names))
    s_x = world.encode(x.expand(masks, -1, -1, -1), seen)
    said = world.predict(s_x, seen, asked.unsqueeze(1), nothing, grid)[:, 0].float()
    s_y = world.target(x).expand(masks, -1, -1)
    index = asked.unsqueeze(-1).expand(-1, -1, s_y.shape[-1])
    latents = s_y.scatter(1, index, said)
    hidden = torch.zeros(masks, N, dtype=torch.bool, device=x.device).scatter(1, asked, True)
    times = hidden.sum(0)
    wrong = ((latents - s_y).abs().mean(-1) * hidden).sum(0) / times
    mean = (latents * hidden.unsqueeze(-1)).sum(0) / times.unsqueeze(-1)
    squares = ((latents - mean).square() * hidden.unsqueeze(-1)).sum(0) / (times - 1).clamp_min(0).unsqueeze(-1)
    unsure = squares.sqrt().mean(-1)
    maps = (each.cpu().reshape(grid) for each in (wrong, unsure))
    return HiddenPatches(hidden.cpu().reshape(masks, *grid), latents.cpu(), *maps)


def _batch(model: Method, image: Picture, side: int) -> Float[Tensor, "1 3 S S"]:
    found = to_float(check_picture(image, side))
    return found.unsqueeze(0).to(next(model.parameters()).device)
