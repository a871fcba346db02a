"""What is in the frozen latents? Nearest neighbours, a linear probe, one of two layers, an attentive one.

Each probe says for every test image whether it was right, so that an interval can be made of it.

n images · N patches · D width
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Float16, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.augment import to_float
from foretell.data import Pictures
from foretell.errors import ForetellError
from foretell.jepa import JEPA
from foretell.method import Method, seeded
from foretell.nn.pooler import AttentiveClassifier
from foretell.nn.vit import pool
from foretell.progress import watched
from foretell.train.fit import fit

Device = torch.device | str | None
Encoder = Literal["target", "context"]


@dataclass(frozen=True)
class ProbeTraining:
    """How long a probe with weights to find by gradient steps is trained.

    V-JEPA's 20 epochs (§4.2), AdamW at 1e-3, weight decay 0.01, half a cosine; differs from it in a warm-up of a
    twentieth and in bounds, so that a probe of few images learns and one of many ends.
    """

    epochs: int = 20
    fewest: int = 200
    """Optimiser steps at least."""
    most: int = 400
    """And at most."""
    batch: int = 256

    def steps(self, images: int) -> int:
        """Optimiser steps for so many images."""
        return min(max(self.epochs * images // self.batch, self.fewest), self.most)


class Encoded(NamedTuple):
    """What an encoder makes of images, on the CPU."""

    features: Float[Tensor, "n D"]
    """Pooled, of every image."""
    latents: Float16[Tensor, "kept N D"]
    """Of the images kept: half precision keeps three digits at half the memory."""
    index: Int[Tensor, " kept"]
    """Which images were kept, ascending."""


@contextmanager
def evaluating(model: Method, device: Device = None) -> Iterator[torch.device]:
    """A model in evaluation mode, on a device (None: where it is), without gradients; afterwards as it was.

    Not in inference mode: what is computed here trains probes, and a model that was moved must train again.
    """
    home = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    device = home if device is None else torch.device(device)
    try:
        model.to(device).eval()
        with torch.no_grad():
            yield device
    finally:
        model.to(home)
        for module, mode in modes:
            module.training = mode


def encode(
    model: JEPA,
    images: Pictures,
    *,
    keep: int | None = None,
    batch: int = 128,
    device: Device = None,
    encoder: Encoder = "target",
    seed: int = 0,
    progress: str | None = None,
) -> Encoded:
    """Pooled features of all images and patch latents of some, in one pass.

    Args:
        model: any JEPA; encodes whole images, nothing masked.
        images: at a size the encoder takes.
        keep: how many images' latents to keep, drawn at random; None for all.
        batch: images at a time.
        device: where to compute; None for where the model is.
        encoder: I-JEPA evaluates the target encoder (§4).
        seed: draws the images to keep.
        progress: what to call the work on a progress bar; None for no bar.

    Raises:
        ForetellError: no images, or latents that are not finite numbers.
    """
    n = len(images)
    if n == 0:
        raise ForetellError("there are no images to encode")
    index = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:keep].sort().values
    features, latents = torch.empty(0), torch.empty(0, dtype=torch.float16)
    with evaluating(model, device) as device:
        network = model.target_encoder if encoder == "target" else model.context_encoder
        chunks = torch.arange(n).split(batch)
        for chunk in watched(chunks, progress):
            z = _finite(network(to_float(images.take(chunk).to(device))).float(), f"the {encoder} encoder")
            if chunk[0] == 0:
                features = torch.empty(n, z.shape[-1])
                latents = torch.empty(len(index), *z.shape[1:], dtype=torch.float16)
            features[chunk] = pool(z).cpu()
            first, last = torch.searchsorted(index, torch.tensor([chunk[0], chunk[-1] + 1])).tolist()
            latents[first:last] = z[(index[first:last] - chunk[0]).to(z.device)].half().cpu()
    return Encoded(features, latents, index)


def features(
    model: Method, images: Pictures, *, batch: int = 128, device: Device = None, progress: str | None = None
) -> Float[Tensor, "n D"]:
    """The global embedding of each image, on the CPU; of a JEPA the mean over patches of the target encoder's latents.

    Args:
        model: any method.
        images: at a size the encoder takes.
        batch: images at a time.
        device: where to compute; None for where the model is.
        progress: what to call the work on a progress bar; None for no bar.

    Raises:
        ForetellError: no images, or features that are not finite numbers.
    """
    if not len(images):
        raise ForetellError("there are no images to encode")
    made = []
    with evaluating(model, device) as device:
        for chunk in watched(torch.arange(len(images)).split(batch), progress):
            z = model.features(to_float(images.take(chunk).to(device))).float()
            made.append(_finite(z, "the encoder").cpu())
    return torch.cat(made)


def latents(
    model: JEPA, images: Pictures, *, batch: int = 128, device: Device = None, encoder: Encoder = "target"
) -> Float16[Tensor, "n N D"]:
    """Each image's patch latents, on the CPU: 2·N·D bytes an image. Arguments and errors as of `encode`."""
    return encode(model, images, batch=batch, device=device, encoder=encoder).latents


def _finite(z: Tensor, encoder: str) -> Tensor:
    if z.isfinite().all():
        return z
    raise ForetellError(
        f"{encoder} gives latents that are not finite numbers: its training diverged, take an earlier checkpoint"
    )


def augmented(
    model: Method,
    images: Pictures,
    *,
    objects: int = 512,
    views: int = 8,
    batch: int = 128,
    device: Device = None,
    seed: int = 0,
    progress: str | None = None,
) -> Float[Tensor, "objects views D"]:
    """Pooled features of several views of some images, as `lidar` wants them.

    The views are the targets that the method itself trains on (LiDAR §4.2): random crops for I-JEPA, with
    their colours jittered for IWM, one of the two views for a joint-embedding method. They are encoded
    whole, as they are when the features are used.

    Args:
        model: any method.
        images: where the objects are drawn from, at most all of them.
        objects: how many; the rank is below this number, so it should be well above the width.
        views: of each, 2 or more.
        batch: images at a time; it changes which views are drawn.
        device: where to compute; None for where the model is.
        seed: draws objects and views.
        progress: what to call the work on a progress bar; None for no bar.
    """
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:objects]
    made = []
    with evaluating(model, device) as device:
        generator = torch.Generator(device).manual_seed(seed)
        for chunk in watched(chosen.split(batch), progress):
            some = images.batch(chunk).to(device)
            targets = (model.views(some, generator).target for _ in range(views))
            made.append(torch.stack([model.features(y).float().cpu() for y in targets], 1))
    return torch.cat(made)


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
        test_features: of the images to classify.
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

    Multinomial logistic regression on features standardised by the training set's mean and deviation,
    minimised by L-BFGS, at most 200 iterations: convex, so the answer does not hang on a learning rate or on
    luck. The weight decay is the one of `WEIGHT_DECAYS` that is most accurate on a held-out tenth of the
    training set, the strongest of equals; then all of it is used. CLIP is evaluated this way (Radford et al.
    2021, §A.3); I-JEPA trains 50 epochs by LARS instead.

    Args:
        train_features: two images or more.
        train_labels: in [0, classes).
        test_features: of the images to classify.
        test_labels: their classes.
        seed: draws the held-out tenth.
        device: where to compute; None for where the features are.
    """
    device = train_features.device if device is None else device
    x, x_test = (z.to(device) for z in _standardised(train_features, test_features))
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


def _standardised(
    train: Float[Tensor, "n D"], test: Float[Tensor, "m D"]
) -> tuple[Float[Tensor, "n D"], Float[Tensor, "m D"]]:
    """Less the training set's mean, over its deviation."""
    mean, deviation = train.mean(0), train.std(0, correction=0).clamp_min(1e-6)
    return ((train - mean) / deviation).float(), ((test - mean) / deviation).float()


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


def attentive_probe(
    train_latents: Float[Tensor, "n N D"],
    train_labels: Int[Tensor, " n"],
    test_latents: Float[Tensor, "m N D"],
    test_labels: Int[Tensor, " m"],
    *,
    heads: int,
    training: ProbeTraining = ProbeTraining(),
    seed: int = 0,
    device: Device = None,
    progress: str | None = None,
) -> Bool[Tensor, " m"]:
    """Whether attentive pooling and a linear layer on frozen patch latents name each test image's class.

    V-JEPA's attentive probe (§4.2). The latents are computed once, so without the paper's augmentation.

    Args:
        train_latents: of any floating-point type.
        train_labels: in [0, classes).
        test_latents: of the images to classify.
        test_labels: their classes.
        heads: of the attention; divides D.
        training: for how long.
        seed: draws the first weights and the order.
        device: where to compute; None for where the latents are.
        progress: what to call the work on a progress bar; None for no bar.
    """
    device = train_latents.device if device is None else device
    width, classes = train_latents.shape[-1], int(torch.cat([train_labels, test_labels]).max()) + 1
    return _trained(
        lambda: AttentiveClassifier(width, heads, classes),
        (train_latents, train_labels, test_latents, test_labels),
        training,
        seed,
        device,
        progress,
    )


def mlp_probe(
    train_features: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test_features: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    *,
    width: int = 512,
    training: ProbeTraining = ProbeTraining(),
    seed: int = 0,
    device: Device = None,
    progress: str | None = None,
) -> Bool[Tensor, " m"]:
    """Whether a network of two layers on the frozen features names each test image's class.

    What it gains on `linear_probe` is in the features but not laid out in straight lines: the linear–nonlinear gap of
    Expand or Narrow (arXiv:2304.05369). Features are standardised, the hidden layer is rectified, and it is trained as
    `attentive_probe` is.

    Args:
        train_features: two images or more.
        train_labels: in [0, classes).
        test_features: of the images to classify.
        test_labels: their classes.
        width: of the hidden layer.
        training: for how long.
        seed: draws the first weights and the order.
        device: where to compute; None for where the features are.
        progress: what to call the work on a progress bar; None for no bar.
    """
    device = train_features.device if device is None else device
    D, classes = train_features.shape[-1], int(torch.cat([train_labels, test_labels]).max()) + 1
    x, x_test = _standardised(train_features, test_features)
    return _trained(
        lambda: nn.Sequential(nn.Linear(D, width), nn.ReLU(), nn.Linear(width, classes)),
        (x, train_labels, x_test, test_labels),
        training,
        seed,
        device,
        progress,
    )


def _trained(
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
