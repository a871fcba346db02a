"""What a group-robust algorithm trains: layers on vectors, or a world model that is finetuned on pictures.

B batch · D width of a row · n classes
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell.augment import random_resized_crop
from foretell.finetune.classifier import FinetuneConfig, WorldModelClassifier
from foretell.finetune.supervise import fitted
from foretell.method import Method, seeded, unrelated
from foretell.robust.config import RobustConfig
from foretell.robust.scaling import Scaling


@runtime_checkable
class Networks(Protocol):
    """Makes networks of one kind."""

    def make(self, seed: int) -> nn.Module:
        """A network that is yet to learn; it gives logits, and its last linear layer is the classifier."""
        ...

    def rates(self, network: nn.Module) -> list[tuple[nn.Module, float]]:
        """The parts to train, each with its share of the learning rate."""
        ...


@dataclass(frozen=True)
class Layers:
    """Linear layers on vectors, the last of them at zero."""

    inputs: int
    classes: int
    config: RobustConfig
    scaling: Scaling | None = None
    """What comes before them."""

    def make(self, seed: int) -> nn.Sequential:
        """One layer, or three with ReLU between them."""
        config = self.config
        sizes = [self.inputs, *([config.width] * 2 if config.network == "mlp" else []), self.classes]
        with seeded(seed):
            layers = [nn.Linear(a, b, bias=config.bias) for a, b in pairwise(sizes)]
            for layer in layers:
                nn.init.xavier_uniform_(layer.weight)
                if config.bias:
                    nn.init.zeros_(layer.bias)
        nn.init.zeros_(layers[-1].weight)
        steps: list[nn.Module] = [*([self.scaling] if self.scaling else []), layers[0]]
        for layer in layers[1:]:
            steps += [nn.ReLU(), layer]
        return nn.Sequential(*steps)

    def rates(self, network: nn.Module) -> list[tuple[nn.Module, float]]:
        """All of it."""
        return [(network, 1.0)]


class Pictured(nn.Module):
    """A classifier of pictures that sees random crops while it trains, and whole pictures afterwards."""

    def __init__(self, classifier: WorldModelClassifier, config: FinetuneConfig, chance: torch.Generator) -> None:
        super().__init__()
        self.classifier, self.config, self.chance = classifier, config, chance

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B n"]:
        """Logits of pictures in [0, 1]."""
        size = self.classifier.encoder.config.image_size
        x = fitted(x, size)
        if self.training:
            x = random_resized_crop(x, size, self.chance, self.config.crop, flip=self.config.flip)
        return self.classifier(x)


@dataclass(frozen=True)
class Finetuned:
    """A world model's parts that learn besides a new head, as `foretell.finetune` trains them."""

    model: Method = field(repr=False)
    classes: tuple[str, ...]
    config: FinetuneConfig
    """Its `mode` says which parts; crops and shares of the learning rate count too, and nothing else."""

    def make(self, seed: int) -> Pictured:
        """A copy of the model with a new head, where the model is."""
        device = next(self.model.parameters()).device
        with seeded(unrelated(seed)):
            classifier = WorldModelClassifier(self.model, self.classes, self.config.mode).to(device)
        return Pictured(classifier, self.config, torch.Generator().manual_seed(seed))

    def rates(self, network: nn.Module) -> list[tuple[nn.Module, float]]:
        """The head in full, pretrained parts by a share."""
        assert isinstance(network, Pictured)
        return network.classifier.rates(self.config.pretrained)


def last_layer(network: nn.Module) -> str:
    """The name of its last linear layer."""
    return [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
