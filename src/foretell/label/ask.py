"""Which of some labels fits a picture best, and where the model looked for each.

B pictures · n labels · P templates · K outputs a picture · M heads · N patches · S side in pixels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor

from foretell.augment import to_float
from foretell.capabilities import EncodesText, require
from foretell.data.made.captioned import TEMPLATES
from foretell.errors import ForetellError
from foretell.evaluate.encode import evaluating
from foretell.method import Method


@dataclass(frozen=True, eq=False)
class LabelScores:
    """What a model finds in one picture."""

    picture: Float[Tensor, "3 S S"]
    """In [0, 1], as the model saw it."""
    scores: dict[str, float]
    """Each label's share: they add up to 1 over the labels that were given. So they say which fits best, and not
    whether any does."""
    cosines: dict[str, float]
    """How well each label fits by itself, −1 to 1."""
    looked: Float[Tensor, "n rows columns"] | None
    """For each label the share of its look that every patch had; None of a model that cannot tell."""

    @property
    def label(self) -> str:
        """The label that fits best."""
        return max(self.scores, key=lambda name: self.scores[name])


def ask(
    model: Method,
    pictures: UInt8[Tensor, "B 3 S S"] | Float[Tensor, "B 3 S S"],
    labels: Sequence[str],
    templates: Sequence[str] = TEMPLATES,
) -> list[LabelScores]:
    """Hold pictures against labels.

    Args:
        model: one that knows words.
        pictures: uint8 or in [0, 1], at the size of the model's images.
        labels: two or more, such as "a red apple".
        templates: sentences that each label is put into; the vectors of these are averaged before they mix a picture.

    Raises:
        ForetellError: the model knows no words, or labels are too few, empty or alike.
    """
    knows = require(model, EncodesText, "labelling")
    labels = distinct(labels)
    with evaluating(model) as device:
        x = to_float(pictures.to(device))
        texts = [template.format(label) for label in labels for template in templates]
        g = knows.caption_vectors(texts).unflatten(0, (len(labels), -1)).mean(1)
        cosines = knows.similarity(knows.outputs(x), g).float()
        shares = (cosines * knows.scale).softmax(1)
        looked = _looked(model, x, g)
    return [
        LabelScores(
            x[i].cpu(),
            dict(zip(labels, shares[i].tolist(), strict=True)),
            dict(zip(labels, cosines[i].tolist(), strict=True)),
            None if looked is None else looked[i].cpu(),
        )
        for i in range(len(x))
    ]


def distinct(labels: Sequence[str]) -> list[str]:
    """Labels without spaces around them.

    Raises:
        ForetellError: there are fewer than two, one is empty, or two are alike.
    """
    labels = [" ".join(label.split()) for label in labels]
    if blank := [number for number, label in enumerate(labels, 1) if not label]:
        raise ForetellError(f"label {blank[0]} of {len(labels)} is empty, expected words such as 'a red apple'")
    seen: dict[str, str] = {}
    for label in labels:
        if (before := seen.setdefault(label.casefold(), label)) is not label:
            raise ForetellError(f"labels {before!r} and {label!r} are alike, expected different ones")
    if len(labels) < 2:
        found = f"only {labels[0]!r}" if labels else "no label"
        raise ForetellError(
            f"labels: found {found}, expected two or more, so that a picture can be one and not another"
        )
    return labels


def _looked(model: Any, x: Tensor, g: Tensor) -> Float[Tensor, "B n rows columns"] | None:
    """Where the outputs that each label weights looked, in the last block of the encoder."""
    if not hasattr(model, "looked"):
        return None
    return model.looked(x, g)
