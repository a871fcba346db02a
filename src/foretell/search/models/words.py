"""Photographs that are searched by words, by a model that knows both.

An entry's vector holds all that a caption can choose from, h, and before it the K embeddings z₁ … z_K that a caption
gets which chooses one output alone: [s z₁, …, s z_K, h], s = ‖h‖ / √K. A text asks first with K vectors, the k-th of
which has its own vector t in the place of z_k, and zeros elsewhere. So the cosines are ⟨z_k, t⟩ / √(2K), whatever store
computes them, and the best of K searches are those of the largest ⟨z_k, t⟩: max-sim (ColBERT, arXiv:2004.12832, eq. 3).
Entries that are found so are then mixed anew for the text, and sorted. A photograph asks with its own vector.

n entries · K outputs an image · D width · E of embeddings
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from foretell import hub
from foretell.augment import to_float
from foretell.capabilities import EncodesText, able, require
from foretell.method import Method
from foretell.search.models import media
from foretell.search.models.media import ImageModel


def load(name: str) -> ImageModel:
    """A model of photographs or videos, one of photographs and words where it knows these.

    Raises:
        ForetellError: there is no such model, or it encodes no patches and knows no words.
    """
    model = hub.load(name)
    return WordModel(media.absolute(name), model) if able(model, EncodesText) else media.of(name, model)


class WordModel(ImageModel):
    """A model of photographs and words."""

    words = True

    def __init__(self, name: str, model: Method) -> None:
        self._knows = require(model, EncodesText, "search by words")
        super().__init__(name, model)

    def _width(self) -> int:
        with torch.no_grad():
            h, z = self._parts(torch.zeros(1, 3, self.size, self.size))
        self._outputs, self._embedding = tuple(h.shape[1:]), z.shape[2]
        return z[0].numel() + h[0].numel()

    def _parts(self, x: Tensor) -> tuple[Float[Tensor, "n K D"], Float[Tensor, "n K E"]]:
        """h and z of images in [0, 1]."""
        h = self._knows.outputs(x).float()
        return h, self._knows.apart(h).float()

    def _vectors(self, pixels: UInt8[np.ndarray, "n ..."]) -> Float32[np.ndarray, "n D"]:
        h, z = self._parts(to_float(torch.from_numpy(pixels)))
        scale = h.flatten(1).norm(dim=1).view(-1, 1, 1) / h.shape[1] ** 0.5
        return torch.cat([(scale * z).flatten(1), h.flatten(1)], 1).numpy()

    @property
    def scale(self) -> float:
        """What the cosines of `ask` are multiplied by, to be those of a text and an embedding."""
        return sqrt(2 * self._outputs[0])

    @torch.no_grad()
    def ask(self, text: str) -> Float32[np.ndarray, "K D"]:
        """The vectors that a text asks first with. Raises ForetellError where it is empty."""
        t = self._knows.encode_text([text])[0].float()
        K = self._outputs[0]
        asked = t.new_zeros(K, self.dimension)
        asked[:, : K * self._embedding].unflatten(1, (K, -1)).diagonal(dim1=0, dim2=1).copy_(t.unsqueeze(1))
        return asked.numpy()

    @torch.no_grad()
    def mixed(self, text: str, vectors: Sequence[np.ndarray]) -> Float32[np.ndarray, " n"]:
        """How well a text fits entries by their vectors, each mixed anew for it: cosines, −1 to 1."""
        K, D = self._outputs
        h = torch.from_numpy(np.stack(vectors)[:, -K * D :].copy()).unflatten(1, (K, D))
        return self._knows.similarity(h, self._knows.caption_vectors([text]))[:, 0].numpy()
