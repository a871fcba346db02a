"""The data that a method reads. Its configuration says so by `reads`, and `foretell.data.load` reads it.

load("path/to/photos", Photographs(64))
load("path/to/videos", Clips(64, frames=16, fps=8))
load("path/to/robot", EpisodeClips(64, frames=16, fps=4))
load("path/to/photos-with-captions", Captions(64))
load("path/to/waterbirds", GroupedPhotographs(64))
load("questions:20000", Questions(64))
load("refcoco:path/to/refcoco", Questions(64))
load("path/to/features.npz", Vectors())
load("coin:COIN.json.gz", StepLatents())
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from torch import Tensor

from foretell.errors import ForetellError, within

from .cache import Form
from .clipping import WHOLE, Clipping
from .dataset import Captioned, Episodes, Images, K, Records, Videos
from .source import Splits, file_at, files_below

if TYPE_CHECKING:
    from .procedures import Procedures

MADE = ("scenes", "pusher")
"""Clips that are made here, by name."""

R = TypeVar("R", bound="Reads[Any]")


class Reads(ABC, Generic[K]):
    """What `foretell.data.load` can be asked for. A new kind of data is another such class, in a file of its own."""

    @abstractmethod
    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of what lies at a place.

        Args:
            spec: the place.
            seed: draws what is made here.

        Raises:
            ForetellError: there is nothing of this kind.
        """

    @abstractmethod
    def form(self) -> Form[K]:
        """How it is decoded and kept."""

    def paced(self: R, spec: str | Path, several: bool) -> R:
        """What is read at a place: clips that are made here have one length, and among files a pace of their own."""
        return self

    def apart(self: R) -> R:
        """What is read where nothing may be both in the training and in the test data: one sample of each file."""
        return self


@dataclass(frozen=True)
class Photographs(Reads[Images]):
    """Images. The shorter side is resized to `size` pixels, and the centre square is kept."""

    size: int

    def __post_init__(self) -> None:
        within(self, size=WHOLE)

    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of a folder, of parquet files, of a data set of torchvision, or of the bundled photographs."""
        from . import folder, photographs
        from .images import parquet, torchvision_sets

        if is_made(spec, "captions"):
            from .made.captioned import source

            return source.find(str(spec), self, seed)
        if is_made(spec, "backgrounds"):
            from .made import backgrounds

            return backgrounds.find(str(spec), seed, groups=False)
        if spec == "photographs":
            return photographs.find(seed)
        if str(spec).startswith("torchvision:"):
            return torchvision_sets.find(str(spec))
        root = located(spec)
        if str(spec) and os.path.isdir(root):
            files = files_below(root)
            tables = [file for file in files if file.path.lower().endswith(".parquet")]
            # Images beside parquet files are those of a README; a table beside images fails loudly in `parquet`.
            return parquet.find(root, tables) if tables else folder.find(root, files)
        if root.suffix.lower() == ".parquet" and os.path.isfile(root):
            return parquet.find(root, [file_at(root)])
        found = "neither a folder nor a parquet file" if str(spec) and os.path.exists(root) else "not found"
        raise ForetellError(
            f"{str(spec)!r}: {found}, expected a folder of images, a parquet file or a folder of them, "
            "torchvision:NAME:ROOT, photographs for the bundled ones, or captions or backgrounds, which are made here"
        )

    def form(self) -> Form[Any]:
        """Squares of pixels."""
        from .images import form

        return form.images(self.size)


@dataclass(frozen=True)
class GroupedPhotographs(Photographs):
    """Photographs with their groups and facts about their files (see `foretell.data.images.grouped`).

    label: the column of a table that has the class; None for one of the usual names.
    group: the column that has the group; None for one of the usual names, where there is one.
    """

    label: str | None = None
    group: str | None = None

    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of photographs, of a published layout, or of animals before grounds that are made here."""
        from .images import layouts
        from .made import backgrounds

        if is_made(spec, "backgrounds"):
            return backgrounds.find(str(spec), seed, groups=True)
        root = located(spec)
        found = layouts.find(root, self.label, self.group) if str(spec) and root.exists() else None
        return super().find(spec, seed) if found is None else found

    def form(self) -> Form[Any]:
        """Squares of pixels, and columns of groups and facts."""
        from .images import grouped

        return grouped.grouped(self.size)


@dataclass(frozen=True)
class Captions(Photographs):
    """Images with captions, one or several each (see `foretell.data.captions`)."""

    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of images with captions, or of scenes that are made here."""
        from . import captions

        return super().find(spec, seed) if is_made(spec, "captions") else captions.find(spec)

    def form(self) -> Form[Captioned]:
        """Squares of pixels, and texts."""
        from .captions import form

        return form.captioned(self.size)


@dataclass(frozen=True)
class Questions(Reads[Records]):
    """Questions about one or several pictures, with answers (see `foretell.data.questions`).

    size: side of the pictures in pixels.
    """

    size: int

    def __post_init__(self) -> None:
        within(self, size=WHOLE)

    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of questions that are made here, or of annotation files on disk."""
        from . import question_files
        from .made.questions import source

        if is_made(spec, "questions"):
            return source.find(str(spec), self.size, seed)
        if is_made(spec, *question_files.LAYOUTS):
            return question_files.find(str(spec), self.size)
        places = ", ".join(f"{layout.name}:{layout.place}" for layout in question_files.LAYOUTS.values())
        raise ForetellError(
            f"{str(spec)!r}: expected questions:N for questions about scenes, which are made here, or files of "
            f"annotations: {places}"
        )

    def form(self) -> Form[Records]:
        """Pictures, questions and answers, ragged."""
        from . import questions

        return questions.form(self.size)


@dataclass(frozen=True)
class Clips(Clipping, Reads[Videos]):
    """Clips of videos.

    size: side of the square in pixels. The shorter side is resized to it, and the centre is kept.
    frames: T, of a clip.
    fps: frames a second after resampling by time stamps: each moment has the frame that was on display then. None takes
        the frames as they come.
    stride: every `stride`-th of these frames is in the clip: V-JEPA takes 16 frames with stride 4 of 30 a second.
    clips: the largest number from a video, spread from its beginning to its end. One clip comes from the middle.

    Raises ForetellError: a number is out of range.
    """

    @property
    def pace(self) -> dict[str, Any]:
        """The pace of videos: `fps` and `stride`, as `foretell.data.video.read_video` takes them."""
        return {"fps": self.fps, "stride": self.stride}

    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of a folder, of a list of videos, of one video, or of clips that are made here."""
        from . import folder
        from .video import decode, form, lists

        if is_made(spec, "scenes"):
            from .made.scenes import source

            return source.find(str(spec), self, seed)
        if is_made(spec, "pusher"):
            from .made import pusher

            return pusher.find(str(spec), self, seed, steps=False)
        root = located(spec)
        if str(spec) and os.path.isdir(root):
            return folder.find(root, files_below(root), decode.ENDINGS | decode.ANIMATIONS)
        if str(spec) and os.path.isfile(root):
            return lists.find(root) if root.suffix.lower() in lists.LISTS else form.find(root)
        raise ForetellError(
            f"{str(spec)!r}: {'not a file' if os.path.exists(root) else 'not found'}, expected a folder of videos, "
            "a list of them (.csv, 'path label' a line), a video file, scenes, or pusher"
        )

    def form(self) -> Form[Any]:
        """Frames of squares."""
        from .video import form

        return form.videos(self)

    def paced(self, spec: str | Path, several: bool) -> Clips:
        """The same; of clips that are made here one for each film, and among other places at their own pace."""
        if not is_made(spec, *MADE):
            return self
        return replace(self, clips=1, fps=None, stride=1) if several else self.apart()

    def apart(self) -> Clips:
        """One clip of each video."""
        return replace(self, clips=1)


@dataclass(frozen=True)
class EpisodeClips(Clips):
    """Clips of episodes: with a state and an action a step (see `foretell.data.video.episodes`).

    state, action, camera: the features of LeRobot's layout that are read; no state for "", the first camera for None.
    """

    state: str = "observation.state"
    action: str = "action"
    camera: str | None = None

    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of a folder of videos with tables, or of a pusher's episodes."""
        from .made import pusher
        from .video import episodes

        if is_made(spec, "pusher"):
            return pusher.find(str(spec), self, seed)
        root = located(spec)
        if str(spec) and os.path.isdir(root):
            return episodes.find(root, self)
        found = "not a folder" if str(spec) and os.path.exists(root) else "not found"
        raise ForetellError(
            f"{str(spec)!r}: {found}, expected a folder of videos, each with a table of its name (.csv or .parquet), "
            "a folder in LeRobot's layout, or pusher"
        )

    def form(self) -> Form[Episodes]:
        """Frames of squares, states and actions."""
        from .video import episodes

        return episodes.episodes(self)

    def paced(self, spec: str | Path, several: bool) -> EpisodeClips:
        """The same: an episode has one pace."""
        return self


@dataclass(frozen=True)
class Vectors(Reads[Records]):
    """Feature vectors with labels and groups, from a table (see `foretell.data.table`).

    label: the column that has the class; None for one of the usual names.
    group: the column that has the group; None for one of the usual names, where there is one.
    """

    label: str | None = None
    group: str | None = None

    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of a table, or of coloured digits that are made here."""
        from . import table
        from .made import colormnist

        if is_made(spec, *colormnist.VARIANTS):
            return colormnist.find(str(spec), seed)
        return table.find(located(spec), self.label, self.group)

    def form(self) -> Form[Records]:
        """Columns as they are."""
        from . import table

        return table.vectors()


@dataclass(frozen=True)
class ClipEncoder:
    """Makes latents of clips."""

    encode: Callable[[Tensor], Tensor]
    """uint8 [n, 3, T, H, W] -> [n, P, D]."""
    key: str
    """Tells encoders apart: it changes with the weights."""
    size: int
    """H = W, in pixels."""
    frames: int
    """T."""
    fps: float | None = None
    """Frames a second of the clips; None spreads T frames over the step, whatever its length."""


@dataclass(frozen=True)
class StepLatents(Reads["Procedures"]):
    """Procedures as latents of the clips of their steps (see `foretell.data.annotations`).

    encoder: makes the latents where the data has clips; None for data that has latents.
    shape: P and C, that a trained model expects; None for any. Other data is refused before all of it is read.
    """

    encoder: ClipEncoder | None = None
    shape: tuple[int, int] | None = None

    def find(self, spec: str | Path, seed: int) -> Splits:
        """The splits of annotated procedures."""
        from . import annotations

        return annotations.find(spec, self, seed)

    def form(self) -> Form[Procedures]:
        """Latents and names of steps, ragged."""
        from . import procedures

        return procedures.form(self)


def is_made(spec: str | Path, *names: str) -> bool:
    """Whether data is made here, under one of these names."""
    return str(spec).split(":")[0] in names and not isinstance(spec, Path)


def located(spec: str | Path) -> Path:
    """The place itself: links are followed, and `~` is somebody's home."""
    return Path(os.path.realpath(os.path.expanduser(spec)))
