"""The controls of a model: the same network untrained, and raw pixels.

A probe finds much in untrained features, because a random network keeps most of its input. So an accuracy above that of
naming the most frequent class does not show that anything was learned. The difference from a network of the same kind
with fresh weights shows it, on the same test images.

n images · D width
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.augment import to_float
from foretell.capabilities import EncodesPatches
from foretell.data import Batch
from foretell.evaluate.intervals import paired
from foretell.evaluate.measure import Measure, Result
from foretell.evaluate.subject import Subject
from foretell.method import Method, fresh, unrelated
from foretell.nn.positions import sincos
from foretell.nn.vit import ViTConfig, patchify

SIDE, PATCH = 16, 4
NUMBERS = ("value", "low", "high")
DRAWS = 3
"""Untrained networks that a model must exceed, each of them, to have learned something."""


def averaged(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 16 16"]:
    """Images at 16 × 16 pixels, each the mean of those that it covers."""
    return F.adaptive_avg_pool2d(x, SIDE)


class PixelPatches(nn.Module):
    """A control without an encoder: the pixels of 16 patches, 48 numbers each, and the places of the patches."""

    position: Tensor
    width = 3 * PATCH**2
    config = ViTConfig(SIDE, PATCH, width, 1, 3)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("position", sincos(self.width, self.config.grid).clone())

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N D"]:
        """Patches of x in [0, 1]; a probe that attends must be told their places."""
        return patchify(averaged(x), (PATCH, PATCH)) - 0.5 + self.position


class RawPixels(Method):
    """A method that learns nothing. Its features are the pixels of an image, averaged down to 16 × 16."""

    def __init__(self) -> None:
        super().__init__(None)
        self.patch_encoder = PixelPatches()

    def features(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D"]:
        """The pixels of x in [0, 1]: 768 numbers."""
        return averaged(x).flatten(1)

    def views(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The unchanged images."""
        return to_float(batch.pixels)

    def augmented(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The unchanged images."""
        return to_float(batch.pixels)

    def forward(self, views: Tensor) -> Float[Tensor, ""]:
        """There is nothing to learn."""
        return torch.zeros((), device=views.device)

    def trained(self) -> dict[str, nn.Module]:
        """Nothing is trained."""
        return {}


def subjects(subject: Subject) -> Iterator[tuple[str, Subject]]:
    """The controls of a model, by name. One comes after the other, so that memory holds one at a time.

    - `untrained`: the same network with fresh weights, from a seed that no run starts from.
    - `pixels`: raw pixels, for images only; the pixels of clips do not line up.
    """
    yield "untrained", untrained(subject)
    if subject.test.take([0]).ndim == 4:
        yield "pixels", replace(subject, model=RawPixels(), called=", raw pixels")


def untrained(subject: Subject, draw: int = 0) -> Subject:
    """The same network with fresh weights, the first, second, … time that they are drawn."""
    model = fresh(subject.model, unrelated(subject.seed + draw)).eval()
    return replace(subject, model=model, called=", untrained")


def compare(
    subject: Subject, measures: list[Measure], results: dict[str, Result]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Measure what learned nothing in the same way, on the same images.

    Args:
        subject: the model that was measured.
        measures: the measures of the model.
        results: its results, by the measure's name. Only those with a score for each image are compared.

    Returns:
        By measure and control (`untrained`, `pixels`): its `value`, `low` and `high`, and the `difference` of the
        model from it, {`value`, `low`, `high`}. The intervals of a control hold for all measures together with 95 %
        (Bonferroni). So several measures do not find a difference by luck.

        Networks with other fresh weights differ, too, by up to nine points where there are few images. So the measure
        that differs most from `untrained` is repeated on two more such networks: `again` has the differences from them.
    """
    scores = {name: each.per_image for name, each in results.items() if each.per_image is not None}
    compared = [measure for measure in measures if measure.name in scores]
    found: dict[str, dict[str, dict[str, Any]]] = {measure.name: {} for measure in compared}
    if not compared:
        return found
    level = 1 - 0.05 / len(scores)
    for control, other in subjects(subject):
        for measure in compared:
            if not measure.lacks(other):
                found[measure.name][control] = _held_against(measure, other, scores[measure.name], level)
    best = max(compared, key=lambda measure: found[measure.name]["untrained"]["difference"]["low"])
    shown = found[best.name]["untrained"]
    if shown["difference"]["low"] > 0:
        lean = subject if EncodesPatches in best.needs else replace(subject, keep=0)
        shown["again"] = [
            _held_against(best, untrained(lean, draw), scores[best.name], level)["difference"]
            for draw in range(1, DRAWS)
        ]
    return found


def _held_against(measure: Measure, other: Subject, scores: Shaped[Tensor, " m"], level: float) -> dict[str, Any]:
    """The result of a measure for a control that learned nothing, and the difference of the model's scores from it."""
    result = measure.run(other)
    assert result.per_image is not None
    numbers = {name: result.numbers[name] for name in NUMBERS}
    return numbers | {"difference": paired(scores, result.per_image, level)}
