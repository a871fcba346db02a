"""Images that are in memory already, or that a torch data set gives one by one.

N images · H rows · W columns
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import IterableDataset

from foretell.data.dataset import Images
from foretell.data.items import Unusable
from foretell.errors import ForetellError

from .decode import decode

_EXPECTED = "expected images [N, 3, H, W] or [N, H, W, 3], uint8 in 0..255 or floats in [0, 1]"


def of(data: Any, labels: Any = None, *, classes: Sequence[str] | None = None, size: int | None = None) -> Images:
    """Images of an array or of a torch data set, all in memory: 3·H·W bytes each.

    Args:
        data: an array or a tensor [N, 3, H, W] or [N, H, W, 3], uint8 in 0..255 or floats in [0, 1]. Or a torch
            `Dataset` (anything with a length and numbered items) of images, or of pairs of an image and its label.
            There an image is such an array without N, or a Pillow image.
        labels: a class for each image: whole numbers from 0, or names. None takes a data set's own labels.
        classes: names of the classes; None takes those of the data set (`classes`), or the numbers.
        size: resize the shorter side to it and keep the centre square, as for files. None keeps the images unchanged:
            they must be square and of one size.

    Returns:
        The result equals that of `foretell.data.load` for the same pixels, labels and classes, with the same
        fingerprint.

    Raises:
        ForetellError: no image; another type, shape or range; images of several sizes; labels that are none.
    """
    if isinstance(data, np.ndarray | Tensor):
        pixels = _pixels(data, "images")
        pixels = pixels if size is None else np.stack([_resized(each, size, n) for n, each in enumerate(pixels)])
    else:
        pixels, own = _gathered(data, size)
        labels = own if labels is None else labels
        classes = classes or getattr(data, "classes", None)
    if not len(pixels):
        raise ForetellError(f"images: found none; {_EXPECTED}.")
    if pixels.shape[2] != pixels.shape[3]:
        H, W = pixels.shape[2:]
        raise ForetellError(f"images: found {H} × {W} pixels; expected squares: give a size, and the centre is kept.")
    pixels = np.ascontiguousarray(pixels)
    known, names = (None, ()) if labels is None else _labels(labels, len(pixels), classes)
    return Images(pixels, known, names, (), _fingerprint(pixels, known, names))


def _pixels(data: np.ndarray | Tensor, what: str) -> np.ndarray:
    """uint8 [N, 3, H, W] of an array of either layout and of either type."""
    array = data.detach().cpu().numpy() if isinstance(data, Tensor) else data
    found = f"{array.dtype} {list(array.shape)}"
    if array.ndim != 4 or 3 not in (array.shape[1], array.shape[3]):
        raise ForetellError(f"{what}: found {found}; {_EXPECTED}.")
    array = array if array.shape[1] == 3 else array.transpose(0, 3, 1, 2)
    if array.dtype.kind == "f":
        if array.size and not (array.min() >= 0 and array.max() <= 1):  # false of NaN too
            raise ForetellError(f"{what}: found floats from {array.min():g} to {array.max():g}; {_EXPECTED}.")
        array = np.rint(array.astype(np.float32) * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ForetellError(f"{what}: found {found}; {_EXPECTED}.")
    return array


def _gathered(data: Any, size: int | None) -> tuple[np.ndarray, list[Any] | None]:
    """The images of a data set, and its labels where every item is a pair."""
    if isinstance(data, IterableDataset) or not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        kind = type(data).__name__
        raise ForetellError(f"images: found {kind}; expected an array, or a data set with a length and numbered items.")
    images: list[np.ndarray] = []
    labels: list[Any] = []
    for number in range(len(data)):
        item = data[number]
        if isinstance(item, Sequence) and not isinstance(item, str):
            labels.append(item[1] if len(item) > 1 else None)
            item = item[0]
        images.append(_image(item, size, number))
        if images[-1].shape != images[0].shape:
            sizes = " and ".join(f"{image.shape[1]} × {image.shape[2]}" for image in (images[0], images[-1]))
            raise ForetellError(f"image {number}: found {sizes} pixels; expected one size: give one as `size`.")
    known = len(labels) == len(images) and all(_is_label(label) for label in labels)
    return np.stack(images) if images else np.empty((0, 3, 1, 1), np.uint8), labels if known else None


def _image(item: Any, size: int | None, number: int) -> np.ndarray:
    if isinstance(item, Image.Image):
        return _resized(item, size, number) if size else np.asarray(item.convert("RGB")).transpose(2, 0, 1)
    if not isinstance(item, np.ndarray | Tensor):
        raise ForetellError(
            f"image {number}: found {type(item).__name__}; expected an array, a tensor or a Pillow image."
        )
    image = _pixels(item[None], f"image {number}")[0]
    return image if size is None else _resized(image, size, number)


def _resized(image: np.ndarray | Image.Image, size: int, number: int) -> np.ndarray:
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image.transpose(1, 2, 0))
    try:
        return decode(picture, size)
    except Unusable as error:
        raise ForetellError(f"image {number}: {error}") from None


def _is_label(value: Any) -> bool:
    """Whether it is a whole number or a name. A box, a caption or a mask is no label."""
    value = value.item() if isinstance(value, Tensor | np.generic) and value.ndim == 0 else value
    return isinstance(value, int | str) and not isinstance(value, bool)


def _labels(labels: Any, count: int, classes: Sequence[str] | None) -> tuple[Tensor, tuple[str, ...]]:
    """int64 [N] and the names of the classes."""
    values = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else [_plain(label) for label in labels]
    if len(values) != count:
        raise ForetellError(f"labels: found {len(values)} for {count} images; expected one for each.")
    if all(isinstance(value, str) for value in values):
        names = tuple(map(str, classes)) if classes else tuple(sorted(set(values)))
        if foreign := sorted(set(values) - set(names)):
            raise ForetellError(f"labels: found {foreign[0]!r}; expected one of the classes {', '.join(names)}.")
        return torch.tensor([names.index(value) for value in values]), names
    if bad := [value for value in values if not _is_label(value) or isinstance(value, str) or value < 0]:
        raise ForetellError(f"labels: found {bad[0]!r}; expected whole numbers from 0, or names.")
    names = tuple(map(str, classes or range(max(values) + 1)))
    if max(values) >= len(names):
        raise ForetellError(f"labels: found {max(values)}; expected less than {len(names)}, the number of classes.")
    return torch.tensor(values, dtype=torch.int64), names


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor | np.generic) and value.ndim == 0 else value


def _fingerprint(pixels: np.ndarray, labels: Tensor | None, classes: tuple[str, ...]) -> str:
    """As in a cache (see `foretell.data.cache`): the same data has the same fingerprint, from every source."""
    digest = hashlib.sha256(pixels.data)
    if labels is not None:
        digest.update(labels.numpy().data)
    digest.update(json.dumps([pixels.shape[1:], len(pixels), classes]).encode())
    return digest.hexdigest()[:32]
