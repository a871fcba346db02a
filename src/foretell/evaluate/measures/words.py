"""What measures with words have in common: they compare the test images with texts.

m test images · n texts · K outputs an image · D width · G width of a text's vector
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell.capabilities import EncodesText, require
from foretell.errors import ForetellError
from foretell.evaluate.encode import evaluating
from foretell.evaluate.measure import Measure
from foretell.evaluate.subject import Subject

PURPOSE = "measuring with words"
NO_CAPTIONS = "No captions, nothing to find by words: evaluate on `captions:512`, or on images with captions."
PAIRS = 2**22
"""Numbers that mixed embeddings may take at a time: 16 MiB."""
TEXTS = 256


class WordMeasure(Measure):
    """A measure of how well texts fit images."""

    section: ClassVar[str] = "words"
    needs: ClassVar[tuple[type, ...]] = (EncodesText,)
    captions: ClassVar[bool] = True
    """Whether images must have captions."""

    def lacks(self, subject: Subject) -> str | None:
        """See `Measure.lacks`; all measures with words say the same."""
        try:
            require(subject.model, EncodesText, PURPOSE)
        except ForetellError as error:
            return str(error)
        if self.captions and "captions" not in subject.test.columns:
            return NO_CAPTIONS
        return super().lacks(subject)


def caption_vectors(subject: Subject, texts: Sequence[str]) -> Float[Tensor, "n G"]:
    """What the model keeps of texts, on the device; each different text is encoded once."""
    model = require(subject.model, EncodesText, PURPOSE)
    different = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    kept = [*different]
    with evaluating(subject.model, subject.device):
        found = [model.caption_vectors(kept[i : i + TEXTS]).float() for i in range(0, len(kept), TEXTS)]
        return torch.cat(found)[[different[text] for text in texts]]


def similarities(subject: Subject, h: Float[Tensor, "m K D"], g: Float[Tensor, "n G"]) -> Float[Tensor, "m n"]:
    """How well each text fits each image, every image mixed for every text; on the CPU."""
    model = require(subject.model, EncodesText, PURPOSE)
    rows = max(1, PAIRS // (TEXTS * g.shape[1]))
    with evaluating(subject.model, subject.device) as device:
        return torch.cat(
            [
                torch.cat([model.similarity(some, part).float().cpu() for part in g.to(device).split(TEXTS)], 1)
                for some in h.to(device).split(rows)
            ]
        )


def of_its_own(subject: Subject, what: str, g: Float[Tensor, "n G"], image: Int[Tensor, " n"]) -> Tensor:
    """What a model makes of each text and the image that it belongs to, on the CPU.

    Args:
        subject: whose model and test images.
        what: `similarity` or `mixed`.
        g: vectors of texts.
        image: the number of each text's image, ascending.
    """
    made = []
    with evaluating(subject.model, subject.device) as device:
        for some in torch.arange(len(g)).split(32):  # a few more pairs than are wanted, and few calls
            own, place = image[some].unique(return_inverse=True)
            found = getattr(subject.model, what)(subject.outputs[own].to(device), g[some])
            made.append(found.expand(-1, len(some), *found.shape[2:])[place, torch.arange(len(some))].float().cpu())
    return torch.cat(made)


def texts_of(subject: Subject, column: str, images: int | None = None) -> list[list[str]]:
    """The texts of the test images in a column, such as their captions."""
    chosen = torch.arange(len(subject.test))[:images]
    return [texts for some in chosen.split(1024) for texts in subject.test.batch(some).ragged(column).texts()]
