"""Zero-shot classification: the class whose name, put into a sentence, fits an image best (CLIP, §3.1).

m images · C classes · P templates · G width of a text's vector
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Bool
from torch import Tensor

from foretell.data.made.captioned import TEMPLATES
from foretell.data.made.captioned.words import with_article
from foretell.evaluate.intervals import accuracy_of, wilson
from foretell.evaluate.measure import Line, Result
from foretell.evaluate.measures.words import WordMeasure, caption_vectors, similarities
from foretell.evaluate.subject import Subject


@dataclass(frozen=True)
class ZeroShot(WordMeasure):
    """Classes by their names alone, in several sentences each.

    `accuracy` averages the sentences of a class before they mix an image, as the paper does to save time; `after`
    averages how well they fit it.
    """

    name: ClassVar[str] = "zero_shot"
    title: ClassVar[str] = "zero-shot classes"
    captions: ClassVar[bool] = False
    labels: ClassVar[bool] = True
    templates: tuple[str, ...] = TEMPLATES

    def run(self, subject: Subject) -> Result:
        """Name the class of each test image."""
        assert subject.labels is not None
        classes, asked = subject.train.classes, subject.labels[1]
        prompts = [template.format(with_article(readable(name))) for name in classes for template in self.templates]
        g = caption_vectors(subject, prompts).unflatten(0, (len(classes), -1))
        before = similarities(subject, subject.outputs, g.mean(1))
        fits = similarities(subject, subject.outputs, g.flatten(0, 1))
        right = before.argmax(1) == asked
        after = fits.unflatten(1, (len(classes), -1)).mean(2).argmax(1) == asked
        accuracy = accuracy_of(int(right.sum()), asked)
        five = (before.topk(min(5, len(classes)), 1).indices == asked.unsqueeze(1)).any(1)
        numbers = {
            **accuracy,
            "accuracy": accuracy,
            "after": accuracy_of(int(after.sum()), asked),
            "top5": _share(five) | {"chance": min(5, len(classes)) / len(classes)},
            "classes": len(classes),
            "templates": len(self.templates),
        }
        return Result(numbers, right)

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """Both ways to average, and the five likeliest."""
        return [
            Line(f"zero-shot, {numbers['classes']} classes", numbers),
            Line("  averaged after mixing", numbers["after"]),
            Line("  among the first five", numbers["top5"]),
        ]


def readable(name: str) -> str:
    """A class's name as words: `polar_bear` is "polar bear"."""
    return name.replace("_", " ").strip()


def _share(right: Bool[Tensor, " m"]) -> dict[str, float]:
    correct = int(right.sum())
    low, high = wilson(correct, len(right))
    return {"value": correct / len(right), "low": low, "high": high}
