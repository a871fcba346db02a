"""The subject of measures: a model and data. Results that several measures use are computed once.

n images · m test images
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell.augment import to_float
from foretell.capabilities import EncodesText, require
from foretell.data import Pictures
from foretell.errors import ForetellError
from foretell.evaluate.encode import Encoded, encode, evaluating, features, finite
from foretell.method import Method
from foretell.progress import watched


@dataclass(frozen=True, eq=False)
class Subject:
    """A frozen model, the images that probes learn from, and the images they are tested on."""

    model: Method
    train: Pictures
    test: Pictures
    labels: tuple[Int[Tensor, " n"], Int[Tensor, " m"]] | None
    """Labels of both sets, as places in the training set's classes; None if either has none."""
    device: torch.device
    seed: int = 0
    keep: int = 0
    """Images of each set whose patch latents are kept; 0 for a model without patches, or if no measure needs them."""
    progress: bool = False
    called: str = ""
    """The model's name on progress bars; empty for the model of the report."""

    @cached_property
    def learn(self) -> Encoded:
        """The network's outputs for the training images."""
        return self._encoded(self.train, "Encoding the training images")

    @cached_property
    def ask(self) -> Encoded:
        """The network's outputs for the test images."""
        return self._encoded(self.test, "Encoding the test images")

    @cached_property
    def outputs(self) -> Float[Tensor, "m K D"]:
        """What a model that knows words keeps of the test images, on the CPU."""
        model = require(self.model, EncodesText, "measuring with words")
        chunks = torch.arange(len(self.test)).split(128)
        with evaluating(self.model, self.device) as device:

            def encoded(some: Tensor) -> Tensor:
                return finite(model.outputs(to_float(self.test.take(some).to(device))).float()).cpu()

            return torch.cat([encoded(some) for some in watched(chunks, self.bar("Encoding the test images"))])

    def forgotten(self) -> Subject:
        """The same subject without its computed results."""
        return replace(self)

    def bar(self, text: str) -> str | None:
        """The text of a progress bar; None for no bar."""
        return text + self.called if self.progress else None

    def _encoded(self, images: Pictures, text: str) -> Encoded:
        """Features of all images, and as many patch latents as the attentive probe can use."""
        if self.keep:
            return encode(
                self.model, images, keep=self.keep, device=self.device, seed=self.seed, progress=self.bar(text)
            )
        z = features(self.model, images, device=self.device, progress=self.bar(text))
        return Encoded(z, torch.empty(0, 0, z.shape[1], dtype=torch.float16), torch.empty(0, dtype=torch.int64))


def labels_of(train: Pictures, test: Pictures) -> tuple[Int[Tensor, " n"], Int[Tensor, " m"]] | None:
    """The labels of both as places in the training set's classes; None where either has none.

    Raises:
        ForetellError: the test set has a class that the training set has not.
    """
    if train.labels is None or test.labels is None:
        return None
    foreign = [name for name in test.classes if name not in train.classes]
    if foreign:
        raise ForetellError(f"the test set has classes that the training set has not: {', '.join(foreign[:4])}")
    return train.labels, torch.tensor([train.classes.index(name) for name in test.classes])[test.labels]
