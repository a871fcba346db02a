"""The interface of a method that training and evaluation use.

B batch · D width
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell.errors import ForetellError
from foretell.nn.vit import layer_norm

if TYPE_CHECKING:
    from foretell.data import Batch, Dataset, Photographs


M = TypeVar("M", bound="Method")


class ReadsPhotographs:
    """A configuration of a method that learns from photographs, at the size of its encoder."""

    @property
    def reads(self) -> Photographs:
        """The data that the method reads, for `foretell.data.load`."""
        from foretell.data import Photographs  # only training and measuring read data: a model needs torch alone

        encoder: Any = vars(self)["encoder"]
        return Photographs(encoder.image_size)


class Method(nn.Module, ABC):
    """Something that learns features of images by comparing latents; `foretell.jepa.JEPA` is the main kind.

    Args:
        config: the dataclass the model was built from: `type(model)(model.config)` builds its like. Its `reads` says
            what data the method takes (see `foretell.data.reads`), and its `encoder.image_size` how large images are.
    """

    entrances: tuple[str, ...] = ("features", "latents")
    """The functions besides `forward` that read parameters. A model split over processes gathers them for these."""

    use = "foretell evaluate {out} --data {data}"
    """The command that a run ends with: what to do with its model."""

    untrained: str | None = None
    """The one of `trained` that never was: official weights may hold an encoder alone."""

    chunk: int | None = None
    """The most samples that a network takes at a time; None for no limit. `chunked` sets it."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @classmethod
    def begin(cls: type[M], config: Any, encoder: Method | None = None) -> M:
        """A model that is yet to be trained.

        Args:
            config: the dataclass it is built from.
            encoder: a trained model, for a method that stands on the encoder of another.

        Raises:
            ForetellError: the method needs such a model, or has no use for one.
        """
        if encoder is not None:
            raise ForetellError(f"{cls.__name__} learns an encoder of its own, so --encoder has no use")
        return cls(config)

    @property
    def reads(self) -> Any:
        """What data this very model takes, as `foretell.data.load` takes it: that of its configuration, most often."""
        return self.config.reads

    def suited(self: M, data: Dataset) -> M:
        """The model for the classes and the widths of the data to learn from; for most methods it is as it is.

        Raises:
            ForetellError: the method cannot learn from this data.
        """
        return self

    def prepare(self, data: Dataset) -> None:
        """Take from the data to learn from what must be known before training; for most methods nothing.

        Raises:
            ForetellError: the method cannot learn from this data.
        """
        return

    @abstractmethod
    def views(self, batch: Batch, generator: torch.Generator) -> Any:
        """Make a training problem of some samples.

        Args:
            batch: samples of what `config.reads` says: of photographs `batch.pixels` is uint8 [B, 3, H, W].
            generator: the only source of chance, of the CPU on any device (`foretell.chance`).

        Returns:
            The input of `forward`.
        """

    @abstractmethod
    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B C ..."]:
        """One random view of each image, as the method sees it in training. LiDAR compares several.

        Args:
            batch: as `views` takes it.
            generator: the only source of chance, of the CPU on any device (`foretell.chance`).

        Returns:
            Images [B, C, H, W] or clips [B, C, T, H, W] in [0, 1].
        """

    @abstractmethod
    def forward(self, views: Any) -> Float[Tensor, ""]:
        """The loss of one training problem."""

    @abstractmethod
    def trained(self) -> Mapping[str, nn.Module]:
        """The networks that the optimiser updates, by their name in a report; `encoder` is among them."""

    @abstractmethod
    def features(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B D"]:
        """The global embedding of x in [0, 1]: what probes, neighbours and search use."""

    @property
    def example(self) -> str:
        """Python for the model card: what to do with `model`."""
        size = "T, H, W" if len(getattr(self.config.encoder, "grid", (0, 0))) == 3 else "H, W"
        return f"features = model.features(images)  # [B, 3, {size}] in [0, 1] -> [B, D]"

    def latents(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B _ D"]:
        """The latents that monitors check for collapse: layer-normed, of x in [0, 1]; one for each image, or for each
        patch.
        """
        return layer_norm(self.features(x)).unsqueeze(1)

    def update_target(self, momentum: float) -> None:
        """After a step of the optimiser: move a slow copy, where there is one."""
        return

    def lacks(self, capability: type) -> str | None:
        """Why this very model cannot do what its class can.

        Args:
            capability: a protocol of `foretell.capabilities`, which asks here.

        Returns:
            A clause that continues a sentence, such as "its predictor was never trained"; None if it lacks nothing.
        """
        return

    @torch.no_grad()
    def measures(self, views: Any) -> dict[str, float]:
        """The monitors' values of a fixed training problem, in evaluation mode: the loss, and the losses to compare it
        with.
        """
        return {"loss": self(views).item()}

    @contextmanager
    def chunked(self, size: int) -> Iterator[None]:
        """Within, networks that are called by `in_chunks` take at most `size` samples at a time: it bounds the memory.

        It is for evaluation mode, where no sample knows of another.
        """
        before, self.chunk = self.chunk, size
        try:
            yield
        finally:
            self.chunk = before

    def in_chunks(self, network: Callable[..., Tensor], *samples: Tensor | None) -> Tensor:
        """network(*samples), computed in chunks of the samples within `chunked`, and at once otherwise.

        Embedding is computed in chunks. A function that compares samples, such as a contrastive loss, takes all
        embeddings at once: call it directly.

        Args:
            network: gives [B, ...]; each sample's result depends only on that sample.
            samples: [B, ...] each, the first axis for samples, or None.

        Returns:
            [B, ...].
        """
        if self.chunk is None:
            return network(*samples)
        size = self.chunk
        B = next(len(each) for each in samples if each is not None)
        chunks = (
            [None if each is None else each[first : first + size] for each in samples] for first in range(0, B, size)
        )
        return torch.cat([network(*chunk) for chunk in chunks])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Weights are drawn from torch's own generator: within, it starts at `seed`; afterwards it is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def unrelated(seed: int) -> int:
    """A seed for draws beside a trained model. The run's own seed would draw the weights that training began with."""
    return int(np.random.SeedSequence((seed, 1)).generate_state(1)[0])


def fresh(model: M, seed: int) -> M:
    """A model of the same kind and configuration, as it is before training (by a run of that seed: as it was)."""
    kind: Any = type(model)  # a method is built from its configuration alone
    with seeded(seed):
        return kind(model.config)


def weights_digest(module: nn.Module) -> str:
    """Sixteen hexadecimal digits that change with the weights."""
    parts = (t.detach().float().cpu().numpy().tobytes() for t in module.state_dict().values())
    return sha256(b"".join(parts)).hexdigest()[:16]


def parameters(module: nn.Module) -> int:
    """The number of a module's learned numbers."""
    return sum(p.numel() for p in module.parameters())
