"""Parts of a video, such as the steps of a procedure, each as one clip.

S parts of a video · T frames of a clip
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foretell.data.items import Unusable

from . import frames
from .decode import DAMAGED, times

LATE = 0.1
"""A part may end so many seconds after its video: annotations are rounded."""


def read_clips(
    path: Path, spans: Sequence[tuple[float, float]] | None, size: int, count: int, fps: float | None = None
) -> np.ndarray:
    """The clips of some parts of a video: uint8 [S, T, 3, size, size].

    Args:
        path: of the video.
        spans: start and end of each part, in seconds from the first frame; None for one, the whole video.
        size: side of the square in pixels.
        count: T, frames of a clip.
        fps: of these frames, which come from the middle of the part; None spreads them over the part.

    Raises:
        Unusable: the video cannot be read, or ends before a part does; the message is the reason.
    """
    with frames.reasons():
        stamps, keys, unit, _ = frames.told(path)
        if not len(stamps):
            raise Unusable("holds no frame")
        shown, end = times(stamps, unit)
        spans = [(0.0, end)] if spans is None else spans
        for number, (start, stop) in enumerate(spans, 1):
            if stop > end + LATE:
                raise Unusable(f"step {number} is at {start:g} to {stop:g} s, and the video is {end:.1f} s long")
        moments = np.stack([_moments(start, min(stop, end), end, count, fps) for start, stop in spans])
        plan = np.maximum(np.searchsorted(shown, moments + 1e-6, side="right") - 1, 0)
        wanted, kept = stamps[np.unique(plan)], {}
        # Some containers can only be entered behind the key frame that was asked for: those from their beginning.
        for starts in (keys, keys[:0]):
            with frames.opened(path) as (container, stream):
                kept |= frames.decode(container, stream, wanted, starts, size)
            if len(kept) == len(wanted):
                break
    if len(kept) < len(wanted):
        raise Unusable(DAMAGED)
    return np.stack([[kept[stamp] for stamp in clip] for clip in stamps[plan].tolist()])


def _moments(start: float, stop: float, end: float, count: int, fps: float | None) -> np.ndarray:
    """When the frames of a clip come, in seconds: [T]."""
    if fps is None:
        return start + (np.arange(count) + 0.5) / count * (stop - start)
    length = count / fps
    first = min(max((start + stop - length) / 2, 0.0), max(end - length, 0.0))
    return np.minimum(first + np.arange(count) / fps, end)
