"""The door of a model: files, Pillow images and arrays become the tensor that it takes.

B images · T frames · H rows · W columns · S pixels a side of the model's images
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from foretell.augment import check_pixels, to_float
from foretell.errors import ForetellError, Range, check_range

EXPECTED = "the path of a file, a Pillow image, an array or a tensor, or a list of these"


def preprocess(images: Any, model: nn.Module | int) -> Float[Tensor, "B 3 ..."]:
    """Make what a model takes: pixels in [0, 1], at the model's size, on its device, not standardised.

    The shorter side is resized and the centre square is kept, as for data to train on. Floats that have the model's
    size already are not changed.

    Args:
        images: one or more of these. The path of an image file. A Pillow image. An array or a tensor [H, W],
            [H, W, 3] or [3, H, W], or several of one size with an axis B in front: uint8 in 0..255, or floats in
            [0, 1]. For a model of clips: the path of a video, whose first clip is taken, or an array [T, H, W, 3] or
            [3, T, H, W].
        model: a model, a classifier, or S.

    Returns:
        [B, 3, S, S], or clips [B, 3, T, S, S]; B is 1 for a single one.

    Raises:
        ForetellError: a file is missing or no picture, an array has another type, shape or range, or there is none.
    """
    size, device = _size(model)
    config = getattr(getattr(model, "config", None), "encoder", None)
    clips = hasattr(config, "tubelet")
    several = list(images) if isinstance(images, Sequence) and not isinstance(images, str) else [images]
    if not several:
        raise ForetellError("images is an empty list, expected one or more")
    made = [_clips(each, model, size) if clips else _images(each, size) for each in several]
    if len({each.shape[1:] for each in made}) > 1:
        raise ForetellError(
            f"clips have {' and '.join(str(each.shape[2]) for each in made)} frames, expected one number"
        )
    found = torch.cat(made).to(device)
    if not len(found):
        raise ForetellError(f"images are {list(found.shape)}, expected one or more: the batch is empty")
    return found


def _size(model: Any) -> tuple[int, torch.device]:
    """S, and the device."""
    if isinstance(model, int):
        check_range("the size of images", model, Range(1, whole=True))
        return model, torch.device("cpu")
    for part in (getattr(model, "config", None), getattr(model, "encoder", None)):
        encoder = getattr(part, "encoder", None) or getattr(part, "config", None)
        if (size := getattr(encoder, "image_size", None)) is not None:
            return size, next(model.parameters()).device
    raise ForetellError(f"model is a {type(model).__name__}, expected one that takes pictures, or their size in pixels")


def _images(image: Any, size: int) -> Float[Tensor, "B 3 S S"]:
    """One image, or several in an array."""
    if not isinstance(image, np.ndarray | Tensor):
        return to_float(_square(image, size).unsqueeze(0))
    x = _channels(image, 4)
    if x.shape[2:] == (size, size):
        return to_float(x)
    return to_float(
        torch.stack([_square(_picture(each), size) for each in x]) if len(x) else x.new_empty(0, 3, size, size)
    )


def _clips(clip: Any, model: Any, size: int) -> Float[Tensor, "B 3 T S S"]:
    """One clip, or several in an array."""
    if isinstance(clip, str | Path):
        from foretell.data import load

        return to_float(load(clip, model.reads.apart(), progress=False).take([0]))
    if not isinstance(clip, np.ndarray | Tensor):
        raise ForetellError(f"a clip is a {type(clip).__name__}, expected the path of a video, an array or a tensor")
    x = _channels(clip, 5)
    frames = _images(x.transpose(1, 2).flatten(0, 1), size)
    return frames.unflatten(0, (len(x), x.shape[2])).transpose(1, 2)


def _channels(array: np.ndarray | Tensor, axes: int) -> Tensor:
    """An array of pixels with an axis for the batch and 3 channels after it, its values checked."""
    x = torch.from_numpy(np.ascontiguousarray(array)) if isinstance(array, np.ndarray) else array.detach()
    if x.ndim == 2 and axes == 4:
        x = x.expand(3, -1, -1)
    x = x.unsqueeze(0) if x.ndim == axes - 1 else x
    if x.ndim == axes and x.shape[1] != 3 and x.shape[-1] == 3:
        x = x.movedim(-1, 1)
    if x.ndim != axes or x.shape[1] != 3:
        last = "[T, H, W, 3] or [3, T, H, W]" if axes == 5 else "[H, W], [H, W, 3] or [3, H, W]"
        raise ForetellError(f"an array is {list(array.shape)}, expected {last}, or several with an axis in front")
    if x.dtype != torch.uint8:
        check_pixels(x)
    return x.float() if x.is_floating_point() else x


def _picture(pixels: Tensor) -> Image.Image:
    """uint8, or floats in [0, 1], as Pillow has them."""
    if pixels.is_floating_point():
        pixels = (pixels.clamp(0, 1) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def _square(image: Any, size: int) -> Tensor:
    """uint8 [3, S, S] of a file or a Pillow image."""
    from foretell.data.images.decode import decode
    from foretell.data.items import Unusable

    if not isinstance(image, str | Path | Image.Image):
        raise ForetellError(f"an image is a {type(image).__name__}, expected {EXPECTED}")
    name = "the image" if isinstance(image, Image.Image) else str(image)
    try:
        return torch.from_numpy(decode(image if isinstance(image, Image.Image) else Path(image), size).copy())
    except Unusable as reason:
        raise ForetellError(f"{name}: {reason}") from None
