"""The pixels of a step's clip, wherever it is: in a video, or among the procedures that are filmed here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foretell.errors import ForetellError

from .items import Unusable

if TYPE_CHECKING:
    from .procedures import ClipOf


def read(clip: ClipOf, size: int, frames: int, fps: float | None = None) -> np.ndarray:
    """A clip: uint8 [T, 3, size, size].

    Args:
        clip: where it is, as `Procedures.clip` says.
        size: side of the square in pixels.
        frames: T.
        fps: of these frames, from the middle of the step; None spreads them over the step.

    Raises:
        ForetellError: the video is missing, damaged, or shorter than the step.
    """
    from .made.procedures import SECONDS, film
    from .made.procedures.source import filmed

    found = filmed(clip.file)
    if found is not None:
        return film(found, size, frames)[round(clip.start / SECONDS)]
    return _cut(Path(clip.file), [(clip.start, clip.end)], size, frames, fps)


def whole(path: str | Path, size: int, frames: int) -> np.ndarray:
    """A video's file as one clip, its frames spread over it: uint8 [T, 3, size, size].

    Raises:
        ForetellError: the video is missing or damaged.
    """
    return _cut(Path(path), None, size, frames, None)


def _cut(path: Path, spans: list[tuple[float, float]] | None, size: int, frames: int, fps: float | None) -> np.ndarray:
    from .video.parts import read_clips

    try:
        return read_clips(path, spans, size, frames, fps)[0]
    except FileNotFoundError:
        raise ForetellError(f"{path}: not found, expected the video of a step") from None
    except (Unusable, OSError) as error:
        raise ForetellError(f"{path}: {error}") from None
