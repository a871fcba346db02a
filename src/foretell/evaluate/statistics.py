"""Statistics of ranks, and Student's t."""

from __future__ import annotations

from math import cos, nan, pi, sin, sqrt, tan

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor


def ranks(values: Shaped[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The rank of each value, from 1; equal values share the mean of their ranks. float64."""
    order = values.sort().values
    below, upto = (torch.searchsorted(order, values, right=right) for right in (False, True))
    return (below + upto + 1).double() / 2


def spearman(x: Shaped[Tensor, " n"], y: Shaped[Tensor, " n"]) -> float:
    """Spearman's rank correlation, −1 to 1; NaN where x or y is constant, has one value alone, or a NaN."""
    if any(t.numel() < 2 or t.isnan().any() or bool((t == t[0]).all()) for t in (x, y)):
        return nan
    a, b = ranks(x), ranks(y)
    return float(np.corrcoef(a.numpy(), b.numpy())[0, 1])


def auroc(negative: Float[Tensor, " n"], positive: Float[Tensor, " m"]) -> float:
    """The probability that a positive, which should be larger, exceeds a negative: 0.5 by chance, at best 1.

    It is the share of pairs in which the positive is larger; ties count half. NaN where there is a NaN.
    """
    if negative.isnan().any() or positive.isnan().any():
        return nan
    order = negative.sort().values
    below, upto = (torch.searchsorted(order, positive, right=right).sum() for right in (False, True))
    return float(below + upto) / 2 / (len(negative) * len(positive))


def student_t(share: float, degrees: int) -> float:
    """The t between −t and t of which Student's distribution has a share, by bisection of Abramowitz & Stegun 26.7.3–4.

    Args:
        share: above 0 and below 1: 0.95 for the usual interval.
        degrees: degrees of freedom, at least 1.
    """
    low, high = 0.0, pi / 2
    for _ in range(80):
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, degrees) < share else (low, angle)
    return sqrt(degrees) * tan((low + high) / 2)


def _within(angle: float, degrees: int) -> float:
    """Student's P(|T| < t), where t is √degrees · tan(angle)."""
    odd = degrees % 2
    term, total = (cos(angle), 0.0) if odd else (1.0, 0.0)
    for k in range(odd, degrees - 1, 2):
        total += term
        term *= cos(angle) ** 2 * (k + 1) / (k + 2)
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
