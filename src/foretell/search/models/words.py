"""Photographs that are searched by words, by a model that knows both.

An entry's vector holds all that a caption can choose from, h, and before it z, what it is compared with where no
caption chooses: [‖h‖ z, h]. A text asks first with [t, 0], where t is its own vector. So the cosine is ⟨z, t⟩ / √2,
whatever store computes it. Entries that are found so are then mixed anew for the text, and sorted. A photograph asks
with its own vector.

n entries · K outputs an image · D width · E of embeddings
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

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
        x = torch.zeros(1, 3, self.size, self.size)
        with torch.no_grad():
            h, z = self._parts(x)
        self._outputs: tuple[int, ...] = tuple(h.shape[1:])
        return z.shape[1] + h[0].numel()

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """h [n, K, D] and z [n, E] of images in [0, 1]."""
        h = self._knows.outputs(x).float()
        return h, F.normalize(self._model.features(x).float(), dim=-1)

    def _vectors(self, pixels: UInt8[np.ndarray, "n ..."]) -> Float32[np.ndarray, "n D"]:
        h, z = self._parts(to_float(torch.from_numpy(pixels)))
        flat = h.flatten(1)
        return torch.cat([flat.norm(dim=1, keepdim=True) * z, flat], 1).numpy()

    @torch.no_grad()
    def ask(self, text: str) -> Float32[np.ndarray, " D"]:
        """The vector that a text asks first with. Raises ForetellError where it is empty."""
        t = self._knows.encode_text([text])[0]
        return torch.cat([t, t.new_zeros(self.dimension - len(t))]).numpy()

    @torch.no_grad()
    def mixed(self, text: str, vectors: Sequence[np.ndarray]) -> Float32[np.ndarray, " n"]:
        """How well a text fits entries by their vectors, each mixed anew for it: cosines, −1 to 1."""
        K, D = self._outputs
        h = torch.from_numpy(np.stack(vectors)[:, -K * D :].copy()).unflatten(1, (K, D))
        return self._knows.similarity(h, self._knows.caption_vectors([text]))[:, 0].numpy()
