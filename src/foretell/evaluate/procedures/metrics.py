"""Metrics of forecasts and plans, as the protocols define them.

n samples · T steps of a plan · K futures · Z steps ahead
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell.errors import ForetellError

NONE = -1


def success(plans: Int[Tensor, "n T"], truth: Int[Tensor, "n T"]) -> Float[Tensor, " n"]:
    """SR of each sample: 1 where all steps are right, in order (PDPP)."""
    return (plans == truth).all(1).double()


def position_accuracy(plans: Int[Tensor, "n T"], truth: Int[Tensor, "n T"]) -> Float[Tensor, " n"]:
    """mAcc of each sample: the share of places with the right step (PDPP)."""
    return (plans == truth).double().mean(1)


def overlap(plans: Int[Tensor, "n T"], truth: Int[Tensor, "n T"]) -> Float[Tensor, " n"]:
    """mIoU of each sample: steps in both, as sets, of those in either (PDPP's mIoU2)."""
    pairs = zip(plans.tolist(), truth.tolist(), strict=True)
    return torch.tensor([len({*p} & {*t}) / len({*p} | {*t}) for p, t in pairs], dtype=torch.float64)


def batch_overlap(plans: Int[Tensor, "n T"], truth: Int[Tensor, "n T"], batch: int) -> float:
    """mIoU with one set over each whole batch, as some papers report it (PDPP's mIoU1).

    It grows with the batch, so numbers of different batches cannot be compared. `overlap` is the one to use.
    """
    parts = zip(plans.split(batch), truth.split(batch), strict=True)
    found = [({*p.flatten().tolist()}, {*t.flatten().tolist()}) for p, t in parts]
    return sum(len(p & t) / len(p | t) for p, t in found) / len(found)


def edit_distances(
    found: Int[np.ndarray, "m Z"], truth: Int[np.ndarray, "m Z"], lengths: Int[np.ndarray, " m"]
) -> Int[np.ndarray, " m"]:
    """Levenshtein's distance of the first `lengths` entries of each pair of rows (Ego4D's code: no transpositions)."""
    m, Z = found.shape
    rows = np.broadcast_to(np.arange(Z + 1), (m, Z + 1)).copy()
    distance = rows[np.arange(m), lengths] * (lengths == 0)
    for i in range(1, Z + 1):
        before, rows = rows, np.empty_like(rows)
        rows[:, 0] = i
        for j in range(1, Z + 1):
            swap = before[:, j - 1] + (found[:, i - 1] != truth[:, j - 1])
            rows[:, j] = np.minimum(np.minimum(before[:, j], rows[:, j - 1]) + 1, swap)
        done = lengths == i
        distance[done] = rows[done, i]
    return distance


def edit_distance_at(futures: Int[Tensor, "n K Z"], truth: Int[Tensor, "n Z"]) -> Float[Tensor, " n"]:
    """ED@Z of each sample: the least edit distance of its K futures, divided by Z (Ego4D's long-term anticipation).

    Ego4D's futures have Z steps each. A truth that ends before is compared, and divided, over its own length.

    Args:
        futures: K forecasts.
        truth: the steps that came; `NONE` after the end.

    Raises:
        ForetellError: a truth has no steps.
    """
    n, K, _ = futures.shape
    lengths = (truth != NONE).sum(1)
    if not bool((lengths > 0).all()):
        raise ForetellError("a truth of no steps has no edit distance; leave out procedures that end here")
    flat = futures.flatten(0, 1).numpy(), truth.repeat_interleave(K, 0).numpy(), lengths.repeat_interleave(K).numpy()
    distances = torch.from_numpy(edit_distances(*flat)).view(n, K)
    return distances.min(1).values.double() / lengths


def clustered(
    values: Float[Tensor, " n"], groups: Int[Tensor, " n"], generator: torch.Generator, resamples: int = 1000
) -> dict[str, float]:
    """A mean and its 95 % interval, where values of one video are not independent: videos are drawn, not values.

    Args:
        values: of each question.
        groups: the video of each.
        generator: source of chance.
        resamples: how often videos are drawn, with replacement.
    """
    _, places = groups.unique(return_inverse=True)
    count = int(places.max()) + 1
    sums = torch.zeros(count, dtype=torch.float64).index_add_(0, places, values.double())
    sizes = torch.bincount(places, minlength=count).double()
    drawn = torch.randint(count, (resamples, count), generator=generator)
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return {"value": values.double().mean().item(), "low": low, "high": high}
