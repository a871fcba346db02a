"""How sure a measured number is: 95 % intervals over the test images."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

Z = 1.959964
"""The normal distribution's 97.5 % point."""


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n independent trials (Wilson 1927).

    Unlike the normal approximation it stays within [0, 1] and means what it says near its ends.

    Args:
        correct: how many succeeded, 0 to n.
        n: at least 1.

    Returns:
        Its low and high end, within [0, 1]; the share itself lies between them.
    """
    share = correct / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * (share * (1 - share) / n + Z**2 / (4 * n**2)) ** 0.5
    # where all or none succeeded the end is the share, but for rounding
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)


def accuracy_of(correct: int, labels: Int[Tensor, " n"]) -> dict[str, float]:
    """An accuracy as every report has it.

    Args:
        correct: how many of the test set were named right.
        labels: of the test set, at least one.

    Returns:
        `value`, its 95 % interval `low` to `high`, and `chance`, what naming the commonest class scores.
    """
    low, high = wilson(correct, len(labels))
    chance = labels.bincount().max().item() / len(labels)
    return {"value": correct / len(labels), "low": low, "high": high, "chance": chance}


def bootstrap(
    per_image: Float[Tensor, "n measures"], generator: torch.Generator, resamples: int = 1000
) -> tuple[Float[Tensor, " measures"], Float[Tensor, " measures"]]:
    """The 95 % interval of each measure's mean over images: percentiles over images drawn with replacement.

    Images are drawn and not queries, because the queries of one image succeed and fail together.

    Args:
        per_image: each image's own mean.
        generator: source of chance.
        resamples: how often a set of n images is drawn.

    Returns:
        The low and the high end of each.
    """
    n = len(per_image)
    drawn = torch.randint(n, (resamples, n), generator=generator)
    means = per_image[drawn].mean(1)
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=means.dtype), dim=0)
    return low, high
