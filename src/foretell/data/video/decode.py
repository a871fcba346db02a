"""Clips out of any video file that FFmpeg's libraries read, as uint8 [n, T, 3, size, size], or the reason why not.

The packets' time stamps first tell the frames. Then only the frames that the clips need are decoded (see `frames`). So
a clip from a long film costs little, frame rates may vary, and only the kept frames are in memory.
"""

from __future__ import annotations

import warnings
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foretell.data.clipping import Clipping
from foretell.data.items import Unusable
from foretell.errors import ForetellError, ForetellWarning

from . import frames
from .pictures import PictureFrames, made_of_pictures

ENDINGS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts"}
    | {".wmv", ".flv", ".ogv", ".3gp", ".gif"}
)
ANIMATIONS = frozenset({".webp"})
"""Endings of animations that FFmpeg does not read, and that may as well be pictures."""
DAMAGED = "damaged: some frames cannot be decoded"


def decode_video(path: Path, cut: Clipping) -> tuple[np.ndarray, str | None]:
    """The clips of a video, and its damage if some could not be decoded, or a part is missing.

    Returns: uint8 [n, T, 3, size, size] with 1 ≤ n ≤ `cut.clips`, and None or the damage. A short or damaged video
        gives fewer clips.

    Raises:
        Unusable: no clip can be had; the message is the reason.
    """
    cuts = cut_video(path, cut)
    return cuts.pixels, cuts.damage


class Cuts(NamedTuple):
    """The clips of a video, and where they lie in it."""

    pixels: np.ndarray
    """uint8 [n, T, 3, size, size]."""
    frames: np.ndarray
    """int64 [n, T]: which frame of the video each is."""
    seconds: np.ndarray
    """float64 [n, T]: when it comes, after the first frame of the video."""
    length: int
    """Frames of the whole video."""
    damage: str | None
    """The damage, if some clips could not be decoded, or a part is missing."""


def cut_video(path: Path, cut: Clipping) -> Cuts:
    """As `decode_video`, and where the clips lie. The video may be a folder of pictures."""
    if made_of_pictures(path):
        return _cut_pictures(path, cut)
    with frames.reasons():
        stamps, keys, unit, promised = frames.told(path)
        if not len(stamps):
            raise Unusable("holds no frame")
        shown, end = times(stamps, unit)
        plan = _plan(shown, end, cut)
        wanted, kept = stamps[np.unique(plan)], {}
        # In some containers, seeking ends behind the requested key frame. These are read from their beginning.
        for starts in (keys, keys[:0]):
            with frames.opened(path) as (container, stream):
                kept |= frames.decode(container, stream, wanted, starts, cut.size)
            if len(kept) == len(wanted):
                break
    whole = plan[[all(stamp in kept for stamp in clip) for clip in stamps[plan].tolist()]]
    if not len(whole):
        raise Unusable(DAMAGED)
    pixels = np.stack([[kept[stamp] for stamp in clip] for clip in stamps[whole].tolist()])
    damage = cut_short(shown, end, stamps[0] * unit, promised) if len(whole) == len(plan) else DAMAGED
    return Cuts(pixels, whole, shown[whole], len(stamps), damage)


def read_video(
    path: str | Path, size: int, *, fps: float | None = None, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """A whole video as uint8 [F, 3, size, size], and when each frame comes, in seconds [F] after the first.

    The video may be a folder of pictures in the order of their names, `fps` of them a second (25 if None). Arguments
    are as of `foretell.data.Clips`. A `ForetellWarning` tells which part of a damaged video is missing.

    Raises:
        ForetellError: the file is missing, or no frame can be had of it.
    """
    try:
        every = cut_video(Path(path), Clipping(size, frames=1, fps=fps, clips=10**9))
    except FileNotFoundError:
        raise ForetellError(f"{path}: not found, expected a video file") from None
    except (Unusable, OSError) as error:
        raise ForetellError(f"{path}: {error}") from None
    if every.damage:
        warnings.warn(f"{path}: {every.damage}", ForetellWarning, stacklevel=2)
    return every.pixels[::stride, 0], every.seconds[::stride, 0]


def _cut_pictures(path: Path, cut: Clipping) -> Cuts:
    pictures = PictureFrames(path, cut.fps)
    plan = _plan(pictures.shown, pictures.end, cut)
    kept = pictures.read(np.unique(plan), cut.size)
    pixels = np.stack([[kept[number] for number in clip] for clip in plan.tolist()])
    return Cuts(pixels, plan, pictures.shown[plan], len(pictures.shown), None)


def cut_short(shown: np.ndarray, end: float, first: float, promised: float) -> str | None:
    """The damage of a video that ends before its stated length. A long last picture may be intended."""
    longest = float(np.diff(shown).max()) if len(shown) > 1 else promised
    until = end + max(first, 0.0)  # some count from the first frame, and some from zero
    if promised - until <= max(1.0, 2 * longest):
        return None
    return f"cut short: of {promised:.1f} seconds {until:.1f} are there"


def _plan(shown: np.ndarray, end: float, cut: Clipping) -> np.ndarray:
    """The frames of each clip: int64 [n, T] positions in `shown`."""
    order = moments(shown, end, cut)
    free = len(order) - cut.span
    count = min(cut.clips, free + 1)
    starts = [free // 2] if count == 1 else [round(n * free / (count - 1)) for n in range(count)]
    return order[np.array(starts)[:, None] + np.arange(0, cut.span, cut.stride)]


def spread(count: int, most: int) -> np.ndarray:
    """Which of `count` frames people are shown: at most so many, from the first to the last, as far apart as can be."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(int)


def times(stamps: np.ndarray, unit: float) -> tuple[np.ndarray, float]:
    """When each frame comes, in seconds after the first, and when the last one goes: it stays as long as frames do."""
    shown = (stamps - stamps[0]) * unit
    return shown, shown[-1] + (float(np.median(np.diff(shown))) if len(shown) > 1 else 0.0)


def moments(shown: np.ndarray, end: float, cut: Clipping) -> np.ndarray:
    """The frames after resampling, as positions: at least a clip's. Raises Unusable where there are fewer."""
    if cut.fps is None:
        found = np.arange(len(shown))
    else:
        found = np.searchsorted(shown, np.arange(ceil(end * cut.fps - 1e-6)) / cut.fps + 1e-6, side="right") - 1
    if len(found) < cut.span:
        rate = f" at {cut.fps:g} a second" if cut.fps else ""
        raise Unusable(f"too short: {len(found)} frames{rate}, and a clip spans {cut.span}")
    return found
