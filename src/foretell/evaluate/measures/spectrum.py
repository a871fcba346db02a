"""The singular values of what images are compared by: Llip's fall more slowly than SigLIP's (Llip, §5.3).

m images · E width of embeddings
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from foretell.evaluate.measure import Line, Result
from foretell.evaluate.measures.rankme import effective_rank, exact
from foretell.evaluate.measures.words import WordMeasure, caption_vectors, of_its_own, texts_of
from foretell.evaluate.subject import Subject

KEPT = 256
"""Singular values that a report holds, at most."""


@dataclass(frozen=True)
class Spectrum(WordMeasure):
    """Singular values of the embeddings of images, each mixed by its first caption, about their mean.

    `value`: the exponential of their entropy, `of` the most it can be. `singular_values`: relative to the largest.
    """

    name: ClassVar[str] = "spectrum"
    title: ClassVar[str] = "spectrum of embeddings"
    images: int = 4096
    """At most, the first ones."""

    def run(self, subject: Subject) -> Result:
        """Decompose the embeddings."""
        texts = [some[0] for some in texts_of(subject, "captions", self.images)]
        g = caption_vectors(subject, texts)
        z = of_its_own(subject, "mixed", g, torch.arange(len(g)))
        values = torch.linalg.svdvals(exact(z - z.mean(0)))
        relative = values / values[0].clamp_min(torch.finfo(values.dtype).tiny)
        shown = [float(f"{value:.4g}") for value in relative[:KEPT].tolist()]
        return Result({"value": effective_rank(values), "of": min(z.shape), "singular_values": shown})

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """The effective number of directions."""
        return [Line("directions of mixed embeddings", numbers, "{:.1f}")]
