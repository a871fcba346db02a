"""Distances between predicted and target latents: pure functions, averaged over every element.

The sum over patches in the papers and the mean here differ by a constant factor that the learning rate
absorbs under AdamW; the mean keeps the number readable: with layer-normed targets, 1 is what predicting zero
costs.
"""

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
