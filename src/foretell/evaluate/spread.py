"""Spread: the difference of latents from image to image. It needs no labels and is cheap enough to watch a run with.

n samples · N patches · D width
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def spread(latents: Float[Tensor, "n N D"]) -> float:
    """The difference of latents from image to image.

    The standard deviation over samples at each patch and channel, averaged over both.

    Args:
        latents: from `JEPA.target`, layer-normed.

    Returns:
        0 (every image says the same, be it different from patch to patch) to about 1.
    """
    found = Spread()
    found.add(latents)
    return found.value


class Spread:
    """`spread` of latents that come part by part and are never held all at once.

    Chan et al.'s update of mean and squared deviations (1979), which is exact where all are equal, as E[s²] − E[s]² is
    not.
    """

    def __init__(self) -> None:
        self.samples, self.mean, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, latents: Float[Tensor, "n N D"]) -> None:
        """Take in the latents of more samples."""
        latents = latents.float()
        variance, mean = torch.var_mean(latents, 0, correction=0)
        moved = mean - self.mean.to(mean.device)
        before, self.samples = self.samples, self.samples + len(latents)
        between = moved.square() * (before * len(latents) / self.samples)
        self.squares = self.squares.to(mean.device) + variance * len(latents) + between
        self.mean = mean - moved * (before / self.samples)

    @property
    def value(self) -> float:
        """The spread of all added latents."""
        return (self.squares / self.samples).sqrt().mean().item()
