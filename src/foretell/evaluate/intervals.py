"""95 % intervals of measured numbers, over the test images."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

Z = 1.959964
"""The normal distribution's 97.5 % point."""


def wilson(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The 95 % interval (or another level's) of a share of n independent trials (Wilson 1927).

    Unlike the normal approximation it stays within [0, 1], and is correct near the ends.

    Args:
        correct: the number of successes, 0 to n.
        n: at least 1.
        level: how often the interval contains the truth.

    Returns:
        Its low and high end, within [0, 1]; the share itself lies between them.
    """
    share, z = correct / n, Z if level == 0.95 else NormalDist().inv_cdf(0.5 + level / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    # where all or none succeeded the end is the share, but for rounding
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)


def accuracy_of(correct: int, labels: Int[Tensor, " n"]) -> dict[str, float]:
    """An accuracy as every report has it.

    Args:
        correct: the number of right answers on the test set.
        labels: those of the test set, at least one.

    Returns:
        `value`, its 95 % interval `low` to `high`, and `chance`, what naming the commonest class scores.
    """
    low, high = wilson(correct, len(labels))
    chance = labels.bincount().max().item() / len(labels)
    return {"value": correct / len(labels), "low": low, "high": high, "chance": chance}


def paired(first: Shaped[Tensor, " n"], second: Shaped[Tensor, " n"], level: float = 0.95) -> dict[str, float]:
    """The mean difference of the first score from the second on the same images, and its interval.

    An image that is hard for one is often hard for the other. So the difference is more certain than each of the two
    scores. It can be clear although their intervals overlap.

    The interval is that of Agresti and Min for two shares of the same images ("Simple improved confidence intervals for
    comparing matched proportions", 2005). It is the normal one, with half an image added to each of the four outcomes.
    So it keeps its level with few images.

    Args:
        first: each image's score in [0, 1], or whether it was right.
        second: those of the same images in the same order.
        level: the probability that the interval contains the difference.

    Returns:
        `value`, `low` and `high`, within [−1, 1].
    """
    difference = first.double() - second.double()
    n = len(difference) + 2
    centre = difference.sum().item() / n
    variance = (difference.square().sum().item() + 1) / n - centre**2
    half = torch.special.ndtri(torch.tensor((1 + level) / 2, dtype=torch.float64)).item() * (variance / n) ** 0.5
    value = difference.mean().item()
    return {"value": value, "low": max(min(centre - half, value), -1.0), "high": min(max(centre + half, value), 1.0)}


def bootstrap(
    per_image: Float[Tensor, "n measures"], generator: torch.Generator, resamples: int = 1000
) -> tuple[Float[Tensor, " measures"], Float[Tensor, " measures"]]:
    """The 95 % interval of each measure's mean over images: percentiles over images drawn with replacement.

    Images are drawn and not queries, because the queries of one image succeed and fail together.

    Args:
        per_image: each image's own mean.
        generator: source of chance.
        resamples: the number of sets of n images to draw.

    Returns:
        The low and the high end of each.
    """
    n = len(per_image)
    drawn = torch.randint(n, (resamples, n), generator=generator)
    means = per_image[drawn].mean(1)
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=means.dtype), dim=0)
    return low, high


def bootstrap_of(
    per_image: Float[Tensor, "n k"],
    figure: Callable[[Float[Tensor, "R k"]], Float[Tensor, " R"]],
    generator: torch.Generator,
    resamples: int = 1000,
) -> tuple[float, float, float]:
    """A figure that is made of means over images, such as a ratio of sums, and its 95 % interval by `bootstrap`.

    Args:
        per_image: k numbers of each image.
        figure: from their means to the figure, for R sets of images.
        generator: source of chance.
        resamples: the number of sets of n images to draw.

    Returns:
        The figure of all images; its low and its high end.
    """
    n = len(per_image)
    means = per_image[torch.randint(n, (resamples, n), generator=generator)].mean(1)
    low, high = figure(means).quantile(torch.tensor([0.025, 0.975], dtype=means.dtype)).tolist()
    return figure(per_image.mean(0, keepdim=True)).item(), low, high
