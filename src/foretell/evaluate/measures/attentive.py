"""The attentive probe: it also finds in frozen patch latents what their mean hides.

n images · N patches · D width
"""

from __future__ import annotations

from math import gcd
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from foretell.capabilities import EncodesPatches, require
from foretell.evaluate.encode import Device
from foretell.evaluate.measures.probe import TRAINING, Probe, ProbeTraining, trained
from foretell.evaluate.subject import Subject
from foretell.nn.pooler import AttentiveClassifier


class AttentiveProbe(Probe):
    """A learned query that attends over patch latents."""

    name: ClassVar[str] = "attentive"
    title: ClassVar[str] = "attentive probe"
    needs: ClassVar[tuple[type, ...]] = (EncodesPatches,)

    def right(
        self, subject: Subject, labels: Int[Tensor, " n"], asked: Int[Tensor, " m"]
    ) -> tuple[Bool[Tensor, " some"], Int[Tensor, " some"]]:
        """See `Probe.right`."""
        encoder = require(subject.model, EncodesPatches, self.title).patch_encoder
        learn, ask = subject.learn, subject.ask
        right = attentive_probe(
            learn.latents,
            labels[learn.index],
            ask.latents,
            asked[ask.index],
            heads=gcd(encoder.config.heads, learn.latents.shape[-1]),
            seed=subject.seed,
            device=subject.device,
            progress=subject.bar("Training the attentive probe"),
        )
        return right, asked[ask.index]


def attentive_probe(
    train_latents: Float[Tensor, "n N D"],
    train_labels: Int[Tensor, " n"],
    test_latents: Float[Tensor, "m N D"],
    test_labels: Int[Tensor, " m"],
    *,
    heads: int,
    training: ProbeTraining = TRAINING,
    seed: int = 0,
    device: Device = None,
    progress: str | None = None,
) -> Bool[Tensor, " m"]:
    """Whether attentive pooling and a linear layer on frozen patch latents name each test image's class.

    V-JEPA's attentive probe (§4.2). The latents are computed once, so without the paper's augmentation.

    Args:
        train_latents: in any floating-point type.
        train_labels: in [0, classes).
        test_latents: those of the images to classify.
        test_labels: their classes.
        heads: the number of attention heads; divides D.
        training: for how long.
        seed: draws the first weights and the order.
        device: the device to compute on; None for that of the latents.
        progress: the name of the work on a progress bar; None for no bar.
    """
    device = train_latents.device if device is None else device
    width, classes = train_latents.shape[-1], int(torch.cat([train_labels, test_labels]).max()) + 1
    return trained(
        lambda: AttentiveClassifier(width, heads, classes),
        (train_latents, train_labels, test_latents, test_labels),
        training,
        seed,
        device,
        progress,
    )
