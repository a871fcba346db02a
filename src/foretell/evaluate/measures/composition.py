"""Composition: whether a model knows which colour belongs to which thing, and which thing lies where.

A caption is held against the same caption with two colours, or two places, exchanged: same words, and false (as in
Winoground, arXiv:2204.03162, and ARO, arXiv:2210.01936). What only knows which words fit gets half right.

P pairs of captions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.evaluate.intervals import bootstrap
from foretell.evaluate.measure import Line, Result
from foretell.evaluate.measures.words import NO_CAPTIONS, WordMeasure, caption_vectors, of_its_own, texts_of
from foretell.evaluate.subject import Subject

PREFIX = "swapped_"
"""Columns of pairs: a true caption, a false one, a true one, and so on."""


class Composition(WordMeasure):
    """How often a true caption fits better than the one with two words exchanged; 0.5 by chance."""

    name: ClassVar[str] = "composition"
    title: ClassVar[str] = "exchanged words"
    captions: ClassVar[bool] = False

    def lacks(self, subject: Subject) -> str | None:
        """See `Measure.lacks`: images must have pairs of captions."""
        if reason := super().lacks(subject):
            return reason
        found = [name for name in subject.test.columns if name.startswith(PREFIX)]
        if not found:
            return "No captions with words exchanged: evaluate on `captions:512`."
        return None if any(any(texts_of(subject, name)) for name in found) else NO_CAPTIONS

    def run(self, subject: Subject) -> Result:
        """Compare each pair; an image's score is the mean over its pairs."""
        numbers, every = {}, []
        for column in subject.test.columns:
            if column.startswith(PREFIX) and (scored := self._of(subject, column)):
                numbers[column.removeprefix(PREFIX)] = _numbers(*scored, subject.seed)
                every.append(scored)
        both = [torch.cat(parts) for parts in zip(*every, strict=True)]
        per_image, image = both
        numbers = _numbers(per_image, image, subject.seed) | numbers
        return Result(numbers, _by_image(per_image, image))

    def _of(self, subject: Subject, column: str) -> tuple[Float[Tensor, " P"], Tensor] | None:
        """The score of each pair of a column, and the image it belongs to."""
        texts = texts_of(subject, column)
        image = torch.tensor([i for i, some in enumerate(texts) for _ in range(len(some) // 2)])
        if not len(image):
            return None
        g = caption_vectors(subject, [text for some in texts for text in some[: len(some) // 2 * 2]])
        fits = of_its_own(subject, "similarity", g, image.repeat_interleave(2))
        true, false = fits.unflatten(0, (-1, 2)).unbind(1)
        return (true > false).float() + 0.5 * (true == false).float(), image

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """All pairs, and each kind."""
        kinds = {name: one for name, one in numbers.items() if isinstance(one, dict) and "pairs" in one}
        first = Line(f"true of two captions, {numbers['pairs']} pairs", numbers)
        return [first, *(Line(f"  {name} exchanged", one) for name, one in kinds.items())]


def _by_image(scores: Float[Tensor, " P"], image: Tensor) -> Float[Tensor, " some"]:
    """The mean of each image that has pairs."""
    _, place, count = image.unique(return_inverse=True, return_counts=True)
    return torch.zeros(len(count)).index_add(0, place, scores) / count


def _numbers(scores: Float[Tensor, " P"], image: Tensor, seed: int) -> dict[str, Any]:
    per_image = _by_image(scores, image).unsqueeze(1)
    low, high = bootstrap(per_image, torch.Generator().manual_seed(seed))
    return {
        "value": per_image.mean().item(),
        "low": low.item(),
        "high": high.item(),
        "chance": 0.5,
        "pairs": len(scores),
    }
