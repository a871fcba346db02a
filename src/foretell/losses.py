"""Distances between predicted and target latents, and losses of joint embeddings: pure functions.

Distances are averaged over every element. The papers sum over patches. The two differ by a constant factor, which the
learning rate absorbs under AdamW. The mean keeps the number readable: with layer-normed targets, predicting zero
costs 1.

n photographs · K embedding width
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def l1(prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Mean absolute error (V-JEPA, eq. 1)."""
    return F.l1_loss(prediction, target)


def l2(prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Mean squared error (IWM, eq. 1)."""
    return F.mse_loss(prediction, target)


def smooth_l1(prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Huber loss with β = 1 (I-JEPA's released training code; its paper prints L2)."""
    return F.smooth_l1_loss(prediction, target)


Distance: TypeAlias = Literal["l1", "l2"]
"""The distances that configurations may choose."""
DISTANCES = {"l1": l1, "l2": l2}


def centre(distance: Callable[[Tensor, Tensor], Tensor], s: Float[Tensor, "n *shape"]) -> Float[Tensor, "1 *shape"]:
    """The constant nearest to all n by a distance: the median for absolute errors, otherwise (approximately) the
    mean.
    """
    return s.median(0, keepdim=True).values if distance is l1 else s.mean(0, keepdim=True)


def nt_xent(z: Float[Tensor, "n K"], other: Float[Tensor, "n K"], temperature: float) -> Float[Tensor, ""]:
    """Name each view's partner among all others (SimCLR, eq. 1): normalised, temperature-scaled cross-entropy.

    Args:
        z: embeddings of one view of each photograph.
        other: those of the other view, in the same order.
        temperature: cosine similarities are divided by it.

    Returns:
        The mean over all 2n views; log(2n − 1) is chance.
    """
    both = F.normalize(torch.cat([z, other]), dim=1)
    itself = torch.eye(len(both), dtype=torch.bool, device=z.device)
    similarity = (both @ both.T / temperature).masked_fill(itself, -torch.inf)
    partner = torch.arange(len(both), device=z.device).roll(len(z))
    return F.cross_entropy(similarity, partner)


def variance(z: Float[Tensor, "n K"], least: float = 1.0, epsilon: float = 1e-4) -> Float[Tensor, ""]:
    """The mean amount by which each dimension's deviation over photographs is below `least` (VICReg, eqs. 1–2)."""
    return F.relu(least - (z.var(0) + epsilon).sqrt()).mean()


def covariance(z: Float[Tensor, "n K"]) -> Float[Tensor, ""]:
    """Squared covariances between different dimensions, summed and divided by K (VICReg, eqs. 3–4)."""
    centred = z - z.mean(0)
    matrix = centred.T @ centred / (len(z) - 1)
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / z.shape[1]


def normalised_l2(prediction: Float[Tensor, "n K"], target: Float[Tensor, "n K"]) -> Float[Tensor, ""]:
    """Squared distance on the unit sphere, 2 − 2·cos, averaged over photographs (BYOL, eq. 2): 0 to 4."""
    return (2 - 2 * F.cosine_similarity(prediction, target)).mean()


def exact(device: torch.device) -> AbstractContextManager[object]:
    """Turns half precision off: the differences that some losses are made of do not survive it."""
    known = torch.amp.is_autocast_available(device.type)  # not on `meta`, where tensors have no numbers
    return torch.autocast(device.type, enabled=False) if known else nullcontext()
