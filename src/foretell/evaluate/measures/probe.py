"""The common parts of probes: they standardise features, train a classifier, and say where it is right.

Each probe says for every test image whether it was right, so that an interval can be made of it.

n images · N patches · D width
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.evaluate.intervals import accuracy_of
from foretell.evaluate.measure import Line, Measure, Result
from foretell.evaluate.subject import Subject
from foretell.method import seeded
from foretell.train.fit import fit


@dataclass(frozen=True)
class ProbeTraining:
    """The training of a probe whose weights are found by gradient steps.

    As V-JEPA's (§4.2): 20 epochs, AdamW at 1e-3, weight decay 0.01, half a cosine. It differs in a warm-up of a
    twentieth and in bounds, so that a probe of few images learns and a probe of many ends.
    """

    epochs: int = 20
    fewest: int = 200
    """Optimiser steps at least."""
    most: int = 400
    """And at most."""
    batch: int = 256

    def steps(self, images: int) -> int:
        """The optimiser steps for a number of images."""
        return min(max(self.epochs * images // self.batch, self.fewest), self.most)


TRAINING = ProbeTraining()


class Probe(Measure):
    """A classifier of frozen latents. Its numbers are an accuracy in [0, 1], see `foretell.evaluate.intervals`."""

    section: ClassVar[str] = "probes"
    labels: ClassVar[bool] = True

    @abstractmethod
    def right(
        self, subject: Subject, labels: Int[Tensor, " n"], asked: Int[Tensor, " m"]
    ) -> tuple[Bool[Tensor, " some"], Int[Tensor, " some"]]:
        """For each test image whether the classifier is right, and the labels of these images.

        Args:
            subject: the model and data to measure.
            labels: those of the training images.
            asked: those of the test images.
        """

    def run(self, subject: Subject) -> Result:
        """Train the classifier and test it."""
        assert subject.labels is not None, "a probe needs labels"
        right, asked = self.right(subject, *subject.labels)
        return Result(accuracy_of(int(right.sum()), asked), right.cpu())

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """The accuracy."""
        return [Line(self.title, numbers)]


def standardised(
    train: Float[Tensor, "n D"], test: Float[Tensor, "m D"]
) -> tuple[Float[Tensor, "n D"], Float[Tensor, "m D"]]:
    """Less the training set's mean, over its deviation."""
    mean, deviation = train.mean(0), train.std(0, correction=0).clamp_min(1e-6)
    return ((train - mean) / deviation).float(), ((test - mean) / deviation).float()


def trained(
    build: Callable[[], nn.Module],
    data: tuple[Tensor, Tensor, Tensor, Tensor],
    training: ProbeTraining,
    seed: int,
    device: torch.device | str,
    progress: str | None,
) -> Bool[Tensor, " m"]:
    """Train a classifier with AdamW and say where it is right; arguments as of `attentive_probe`."""
    train, train_labels, test, test_labels = data
    with seeded(seed):
        classifier = build().to(device)

    def logits(some: Tensor) -> Tensor:
        return classifier(some.to(device).float())

    def loss(index: Tensor) -> Tensor:
        return F.cross_entropy(logits(train[index]), train_labels[index].to(device))

    steps, batch = training.steps(len(train)), training.batch
    fit(loss, [(classifier, 1.0)], len(train), steps=steps, batch=batch, lr=1e-3, seed=seed, progress=progress)
    with torch.no_grad():
        named = torch.cat([logits(some).argmax(1) for some in test.split(batch)])
    return named.to(test_labels.device) == test_labels
