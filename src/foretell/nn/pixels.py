"""Pixels on their way into a network: what it refuses, and their standard form."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from foretell.augment import check_pixels
from foretell.errors import ForetellError


def standardised(
    x: Float[Tensor, "B 3 ..."], mean: Tensor, std: Tensor, training: bool = False
) -> Float[Tensor, "B 3 ..."]:
    """Pixels in [0, 1] as a network wants them.

    Args:
        x: the pixels.
        mean: of each channel.
        std: of each channel.
        training: do not look at the values: views are made of pixels that were looked at, and looking waits for a GPU.

    Raises:
        ForetellError: x is no batch of images or clips, or its values are not in [0, 1].
    """
    check_batch(x, mean.ndim - 1)
    if not (training and x.is_floating_point()):
        check_pixels(x)
    return (x - mean) / std


def check_batch(x: Any, axes: int) -> None:
    """Refuse what is no batch of one image or more (two axes), or of one clip or more (three)."""
    expected = f"[B, 3, {'T, H, W' if axes == 3 else 'H, W'}]"
    if not isinstance(x, Tensor):
        raise ForetellError(
            f"x is a {type(x).__name__}, expected a tensor {expected} of numbers in [0, 1]: "
            "foretell.preprocess(x, model) makes it"
        )
    if x.ndim != axes + 2 or x.shape[1] != 3:
        raise ForetellError(f"x is {list(x.shape)}, expected {expected}: a batch, also of one")
    if not len(x):
        raise ForetellError(f"x is {list(x.shape)}, expected {expected} with one or more: the batch is empty")
