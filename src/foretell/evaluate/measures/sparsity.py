"""The share of an image's features that are 0. Sparsity as Expand or Narrow counts it (arXiv:2304.05369).

A ResNet's features are rectified, so many activations are exactly 0. A mean over places is 0 only if every place is 0.
A ViT ends in a layer norm, and almost no activation is exactly 0. There an activation counts as 0 if it is small beside
the image's others. By chance some always are: of normally distributed features 0.8 % at `NEAR`.

n images · D width
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from foretell.evaluate.measure import Line, Measure, Result
from foretell.evaluate.subject import Subject

NEAR = 0.01
"""Share of the root mean square of an image's features below which one counts as 0, where none is rectified."""


class Sparsity(Measure):
    """The sparsity of the features of the test images."""

    name: ClassVar[str] = "sparsity"
    title: ClassVar[str] = "sparsity"

    def run(self, subject: Subject) -> Result:
        """Count the activations that are 0, see `sparsity`."""
        return Result(sparsity(subject.ask.features))

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """The share of activations that are 0; the other numbers are for a closer look."""
        return [Line("activations at 0", {"value": numbers["zeros"]})]


def zeros(features: Float[Tensor, "n D"], near: float | None = None) -> Bool[Tensor, "n D"]:
    """The activations that count as 0.

    Args:
        features: the result of `features`.
        near: an activation counts as 0 up to this share of the root mean square of its image's features. 0 counts exact
            zeros. None means 0 for features without negative values, which are rectified, and `NEAR` for others.
    """
    if near is None:
        near = 0.0 if bool((features >= 0).all()) else NEAR
    return features.abs() <= near * features.square().mean(1, keepdim=True).sqrt()


def sparsity(features: Float[Tensor, "n D"], near: float | None = None) -> dict[str, float]:
    """The sparsity of features. The arguments are those of `zeros`.

    Returns:
        - `zeros`: share of activations that are 0, over all images.
        - `half`: share of images at least half of whose activations are 0.
        - `dead`: share of dimensions that are 0 for every image: they make features sparse and say nothing.
    """
    empty = zeros(features, near)
    return {
        "zeros": empty.float().mean().item(),
        "half": (empty.float().mean(1) >= 0.5).float().mean().item(),
        "dead": empty.all(0).float().mean().item(),
    }


def binarised(features: Float[Tensor, "n D"], near: float | None = None) -> Float[Tensor, "n D"]:
    """Features with every value but 0 set to 1. A linear probe of these shows how much the pattern of zeros contains.

    The features of the training and of the test set need the same `near`: give it where they could differ in sign.
    """
    return (~zeros(features, near)).to(torch.float32)
