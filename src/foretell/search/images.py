"""Photographs as vectors, by a world model: as they are, or as it imagines them.

What is stored of a photograph y is target(y), pooled; a query is the same of another photograph, or predict(encode(x),
a) pooled: "this one, but darker", without the darker picture ever being made.

n images · D width
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from foretell import hub
from foretell.augment import to_float
from foretell.data.decode import Unusable, decode
from foretell.errors import ForetellError
from foretell.jepa import as_jepa
from foretell.leverage.imagine import actions_of, split
from foretell.nn.vit import pool

BATCH = 64


class ImageModel:
    """A world model as an encoder of photographs.

    Args:
        name: what `foretell.load` takes.

    Raises:
        ForetellError: there is no such model, or it predicts no patch latents.
    """

    kind: Literal["image"] = "image"

    def __init__(self, name: str) -> None:
        self._model = as_jepa(hub.load(name), "search by photographs")
        self.name = name if name in hub.models() or not Path(name).exists() else str(Path(name).resolve())
        digest = hashlib.sha256()
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(key.encode())
            digest.update(tensor.detach().contiguous().view(torch.uint8).numpy().data)
        self.fingerprint = digest.hexdigest()
        self.size = self._model.config.encoder.image_size
        self.dimension = self._model.context_encoder.width

    def read(self, image: Path | bytes) -> UInt8[np.ndarray, "3 S S"]:
        """A photograph, a file or the bytes of one, as the model sees it. Raises ForetellError where it is not one."""
        try:
            return decode(image, self.size)
        except Unusable as reason:
            raise ForetellError(f"{image if isinstance(image, Path) else 'the image'}: {reason}") from None

    @torch.no_grad()
    def passages(self, images: Sequence[np.ndarray]) -> Float32[np.ndarray, "n D"]:
        """Unit vectors of photographs to be found, each uint8 [3, S, S]."""
        parts = [self._target(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    @torch.no_grad()
    def query(self, image: Path | bytes, imagine: Mapping[str, float] | None = None) -> Float32[np.ndarray, " D"]:
        """The unit vector of a photograph to search with.

        Args:
            image: a photograph, a file or the bytes of one.
            imagine: how it should be changed, as for `foretell.leverage.imagine`; None for as it is.

        Raises:
            ForetellError: it is not a photograph, or the model knows no such change.
        """
        pixels = self.read(image)
        if not imagine:
            return self._target([pixels])[0]
        actions = actions_of(self._model)
        source, target = split(actions, imagine)
        x = actions.apply(to_float(torch.tensor(pixels))[None], source)
        return _unit(self._model.imagine(x, actions.action(source, target)))[0]

    def _target(self, images: Sequence[np.ndarray]) -> np.ndarray:
        return _unit(self._model.target(to_float(torch.from_numpy(np.stack(images)))))


def _unit(latents: Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(pool(latents), dim=1).numpy()
