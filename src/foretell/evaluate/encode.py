"""The outputs of frozen networks: features of all images, patch latents of some, several views of a few.

n images · N patches · D width
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

import torch
from jaxtyping import Float, Float16, Int
from torch import Tensor

from foretell.augment import to_float
from foretell.capabilities import EncodesPatches, require
from foretell.data import Pictures
from foretell.errors import ForetellError
from foretell.method import Method
from foretell.nn.vit import pool
from foretell.progress import watched

Device = torch.device | str | None


class Encoded(NamedTuple):
    """The outputs of an encoder, on the CPU."""

    features: Float[Tensor, "n D"]
    """Pooled, of every image."""
    latents: Float16[Tensor, "kept N D"]
    """Latents of the kept images. Half precision keeps three digits at half the memory."""
    index: Int[Tensor, " kept"]
    """The kept images, ascending."""


@contextmanager
def evaluating(model: Method, device: Device = None) -> Iterator[torch.device]:
    """A model in evaluation mode, on a device (None: where it is), without gradients; afterwards as it was.

    This is not inference mode: probes train on these outputs, and a model that was moved must be trainable again.
    """
    home = next(chain(model.parameters(), model.buffers())).device
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
    model: Method,
    images: Pictures,
    *,
    keep: int | None = None,
    batch: int = 128,
    device: Device = None,
    network: Callable[[Tensor], Tensor] | None = None,
    seed: int = 0,
    progress: str | None = None,
) -> Encoded:
    """Global features of all images and patch latents of some, in one pass where the features are the latents' mean.

    Args:
        model: a method that encodes patches; it encodes whole images, nothing masked.
        images: at a size the encoder takes.
        keep: the number of images whose latents are kept, drawn at random; None for all.
        batch: images at a time.
        device: the device to compute on; None for the model's.
        network: another network of the model, x -> [B, N, D], for its latents and their mean. None for the
            `patch_encoder` and the features of the model.
        seed: draws the images to keep.
        progress: the name of the work on a progress bar; None for no bar.

    Raises:
        ForetellError: no images, a model without patches, or latents that are not finite numbers.
    """
    n = len(images)
    if n == 0:
        raise ForetellError("there are no images to encode")
    pooled = network is not None
    network = network or require(model, EncodesPatches, "encoding patches").patch_encoder
    index = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:keep].sort().values
    features, latents = torch.empty(0), torch.empty(0, dtype=torch.float16)
    with evaluating(model, device) as device:
        for chunk in watched(torch.arange(n).split(batch), progress):
            x = to_float(images.take(chunk).to(device))
            z = finite(network(x).float())
            mean = pool(z)
            if chunk[0] == 0:
                # most methods' features are this mean: the first images tell whether to compute them apart
                whole = mean if pooled else model.features(x).float()
                pooled = whole.shape == mean.shape and torch.allclose(whole, mean, rtol=1e-2, atol=1e-2)
                features = torch.empty(n, whole.shape[1])
                latents = torch.empty(len(index), *z.shape[1:], dtype=torch.float16)
            features[chunk] = (mean if pooled else finite(model.features(x).float())).cpu()
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
        device: the device to compute on; None for the model's.
        progress: the name of the work on a progress bar; None for no bar.

    Raises:
        ForetellError: no images, or features that are not finite numbers.
    """
    if not len(images):
        raise ForetellError("there are no images to encode")
    made = []
    with evaluating(model, device) as device:
        for chunk in watched(torch.arange(len(images)).split(batch), progress):
            z = model.features(to_float(images.take(chunk).to(device))).float()
            made.append(finite(z).cpu())
    return torch.cat(made)


def latents(model: Method, images: Pictures, *, batch: int = 128, device: Device = None) -> Float16[Tensor, "n N D"]:
    """Each image's patch latents, on the CPU: 2·N·D bytes an image. Arguments and errors as of `encode`."""
    return encode(model, images, batch=batch, device=device).latents


def finite(z: Tensor) -> Tensor:
    """z, where all of it is finite. Raises ForetellError otherwise: a training diverged."""
    if z.isfinite().all():
        return z
    raise ForetellError(
        "the encoder gives latents that are not finite numbers: its training diverged, take an earlier checkpoint"
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

    The views are those of the method's own training (LiDAR §4.2), see `Method.augmented`. They are random crops for
    I-JEPA, with jittered colours for IWM, and one of the two views for a joint-embedding method. They are encoded
    whole, as in any use of the features.

    Args:
        model: any method.
        images: the objects are drawn from these, at most all of them.
        objects: their number. The rank is below it, so it should be well above the width.
        views: the number of views of each object, 2 or more.
        batch: images at a time; it changes which views are drawn.
        device: the device to compute on; None for the model's.
        seed: draws objects and views.
        progress: the name of the work on a progress bar; None for no bar.
    """
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:objects]
    made = []
    with evaluating(model, device) as device:
        generator = torch.Generator().manual_seed(seed)
        for chunk in watched(chosen.split(batch), progress):
            some = images.batch(chunk).to(device)
            several = (model.augmented(some, generator) for _ in range(views))
            made.append(torch.stack([model.features(x).float().cpu() for x in several], 1))
    return torch.cat(made)
