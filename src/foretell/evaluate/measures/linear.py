"""The linear probe: the classes that straight boundaries tell apart in frozen features.

n images · D width
"""

from __future__ import annotations

from math import ceil
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from foretell.evaluate.encode import Device
from foretell.evaluate.measures.probe import Probe, standardised
from foretell.evaluate.subject import Subject


class LinearProbe(Probe):
    """Logistic regression on features."""

    name: ClassVar[str] = "linear"
    title: ClassVar[str] = "linear probe"

    def right(
        self, subject: Subject, labels: Int[Tensor, " n"], asked: Int[Tensor, " m"]
    ) -> tuple[Bool[Tensor, " some"], Int[Tensor, " some"]]:
        """See `Probe.right`."""
        known, found = subject.learn.features, subject.ask.features
        return linear_probe(known, labels, found, asked, seed=subject.seed, device=subject.device), asked


WEIGHT_DECAYS = (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)


def linear_probe(
    train_features: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test_features: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    *,
    seed: int = 0,
    device: Device = None,
) -> Bool[Tensor, " m"]:
    """Whether a linear classifier on the frozen features names each test image's class.

    Multinomial logistic regression on features standardised by the training set's mean and deviation. L-BFGS minimises
    it in at most 200 iterations. It is convex, so the result does not depend on a learning rate or on luck. The weight
    decay is the one of `WEIGHT_DECAYS` that is most accurate on a held-out tenth of the training set; of equals, the
    strongest. Then the probe is trained on all of the set. CLIP is evaluated this way (Radford et al. 2021, §A.3);
    I-JEPA trains 50 epochs by LARS instead.

    Args:
        train_features: two images or more.
        train_labels: in [0, classes).
        test_features: those of the images to classify.
        test_labels: their classes.
        seed: draws the held-out tenth.
        device: the device to compute on; None for that of the features.
    """
    device = train_features.device if device is None else device
    x, x_test = (z.to(device) for z in standardised(train_features, test_features))
    y = train_labels.to(device)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).to(device)
    held, rest = order.split([ceil(len(x) / 10), len(x) - ceil(len(x) / 10)])

    classes = int(torch.cat([train_labels, test_labels]).max()) + 1
    weight = x.new_zeros(x.shape[1] + 1, classes)
    best, chosen, start = -1, WEIGHT_DECAYS[0], weight
    for decay in WEIGHT_DECAYS:  # from strong to weak: each answer is a good start for the next
        weight = _logistic(x[rest], y[rest], decay, weight)
        right = int((_logits(x[held], weight).argmax(1) == y[held]).sum())
        if right > best:
            best, chosen, start = right, decay, weight
    weight = _logistic(x, y, chosen, start)
    return _logits(x_test, weight).argmax(1).to(test_labels.device) == test_labels


def _logits(x: Float[Tensor, "n D"], weight: Float[Tensor, "D_1 classes"]) -> Float[Tensor, "n classes"]:
    return torch.addmm(weight[-1], x, weight[:-1])


def _logistic(
    x: Float[Tensor, "n D"], y: Int[Tensor, " n"], decay: float, start: Float[Tensor, "D_1 classes"]
) -> Float[Tensor, "D_1 classes"]:
    """argmin of the mean cross-entropy + ½·decay·‖W‖², the bias in the last row of W not decayed."""
    weight = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weight], max_iter=200, tolerance_grad=1e-5, tolerance_change=1e-8, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(_logits(x, weight), y) + 0.5 * decay * weight[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weight.detach()
