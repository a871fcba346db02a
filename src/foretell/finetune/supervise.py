"""Labels, and the test of a classifier: shared by finetuning on one data set and on several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.augment import to_float
from foretell.data import Images
from foretell.errors import ForetellError
from foretell.evaluate.intervals import accuracy_of
from foretell.inputs import preprocess


def labels_of(images: Images, name: str, classes: tuple[str, ...] | None = None) -> Int[Tensor, " n"]:
    """A data set's labels as places in `classes` (None: in its own). Errors call it `name`.

    Raises:
        ForetellError: it has no images, no labels, or a class that is not in `classes`.
    """
    if not len(images):
        raise ForetellError(f"{name} has no images")
    if images.labels is None:
        raise ForetellError(
            f"{name} has no labels of two classes or more: put the images of each into a folder of its name"
        )
    if classes is None or images.classes == classes:
        return images.labels
    foreign = [c for c in images.classes if c not in classes]
    if foreign:
        raise ForetellError(f"{name} has classes that were not trained: {', '.join(foreign[:4])}")
    return torch.tensor([classes.index(c) for c in images.classes])[images.labels]


def fitted(x: Float[Tensor, "B 3 H W"], size: int) -> Float[Tensor, "B 3 size size"]:
    """Images at the pixels a side that a classifier wants."""
    return x if x.shape[-2:] == (size, size) else F.interpolate(x, (size, size), mode="bilinear", antialias=True)


@torch.no_grad()
def accuracy(
    logits: Callable[[Tensor], Tensor],
    images: Images,
    labels: Int[Tensor, " n"],
    size: int,
    device: torch.device,
) -> dict[str, float]:
    """Share of images whose class is named first.

    Args:
        logits: those of images in [0, 1], at `size`.
        images: the test set; other sizes than `size` are resized.
        labels: its labels, as places among the logits.
        size: pixels a side that the classifier wants.
        device: the device for them.

    Returns:
        `value`, its 95 % interval `low` to `high` (Wilson), and `chance`, what naming the commonest class
        scores.
    """
    correct = 0
    for index in torch.arange(len(images)).split(256):
        x = fitted(to_float(images.take(index).to(device)), size)
        correct += int((logits(x).argmax(1).cpu() == labels[index]).sum())
    return accuracy_of(correct, labels)


@torch.no_grad()
def likeliest(
    classifier: nn.Module, images: Any, classes: tuple[str, ...], logits: Callable[[Tensor], Tensor]
) -> list[tuple[str, float]]:
    """The likeliest class of each image, and its probability.

    Args:
        classifier: decides the size of images and the device.
        images: anything that `foretell.preprocess` takes.
        classes: names of the classes.
        logits: those of images in [0, 1].

    Raises:
        ForetellError: as `foretell.preprocess`.
    """
    probability, place = logits(preprocess(images, classifier)).softmax(1).max(1)
    return [(classes[c], p) for c, p in zip(place.tolist(), probability.tolist(), strict=True)]
