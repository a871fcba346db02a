"""Load a data set from a place."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, overload

import torch

from foretell.errors import ForetellError, ForetellWarning

from . import cache
from .apart import checked
from .dataset import Captioned, Columns, Episodes, Images, K, joined
from .reads import Captions, EpisodeClips, Photographs, Reads

Specs: TypeAlias = str | Path | Sequence[str | Path]
"""Where data lies: one place, or several that make one set."""


@overload
def load(
    spec: Specs,
    reads: int,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Images: ...
@overload
def load(
    spec: Specs,
    reads: Captions,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Captioned: ...
@overload
def load(
    spec: Specs,
    reads: EpisodeClips,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Episodes: ...
@overload
def load(
    spec: Specs,
    reads: Reads[K],
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> K: ...
def load(
    spec: Specs,
    reads: int | Reads[Any],
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Any:
    """One split of a data set, decoded.

    spec: the place of the data. Several places are one set, one behind the other; a place that comes twice counts
        twice. The data read there depends on `reads`:
        - `Photographs` (a whole number means photographs of that size): a folder of images (class folders, and `train/`
          with `test/` or `val/` above them, are recognised; a few pictures beside the class folders are left out, see
          `foretell.data.folder`), a Hugging Face parquet file or a folder of them, `torchvision:NAME:ROOT` for a data
          set of torchvision that is on disk, `photographs` for crops of bundled ones, `captions:N` for scenes that are
          made here (see `foretell.data.made.captioned`), or `backgrounds:N` for animals before grounds (see
          `foretell.data.made.backgrounds`).
        - `GroupedPhotographs`: these with groups, and the layouts of `foretell.data.images.layouts`.
        - `Captions`: images with captions from files (see `foretell.data.captions`), or `captions:N`.
        - `Clips`: a folder of videos (class folders and splits as for images), a list of them (.csv, .tsv or .txt, a
          path and perhaps a label a line), one video file, `scenes` for clips made here (`scenes:20000` for so many),
          or `pusher` for the clips of its episodes. Clips that are made here have the length of a clip. Among several
          places it keeps its own pace, and `fps` and `stride` are for the files.
        - `EpisodeClips`: a folder of videos, each with a table of its name (see `foretell.data.video.episodes`), or
          `pusher` for a world made here (`pusher:20000`, see `foretell.data.made.pusher`). Several places need the same
          columns.
        - `Vectors`: an .npz, .parquet or .csv file, see `foretell.data.table`. `colormnist:PATH` and its variants are
          made from MNIST, see `foretell.data.made.colormnist`.
        - `StepLatents`: annotated procedures, such as `coin:FILE`; see `foretell.data.annotations`.
    reads: what to read: the `reads` of a method's configuration.
    split: None or "train": the train split where the data names its splits, else everything; "test": the test
        split, or the validation split where there is no other.
    seed: draws what is made here, and the crops of `photographs`; other sources are read as they are.
    cache_dir: keeps what was decoded: 3·size² bytes an image, 3·frames·size² bytes a clip. $FORETELL_CACHE or
        ~/.cache/foretell if None.
    progress: a bar on standard error while decoding, one line if that is no terminal.

    Files that cannot be used (for images and videos: not of that kind, empty, damaged, too short for a clip; for
    episodes: a table that is missing or wrong) are left out and listed in `skipped`. A video that was cut short or is
    damaged in places keeps the clips that are whole. A second call takes no longer than looking at the files' names,
    sizes and times.

    Raises ForetellError: nothing at `spec`, or nothing of these kinds; no usable file; no such split; no room for the
    cache.
    """
    wanted, several = _reads(reads), len(places(spec)) > 1
    return joined([_load(one, wanted.paced(one, several), split, seed, cache_dir, progress) for one in places(spec)])


@overload
def train_test(
    spec: Specs, reads: int, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Images, Images]: ...
@overload
def train_test(
    spec: Specs, reads: Captions, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Captioned, Captioned]: ...
@overload
def train_test(
    spec: Specs, reads: EpisodeClips, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Episodes, Episodes]: ...
@overload
def train_test(
    spec: Specs, reads: Reads[K], *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[K, K]: ...
def train_test(
    spec: Specs, reads: int | Reads[Any], *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Any, Any]:
    """The data to learn from and the data to test on; arguments and errors are as of `load`. Of several places each is
    divided by itself.

    The named splits are taken if there are two (train with test, or else train with valid). Otherwise every fifth
    sample is for testing, of each class where there are labels; `seed` draws which. At least two samples are needed. A
    video gives one clip, so that no video is on both sides. The only sample of a class is never held out.

    Warns of a class that only the test split has: its samples are left out, because nothing could learn them. And of
    pictures that are in both splits.
    """
    several = places(spec)
    wanted = _reads(reads)
    found = [_sides(one, wanted.paced(one, len(several) > 1).apart(), seed, cache_dir, progress) for one in several]
    train, test = (_chosen(side) for side in zip(*found, strict=True))
    return checked(" ".join(map(str, several)), train, test)


Sided: TypeAlias = tuple[Any, torch.Tensor]
"""A whole set, and a mask of the samples that are taken."""


def _sides(
    spec: str | Path, reads: Reads[Any], seed: int, cache_dir: Path | None, progress: bool
) -> tuple[Sided, Sided]:
    """What to learn from and what to test on, of one place."""
    splits, form = reads.find(spec, seed), reads.form()
    train, *test = [
        cache.cached(splits[split], form, _cache_folder(cache_dir), progress)
        for split in ("train", "all", "test")
        if split in splits
    ]
    if test:
        return _all(train), _all(test[0])
    if len(train) < 2:
        what = form.what.removesuffix("s")
        raise ForetellError(f"{spec}: found one usable {what}, expected two or more, to train and to test")
    held_out = _held_out(train, seed)
    if not held_out.any():  # each class has a single sample
        train = train.with_columns(train.stored, labels=None, classes=())
        held_out = _held_out(train, seed)
        warnings.warn(f"{spec}: each class has one sample, so the classes are not used", ForetellWarning, stacklevel=3)
    return (train, ~held_out), (train, held_out)


def _all(data: Columns) -> Sided:
    return data, torch.ones(len(data), dtype=torch.bool)


def _chosen(sides: Sequence[Sided]) -> Any:
    """One side of all places, as one set."""
    whole, mask = joined([data for data, _ in sides]), torch.cat([mask for _, mask in sides])
    return whole if mask.all() else whole.subset(mask)


def places(spec: Specs) -> Sequence[str | Path]:
    """The places of the data. Raises ForetellError where there is none."""
    if not (found := [spec] if isinstance(spec, str | Path) else spec):
        raise ForetellError("data is an empty list of places, expected one or more")
    return found


def _reads(reads: int | Reads[Any]) -> Reads[Any]:
    return reads if isinstance(reads, Reads) else Photographs(reads)


def _load(
    spec: str | Path, reads: Reads[Any], split: str | None, seed: int, cache_dir: Path | None, progress: bool
) -> Columns:
    splits = reads.find(spec, seed)
    if split not in (None, "train", "test"):
        raise ForetellError(f"split is {split!r}, expected 'train' or 'test'")
    if split == "test" and "test" not in splits:
        raise ForetellError(
            f"{spec}: names no test split, expected test or valid beside train in the names of its folders "
            "or files: train_test divides any data"
        )
    source = splits["test"] if split == "test" else splits.get("train") or splits["all"]
    return cache.cached(source, reads.form(), _cache_folder(cache_dir), progress)


def _held_out(data: Columns, seed: int) -> torch.Tensor:
    """A mask [N], true for every fifth sample in an order shuffled by `seed` and sorted by class.

    The only sample of a class is learned from: a class that was never trained cannot be named.
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    if data.labels is not None:
        order = order[data.labels[order].argsort(stable=True)]
    mask = torch.zeros(len(data), dtype=torch.bool)
    mask[order[min(2, len(data) - 1) :: 5]] = True
    if data.labels is not None:
        alone = data.labels.bincount()[data.labels] == 1
        mask &= ~alone
        if not mask.any() and not alone.all():  # those that would have been held out were all alone
            mask[order[~alone[order]][-1]] = True
    return mask


def _cache_folder(folder: Path | None) -> Path:
    return Path(folder).expanduser() if folder else cache.default_folder()
