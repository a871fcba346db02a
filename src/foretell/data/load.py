"""From a place and what is to be read there to a data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, overload

import torch

from foretell.errors import ForetellError

from . import cache, folder, photographs
from .dataset import Columns, Episodes, Images, Records, Videos, joined
from .procedures import Procedures
from .reads import Clips, EpisodeClips, Photographs, Reads, StepLatents, Vectors
from .source import Splits, file_at, files_below

Specs: TypeAlias = str | Path | Sequence[str | Path]
"""Where data lies: one place, or several that make one set."""

MADE = ("scenes", "pusher")
"""What is made here, by name."""

_EXPECTED = (
    "expected a folder of images, a parquet file or a folder of them, torchvision:NAME:ROOT, or photographs "
    "for the bundled ones"
)
_EXPECTED_VIDEOS = (
    "expected a folder of videos, a list of them (.csv, 'path label' a line), a video file, scenes, or pusher"
)
_EXPECTED_EPISODES = "expected a folder of videos, each with a table of its name (.csv or .parquet), or pusher"


@overload
def load(
    spec: Specs,
    reads: int | Photographs,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Images: ...
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
    reads: Clips,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Videos: ...
@overload
def load(
    spec: Specs,
    reads: StepLatents,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Procedures: ...
@overload
def load(
    spec: Specs,
    reads: Vectors,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Records: ...
def load(
    spec: Specs,
    reads: int | Reads,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Any:
    """One split of a data set, decoded.

    spec: where the data lies. Several places are one set, one behind the other; a place that comes twice counts twice.
        What is read there depends on `reads`:
        - `Photographs` (a whole number means photographs of that size): a folder of images (class folders, and `train/`
          with `test/` or `val/` above them, are recognised; a few pictures beside the class folders are left out, see
          `foretell.data.folder`), a Hugging Face parquet file or a folder of them, `torchvision:NAME:ROOT` for a data
          set of torchvision that is on disk, or `photographs` for crops of bundled ones.
        - `Clips`: a folder of videos (class folders and splits as for images), a list of them (.csv, .tsv or .txt, a
          path and perhaps a label a line), one video file, `scenes` for clips made here (`scenes:20000` for so many),
          or `pusher` for the clips of its episodes. What is made here is as long as a clip. Among several places it
          keeps its own pace, and `fps` and `stride` are for the files.
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
    return joined([_load(one, _paced(one, wanted, several), split, seed, cache_dir, progress) for one in places(spec)])


@overload
def train_test(
    spec: str | Path,
    reads: int | Photographs,
    *,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> tuple[Images, Images]: ...
@overload
def train_test(
    spec: str | Path, reads: EpisodeClips, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Episodes, Episodes]: ...
@overload
def train_test(
    spec: str | Path, reads: Clips, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Videos, Videos]: ...
@overload
def train_test(
    spec: str | Path, reads: StepLatents, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Procedures, Procedures]: ...
@overload
def train_test(
    spec: str | Path, reads: Vectors, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Records, Records]: ...
def train_test(
    spec: str | Path, reads: int | Reads, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Any, Any]:
    """The data to learn from and the data to test on; arguments and errors are as of `load`.

    The named splits are taken where there are two (train with test, else train with valid). Otherwise every fifth
    sample is for testing, of each class where there are labels; `seed` draws which. At least two samples are needed. A
    video gives one clip, so that no video is on both sides.
    """
    reads = _reads(reads)
    reads = replace(reads, clips=1) if isinstance(reads, Clips) else reads
    splits, form = _find(spec, reads, seed), _form(reads)
    train, *test = [
        cache.cached(splits[split], form, _cache_folder(cache_dir), progress)
        for split in ("train", "all", "test")
        if split in splits
    ]
    if test:
        return train, test[0]
    if len(train) < 2:
        what = form.what.removesuffix("s")
        raise ForetellError(f"{spec}: found one usable {what}; expected two or more, to train and to test.")
    held_out = _held_out(train, seed)
    return train.subset(~held_out), train.subset(held_out)


def places(spec: Specs) -> Sequence[str | Path]:
    """Where data lies, place by place. Raises ForetellError where there is none."""
    if not (found := [spec] if isinstance(spec, str | Path) else spec):
        raise ForetellError("data: found an empty list of places; expected one or more.")
    return found


def _reads(reads: int | Reads) -> Reads:
    return reads if isinstance(reads, Photographs | Clips | Vectors | StepLatents) else Photographs(reads)


def _paced(spec: str | Path, reads: Reads, several: bool) -> Reads:
    """What is read at a place: clips that are made here have one length, and among files a pace of their own."""
    if isinstance(reads, EpisodeClips) or not isinstance(reads, Clips) or not _is_made(spec, *MADE):
        return reads
    return replace(reads, clips=1, fps=None, stride=1) if several else replace(reads, clips=1)


def _load(
    spec: str | Path, reads: Reads, split: str | None, seed: int, cache_dir: Path | None, progress: bool
) -> Columns:
    splits = _find(spec, reads, seed)
    if split not in (None, "train", "test"):
        raise ForetellError(f"split: found {split!r}; expected 'train' or 'test'.")
    if split == "test" and "test" not in splits:
        raise ForetellError(
            f"{spec}: names no test split; expected test or valid beside train in the names of its folders "
            "or files; train_test divides any data."
        )
    source = splits["test"] if split == "test" else splits.get("train") or splits["all"]
    return cache.cached(source, _form(reads), _cache_folder(cache_dir), progress)


def _held_out(data: Columns, seed: int) -> torch.Tensor:
    """A mask [N], true for every fifth sample in an order shuffled by `seed` and sorted by class."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    if data.labels is not None:
        order = order[data.labels[order].argsort(stable=True)]
    mask = torch.zeros(len(data), dtype=torch.bool)
    mask[order[min(2, len(data) - 1) :: 5]] = True
    return mask


def _form(reads: Reads) -> cache.Form[Any]:
    """How it is decoded and kept."""
    if isinstance(reads, EpisodeClips):
        from .video import episodes

        return episodes.episodes(reads)
    if isinstance(reads, Clips):
        from .video import decode as video

        return video.videos(reads)
    if isinstance(reads, StepLatents):
        from . import procedures

        return procedures.form(reads)
    if isinstance(reads, Vectors):
        from . import table

        return table.vectors()
    from .images import decode

    return decode.images(reads.size)


def _find(spec: str | Path, reads: Reads, seed: int) -> Splits:
    """The splits of what lies at a place."""
    if isinstance(reads, EpisodeClips):
        return _find_episodes(spec, reads, seed)
    if isinstance(reads, Clips):
        return _find_videos(spec, reads, seed)
    if isinstance(reads, Vectors):
        return _find_vectors(spec, seed)
    if isinstance(reads, StepLatents):
        from . import annotations

        return annotations.find(spec, reads, seed)
    return _find_images(spec, seed)


def _find_images(spec: str | Path, seed: int) -> Splits:
    from .images import parquet, torchvision_sets

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


def _find_vectors(spec: str | Path, seed: int) -> Splits:
    from . import table
    from .made import colormnist

    if _is_made(spec, *colormnist.VARIANTS):
        return colormnist.find(str(spec), seed)
    return table.find(Path(os.path.realpath(os.path.expanduser(spec))))


def _find_videos(spec: str | Path, reads: Clips, seed: int) -> Splits:
    if _is_made(spec, "scenes"):
        from .made.scenes import source

        return source.find(str(spec), reads, seed)
    if _is_made(spec, "pusher"):
        from .made import pusher

        return pusher.find(str(spec), reads, seed, steps=False)
    from .video import decode as video
    from .video import lists

    root = Path(os.path.realpath(os.path.expanduser(spec)))
    if str(spec) and os.path.isdir(root):
        return folder.find(root, files_below(root), video.ENDINGS)
    if str(spec) and os.path.isfile(root):
        return lists.find(root) if root.suffix.lower() in lists.LISTS else video.find(root)
    raise ForetellError(f"{str(spec)!r}: {'not a file' if os.path.exists(root) else 'not found'}; {_EXPECTED_VIDEOS}.")


def _find_episodes(spec: str | Path, reads: EpisodeClips, seed: int) -> Splits:
    from .made import pusher
    from .video import episodes

    if _is_made(spec, "pusher"):
        return pusher.find(str(spec), reads, seed)
    root = Path(os.path.realpath(os.path.expanduser(spec)))
    if str(spec) and os.path.isdir(root):
        return episodes.find(root, files_below(root))
    found = "not a folder" if str(spec) and os.path.exists(root) else "not found"
    raise ForetellError(f"{str(spec)!r}: {found}; {_EXPECTED_EPISODES}.")


def _is_made(spec: str | Path, *names: str) -> bool:
    """Whether data is made here, under one of these names."""
    return str(spec).split(":")[0] in names and not isinstance(spec, Path)


def _cache_folder(folder: Path | None) -> Path:
    return Path(folder).expanduser() if folder else cache.default_folder()
