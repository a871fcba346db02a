"""The probe of two layers: it also finds in frozen features what no straight boundary shows.

n images · D width
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from foretell.evaluate.encode import Device
from foretell.evaluate.measures.probe import TRAINING, Probe, ProbeTraining, standardised, trained
from foretell.evaluate.subject import Subject


class MLPProbe(Probe):
    """A network of two layers on features."""

    name: ClassVar[str] = "mlp"
    title: ClassVar[str] = "two-layer probe"

    def right(
        self, subject: Subject, labels: Int[Tensor, " n"], asked: Int[Tensor, " m"]
    ) -> tuple[Bool[Tensor, " some"], Int[Tensor, " some"]]:
        """See `Probe.right`."""
        known, found = subject.learn.features, subject.ask.features
        return mlp_probe(known, labels, found, asked, seed=subject.seed, device=subject.device), asked


def mlp_probe(
    train_features: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test_features: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    *,
    width: int = 512,
    training: ProbeTraining = TRAINING,
    seed: int = 0,
    device: Device = None,
    progress: str | None = None,
) -> Bool[Tensor, " m"]:
    """Whether a network of two layers on the frozen features names each test image's class.

    Its gain over `linear_probe` is information in the features that is not linear: the linear–nonlinear gap of Expand
    or Narrow (arXiv:2304.05369). Features are standardised, the hidden layer is rectified, and it is trained as
    `attentive_probe` is.

    Args:
        train_features: two images or more.
        train_labels: in [0, classes).
        test_features: those of the images to classify.
        test_labels: their classes.
        width: that of the hidden layer.
        training: for how long.
        seed: draws the first weights and the order.
        device: the device to compute on; None for that of the features.
        progress: the name of the work on a progress bar; None for no bar.
    """
    device = train_features.device if device is None else device
    D, classes = train_features.shape[-1], int(torch.cat([train_labels, test_labels]).max()) + 1
    x, x_test = standardised(train_features, test_features)
    return trained(
        lambda: nn.Sequential(nn.Linear(D, width), nn.ReLU(), nn.Linear(width, classes)),
        (x, train_labels, x_test, test_labels),
        training,
        seed,
        device,
        progress,
    )
