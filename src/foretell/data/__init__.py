"""Photographs from folders, parquet files, torchvision and scikit-image, and clips from video files or made of
scenes with physics, decoded once into a cached array.

    images = load("path/to/photos", size=64)
    train, test = train_test("photographs", size=32)
    batch = train.take([0, 1, 2])            # uint8 [3, 3, 32, 32]

    videos = load_videos("path/to/videos", size=64, frames=16, fps=8)
    batch = videos.take([0, 1, 2])           # uint8 [3, 3, 16, 64, 64]

    episodes = load_episodes("path/to/robot", size=64, frames=16, fps=4)
    pixels, states, actions = episodes.batch([0, 1, 2])  # states [3, 15, S], actions [3, 15, A]

Read on in this order: images, source, then a kind of source (folder, parquet, torchvision_sets, photographs,
video_list, episodes; made: scenes, pusher), decode, video, cache.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from foretell.errors import ForetellError, Range, check_range

from . import cache, folder, parquet, photographs, torchvision_sets
from .images import Episodes, Images, Kind, Moves, Pictures, Skipped, Videos, joined
from .source import Splits, file_at, files_below

if TYPE_CHECKING:
    from .video import Cut

__all__ = [
    "Episodes",
    "Images",
    "Moves",
    "Pictures",
    "Skipped",
    "Specs",
    "Videos",
    "load",
    "load_episodes",
    "load_videos",
    "places",
    "train_test",
    "train_test_episodes",
    "train_test_videos",
]

Specs: TypeAlias = str | Path | Sequence[str | Path]
"""Where data lies: one place, or several that make one set."""

_EXPECTED = (
    "expected a folder of images, a parquet file or a folder of them, torchvision:NAME:ROOT, or photographs "
    "for the bundled ones"
)
_EXPECTED_VIDEOS = (
    "expected a folder of videos, a list of them (.csv, 'path label' a line), a video file, scenes, or pusher"
)
_EXPECTED_EPISODES = "expected a folder of videos, each with a table of its name (.csv or .parquet), or pusher"


def load(
    spec: Specs,
    size: int,
    *,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Images:
    """One split of a data set, decoded to `size` × `size`: the shorter side resized, the centre kept.

    spec: a folder of images (class folders, and `train/` with `test/` or `val/` above them, are recognised; a few
        pictures beside the class folders are left out, see `foretell.data.folder`), a Hugging Face parquet file or a
        folder of them, `torchvision:NAME:ROOT` for a data set of torchvision that is on disk, or `photographs` for
        crops of bundled ones. Several of them are one set, one behind the other; one that comes twice counts twice.
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
    return _each(spec, lambda one: _load(one, _find(one, size, seed), cache.images(size), split, cache_dir, progress))


def load_videos(
    spec: Specs,
    size: int,
    *,
    frames: int = 16,
    fps: float | None = None,
    stride: int = 1,
    clips: int = 1,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Videos:
    """One split of a set of videos as clips, decoded to `size` × `size`: the shorter side resized, the centre kept.

    spec: a folder of videos (class folders and splits as for `load`), a list of them (.csv, .tsv or .txt, a path and
        perhaps a label a line), one video file, `scenes` for clips made here (`scenes:20000` for so many), or `pusher`
        for those of `load_episodes`. Several of them are one set, as for `load`; what is made here keeps its own pace
        among files, of which `fps` and `stride` are then.
    frames: T, of a clip.
    fps: frames a second after resampling by time stamps; None takes the frames as they come.
    stride: of these, every so many make the clip: V-JEPA takes 16 frames with stride 4 of 30 a second.
    clips: of a video at most, spread from its beginning to its end; one comes from the middle. What is made here is as
        long as a clip.
    split, cache_dir, progress: as for `load`; a cache holds 3·frames·size² bytes a clip.
    seed: draws the scenes; other sources are read as they are.

    Videos that give no clip (not a video, no picture in it, too short, damaged) are left out and listed in
    `skipped`; of a video that was cut short, or is damaged in places, the clips that are whole are kept.

    Raises ForetellError: as `load`; a number is out of range.
    """
    from . import video

    several = len(places(spec)) > 1

    def read(one: str | Path) -> Videos:
        made = _is_made(one)
        pace = (None, 1) if made and several else (fps, stride)
        cut = video.Cut(size, frames, *pace, clips=1 if made else clips)
        return _load(one, _find_videos(one, cut, seed), video.videos(cut), split, cache_dir, progress)

    return _each(spec, read)


def load_episodes(
    spec: Specs,
    size: int,
    *,
    frames: int = 16,
    fps: float | None = None,
    stride: int = 1,
    clips: int = 1,
    split: str | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Episodes:
    """One split of a set of videos of someone who acts, as clips with a state and an action a step.

    spec: a folder of videos, each with a table of its name (see `foretell.data.episodes`), or `pusher` for a world made
        here (`pusher:20000` for so many episodes, see `foretell.data.pusher`). Several with like columns are one set.
    Other arguments as for `load_videos`.

    Videos that give no clip, or whose table is missing or wrong, are left out and listed in `skipped`.

    Raises ForetellError: as `load_videos`; no table has a column of states or actions.
    """
    from . import episodes, video

    form = episodes.episodes(cut := video.Cut(size, frames, fps, stride, clips))
    return _each(spec, lambda one: _load(one, _find_episodes(one, cut, seed), form, split, cache_dir, progress))


def places(spec: Specs) -> Sequence[str | Path]:
    """Where data lies, place by place. Raises ForetellError where there is none."""
    if not (found := [spec] if isinstance(spec, str | Path) else spec):
        raise ForetellError("data: found an empty list of places; expected one or more.")
    return found


def _each(spec: Specs, read: Callable[[str | Path], Kind]) -> Kind:
    """What is read of one place, or of each of several, joined."""
    return joined([read(place) for place in places(spec)])


def _load(
    spec: str | Path,
    splits: Splits,
    form: cache.Form[Kind],
    split: str | None,
    cache_dir: Path | None,
    progress: bool,
) -> Kind:
    if split not in (None, "train", "test"):
        raise ForetellError(f"split: found {split!r}; expected 'train' or 'test'.")
    if split == "test" and "test" not in splits:
        raise ForetellError(
            f"{spec}: names no test split; expected test or valid beside train in the names of its folders "
            "or files; train_test divides any data."
        )
    source = splits["test"] if split == "test" else splits.get("train") or splits["all"]
    return cache.cached(source, form, _cache_folder(cache_dir), progress)


def train_test(
    spec: str | Path, size: int, *, seed: int = 0, cache_dir: Path | None = None, progress: bool = True
) -> tuple[Images, Images]:
    """The data to learn from and the data to test on; arguments and errors as of `load`.

    The named splits where there are two (train with test, else train with valid). Otherwise every fifth image
    is for testing, of each class where there are labels; `seed` draws which. At least two images are needed.
    """
    return _train_test(spec, _find(spec, size, seed), cache.images(size), seed, cache_dir, progress)


def train_test_videos(
    spec: str | Path,
    size: int,
    *,
    frames: int = 16,
    fps: float | None = None,
    stride: int = 1,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> tuple[Videos, Videos]:
    """The clips to learn from and those to test on: `load_videos` divided as by `train_test`.

    One clip a video, so that no video is on both sides.
    """
    from . import video

    form = video.videos(cut := video.Cut(size, frames, fps, stride))
    return _train_test(spec, _find_videos(spec, cut, seed), form, seed, cache_dir, progress)


def train_test_episodes(
    spec: str | Path,
    size: int,
    *,
    frames: int = 16,
    fps: float | None = None,
    stride: int = 1,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> tuple[Episodes, Episodes]:
    """The episodes to learn from and those to test on: `load_episodes` divided as by `train_test`, one clip a video."""
    from . import episodes, video

    form = episodes.episodes(cut := video.Cut(size, frames, fps, stride))
    return _train_test(spec, _find_episodes(spec, cut, seed), form, seed, cache_dir, progress)


def _train_test(
    spec: str | Path, splits: Splits, form: cache.Form[Kind], seed: int, cache_dir: Path | None, progress: bool
) -> tuple[Kind, Kind]:
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


def _held_out(images: Pictures, seed: int) -> torch.Tensor:
    """A mask [N], true for every fifth image in an order shuffled by `seed` and sorted by class."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    if images.labels is not None:
        order = order[images.labels[order].argsort(stable=True)]
    mask = torch.zeros(len(images), dtype=torch.bool)
    mask[order[min(2, len(images) - 1) :: 5]] = True
    return mask


def _find(spec: str | Path, size: int, seed: int) -> Splits:
    check_range("size", size, Range(1, whole=True))
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


def _find_videos(spec: str | Path, cut: "Cut", seed: int) -> Splits:
    if _is_made(spec, "scenes"):
        from .scenes import source

        return source.find(str(spec), cut, seed)
    if _is_made(spec, "pusher"):
        from . import pusher

        return pusher.find(str(spec), cut, seed, steps=False)
    from . import video, video_list

    root = Path(os.path.realpath(os.path.expanduser(spec)))
    if str(spec) and os.path.isdir(root):
        return folder.find(root, files_below(root), video.ENDINGS)
    if str(spec) and os.path.isfile(root):
        return video_list.find(root) if root.suffix.lower() in video_list.LISTS else video.find(root)
    raise ForetellError(f"{str(spec)!r}: {'not a file' if os.path.exists(root) else 'not found'}; {_EXPECTED_VIDEOS}.")


def _find_episodes(spec: str | Path, cut: "Cut", seed: int) -> Splits:
    from . import episodes, pusher

    if _is_made(spec, "pusher"):
        return pusher.find(str(spec), cut, seed)
    root = Path(os.path.realpath(os.path.expanduser(spec)))
    if str(spec) and os.path.isdir(root):
        return episodes.find(root, files_below(root))
    found = "not a folder" if str(spec) and os.path.exists(root) else "not found"
    raise ForetellError(f"{str(spec)!r}: {found}; {_EXPECTED_EPISODES}.")


def _is_made(spec: str | Path, *names: str) -> bool:
    """Whether data is made here, under one of these names, or under any."""
    return str(spec).split(":")[0] in (names or ("scenes", "pusher")) and not isinstance(spec, Path)


def _cache_folder(folder: Path | None) -> Path:
    return Path(folder).expanduser() if folder else cache.default_folder()
