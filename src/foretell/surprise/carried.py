"""How much of a difference a prediction carries ahead.

Whether a model tells a pair apart is yes or no. It depends on more than the prediction: a long body costs more error
than a round one in any case. A direct question takes two possible stories, p and q. They differ in one thing before and
after a moment. Does the prediction keep that thing?

    carried = Σ ⟨ŝ_p − ŝ_q, s_p − s_q⟩ / Σ ‖s_p − s_q‖²

over all tubelets after the moment, predicted from those before it. With 0 the prediction is the same for both stories.
With 1 it differs as much as they do. It is the slope of a regression of predictions on targets, and from no paper.

n stories, two by two · T tubelets · P patches of a tubelet
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from foretell.augment import to_float
from foretell.capabilities import Foresees, require
from foretell.evaluate.encode import Device, evaluating
from foretell.method import Method
from foretell.surprise.measure import Predict, predicted


def carried(
    model: Method,
    possible: UInt8[Tensor, "n 3 F H W"],
    moment: Int[Tensor, " n"],
    *,
    predict: Predict = predicted,
    batch: int = 32,
    device: Device = None,
) -> dict[str, Any]:
    """How much of the difference between two stories a model carries over a moment.

    Args:
        model: a video model; of longer clips it sees the first window.
        possible: stories; 2j and 2j + 1 are a pair, as in `foretell.data.made.scenes.Pairs`. The last of an odd number
            is left out.
        moment: the first frame that is predicted, the same for 2j and 2j + 1. A pair whose moment lies in the first
            tubelet has no past and is left out.
        predict: gives the prediction.
        batch: stories that the networks take at a time, rounded down to an even number.
        device: the device to compute on; None for the model's.

    Returns:
        `value` is over all predicted tubelets; None if no stories differ in them. `ahead` has the same for the first
        tubelet after the moment, the second, and so on.

    Raises:
        ForetellError: the model does not predict clips.
    """
    world = require(model, Foresees, "the difference that a prediction carries ahead")
    config = world.config.encoder
    T, P = config.frames // config.tubelet, (config.image_size // config.patch_size) ** 2
    seen = moment[: len(moment) // 2 * 2] // config.tubelet
    common, all_of_it = torch.zeros(2, T)
    with evaluating(model, device) as device:
        for tubelets in seen[(seen > 0) & (seen < T)].unique().tolist():
            for some in (seen == tubelets).nonzero()[:, 0].split(max(batch // 2, 1) * 2):
                x = to_float(possible[some, :, : config.frames].to(device))
                pairs = (world.target(x)[:, tubelets * P :], predict(world, x, tubelets))
                was, said = (one[::2] - one[1::2] for one in pairs)
                for total, product in ((common, was * said), (all_of_it, was * was)):
                    total[: T - tubelets] += product.sum((0, 2)).unflatten(0, (-1, P)).sum(1).cpu()
    value = (common.sum() / all_of_it.sum()).item() if all_of_it.any() else None
    return {"value": value, "ahead": (common / all_of_it)[all_of_it > 0].tolist()}
