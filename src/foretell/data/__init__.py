"""Photographs from folders, parquet files, torchvision and scikit-image, decoded once into a cached array.

    images = load("path/to/photos", size=64)
    train, test = train_test("photographs", size=32)
    batch = train.take([0, 1, 2])            # uint8 [3, 3, 32, 32]

Read on in this order: images, source, then a kind of source (folder, parquet, torchvision_sets, photographs),
decode, cache.
"""

import os
from pathlib import Path

import torch

from foretell.errors import ForetellError

from . import cache, folder, parquet, photographs, torchvision_sets
from .images import Images, Skipped
from .source import Splits, file_at, files_below

__all__ = ["Images", "Skipped", "load", "train_test"]

_EXPECTED = (
    "expected a folder of images, a parquet file or a folder of them, torchvision:NAME:ROOT, or photographs "
    "for the bundled ones"
)


def load(
    spec: str | Path,
    size: int,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Images:
    """One split of a data set, decoded to `size` × `size`: the shorter side resized, the centre kept.

    spec: a folder of images (class folders, and `train/` with `test/` or `val/` above them, are recognised),
        a Hugging Face parquet file or a folder of them, `torchvision:NAME:ROOT` for a data set of torchvision
        that is on disk, or `photographs` for crops of bundled ones.
    split: None or "train": the train split where the data names its splits, else everything; "test": the test
        split, or the validation split where there is no other.
    seed: draws the crops of `photographs`; other sources are read as they are.
    cache_dir: keeps the decoded pixels, 3·size² bytes an image; $FORETELL_CACHE or ~/.cache/foretell if None.
    progress: a bar on standard error while decoding, one line if that is no terminal.

    Images that cannot be decoded are left out and listed in `skipped`. A second call takes no longer than
    looking at the files' names, sizes and times.

    Raises ForetellError: nothing at `spec`, or not of these kinds; no usable image; no such split; no room
    for the cache.
    """
    if split not in (None, "train", "test"):
        raise ForetellError(f"split: found {split!r}; expected 'train' or 'test'.")
    splits = _find(spec, size, seed)
    if split == "test" and "test" not in splits:
        raise ForetellError(
            f"{spec}: names no test split; expected test or valid beside train in the names of its folders "
            "or files; train_test divides any data."
        )
    source = splits["test"] if split == "test" else splits.get("train") or splits["all"]
    return cache.cached(source, size, _cache_folder(cache_dir), progress)


def train_test(
    spec: str | Path, size: int, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Images, Images]:
    """The data to learn from and the data to test on; arguments and errors as of `load`.

    The named splits where there are two (train with test, else train with valid). Otherwise every fifth image
    is for testing, of each class where there are labels; `seed` draws which. At least two images are needed.
    """
    splits = _find(spec, size, seed)
    train, *test = [
        cache.cached(splits[split], size, _cache_folder(cache_dir), progress)
        for split in ("train", "all", "test")
        if split in splits
    ]
    if test:
        return train, test[0]
    if len(train) < 2:
        raise ForetellError(f"{spec}: found one usable image; expected two or more, to train and to test.")
    held_out = _held_out(train, seed)
    return train.subset(~held_out), train.subset(held_out)


def _held_out(images: Images, seed: int) -> torch.Tensor:
    """A mask [N], true for every fifth image in an order shuffled by `seed` and sorted by class."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    if images.labels is not None:
        order = order[images.labels[order].argsort(stable=True)]
    mask = torch.zeros(len(images), dtype=torch.bool)
    mask[order[min(2, len(images) - 1) :: 5]] = True
    return mask


def _find(spec: str | Path, size: int, seed: int) -> Splits:
    if not isinstance(size, int) or size < 1:
        raise ForetellError(f"size: found {size!r}; expected a whole number of pixels, 1 or more.")
    if spec == "photographs":
        return photographs.find(seed)
    if str(spec).startswith("torchvision:"):
        return torchvision_sets.find(str(spec))
    root = Path(os.path.realpath(os.path.expanduser(spec)))
    if str(spec) and os.path.isdir(root):
        files = files_below(root)
        tables = [file for file in files if file.path.lower().endswith(".parquet")]
        # Images beside parquet files are those of a README; a table beside images fails loudly in `parquet`.
        return parquet.find(root, tables) if tables else folder.find(root, files)
    if root.suffix.lower() == ".parquet" and os.path.isfile(root):
        return parquet.find(root, [file_at(root)])
    found = "neither a folder nor a parquet file" if str(spec) and os.path.exists(root) else "not found"
    raise ForetellError(f"{str(spec)!r}: {found}; {_EXPECTED}.")


def _cache_folder(folder: Path | None) -> Path:
    return Path(folder).expanduser() if folder else cache.default_folder()
