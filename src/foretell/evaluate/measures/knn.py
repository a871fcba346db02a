"""Nearest neighbours: the classes of the training images whose features are nearest.

n images · D width
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from foretell.evaluate.measures.probe import Probe
from foretell.evaluate.subject import Subject


class NearestNeighbours(Probe):
    """The vote of the nearest training images."""

    name: ClassVar[str] = "knn"
    title: ClassVar[str] = "kNN"

    def right(
        self, subject: Subject, labels: Int[Tensor, " n"], asked: Int[Tensor, " m"]
    ) -> tuple[Bool[Tensor, " some"], Int[Tensor, " some"]]:
        """See `Probe.right`."""
        device = subject.device
        known, found = subject.learn.features.to(device), subject.ask.features.to(device)
        return knn(known, labels.to(device), found, asked.to(device)), asked


def knn(
    train_features: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test_features: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    k: int = 20,
    temperature: float = 0.07,
) -> Bool[Tensor, " m"]:
    """Whether each test image's nearest neighbours name its class (Wu et al. 2018, §3.4, as DINO evaluates).

    The k training images of highest cosine similarity s vote for their classes with weight exp(s /
    temperature). Equal votes go to the class of the lower number.

    Args:
        train_features: on any device; the others on the same.
        train_labels: in [0, classes).
        test_features: those of the images to classify.
        test_labels: their classes.
        k: neighbours; all training images if there are fewer.
        temperature: the smaller, the more the nearest counts.
    """
    train, test = F.normalize(train_features, dim=-1), F.normalize(test_features, dim=-1)
    classes = int(torch.cat([train_labels, test_labels]).max()) + 1
    k = min(k, len(train))
    rows = max(1, 2**25 // len(train))  # similarities in memory: 128 MiB
    correct = []
    for some, labels in zip(test.split(rows), test_labels.split(rows), strict=True):
        similarity, neighbour = (some @ train.T).topk(k, dim=1)
        # less the largest, which no vote feels, so that no exponential overflows
        weight = ((similarity - similarity[:, :1]) / temperature).exp()
        votes = weight.new_zeros(len(some), classes).scatter_add_(1, train_labels[neighbour], weight)
        correct.append(votes.argmax(1) == labels)
    return torch.cat(correct)
