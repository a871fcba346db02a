"""What a method reads. Its configuration says so by `reads`, and `foretell.data.load` reads it.

load("path/to/photos", Photographs(64))
load("path/to/videos", Clips(64, frames=16, fps=8))
load("path/to/robot", EpisodeClips(64, frames=16, fps=4))
load("path/to/features.npz", Vectors())
load("coin:COIN.json.gz", StepLatents())
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from foretell.errors import Range, within

WHOLE = Range(1, whole=True)


@dataclass(frozen=True)
class Photographs:
    """Images. The shorter side is resized to `size` pixels, and the centre square is kept."""

    size: int

    def __post_init__(self) -> None:
        within(self, size=WHOLE)


@dataclass(frozen=True)
class Clips:
    """Clips of videos.

    size: side of the square in pixels. The shorter side is resized to it, and the centre is kept.
    frames: T, of a clip.
    fps: frames a second after resampling by time stamps: each moment has the frame that was on display then. None takes
        the frames as they come.
    stride: of these frames, every so many make the clip: V-JEPA takes 16 frames with stride 4 of 30 a second.
    clips: of a video at most, spread from its beginning to its end; one clip comes from the middle.

    Raises ForetellError: a number is out of range.
    """

    size: int
    frames: int = 16
    fps: float | None = None
    stride: int = 1
    clips: int = 1

    def __post_init__(self) -> None:
        within(self, size=WHOLE, frames=WHOLE, stride=WHOLE, clips=WHOLE, fps=Range(0, 1000, above=True))

    @property
    def span(self) -> int:
        """Frames from a clip's first to its last, before the stride."""
        return (self.frames - 1) * self.stride + 1

    @property
    def pace(self) -> dict[str, Any]:
        """How fast videos run: `fps` and `stride`, as `foretell.data.video.read_video` takes them."""
        return {"fps": self.fps, "stride": self.stride}


@dataclass(frozen=True)
class EpisodeClips(Clips):
    """Clips of episodes: with a state and an action a step (see `foretell.data.video.episodes`)."""


@dataclass(frozen=True)
class Vectors:
    """Feature vectors with labels and groups, from a table (see `foretell.data.table`)."""


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
class StepLatents:
    """What a method that forecasts steps reads: procedures as latents of clips.

    encoder: makes the latents where the data has clips; None for data that has latents.
    """

    encoder: ClipEncoder | None = None


Reads: TypeAlias = Photographs | Clips | Vectors | StepLatents
"""What `foretell.data.load` can be asked for."""
