"""A video from end to end, as clips one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from foretell.data.clipping import Clipping
from foretell.data.items import Unusable

from . import frames
from .decode import cut_short, moments, times


class Film:
    """A video from end to end, as clips one after the other; the last one ends where the video ends.

    Args:
        path: of the file.
        cut: the pace and size; `clips` has no effect here.

    Raises:
        Unusable: no clip can be had; the message is the reason.
    """

    def __init__(self, path: Path, cut: Clipping) -> None:
        self._path, self._cut = path, cut
        with frames.reasons():
            self._stamps, _, unit, promised = frames.told(path)
            if len(self._stamps) < 2:
                raise Unusable("holds one frame, or none: a picture, not a video")
            shown, end = times(self._stamps, unit)
            order = moments(shown, end, cut)
            free = len(order) - cut.span
            starts = np.append(np.arange(0, free, cut.span), free)
            self._plan = order[starts[:, None] + np.arange(0, cut.span, cut.stride)]
            edges, ticks = np.stack([starts, starts + cut.span], 1), np.append(shown, end)
            seconds = ticks[edges] if cut.fps is None else np.minimum(edges / cut.fps, end)
        self.spans: list[tuple[float, float]] = [(start, stop) for start, stop in seconds.round(3).tolist()]
        """Start and end of each clip, in seconds from the first frame."""
        self.damage = cut_short(shown, end, self._stamps[0] * unit, promised)
        """The damage of the video, if a part is missing."""

    def clips(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each clip's place in `spans` and its pixels, uint8 [T, 3, size, size], without the damaged ones.

        The video is read once from its beginning; in memory are a clip's frames, and no others.
        """
        from av.video.reformatter import VideoReformatter

        reformatter, kept, place = VideoReformatter(), dict[int, np.ndarray](), 0
        plan = self._stamps[self._plan]
        needed = set(np.unique(plan).tolist())
        with frames.reasons(), frames.opened(self._path) as (container, stream):
            for stamp, frame in frames.until(container, stream, int(plan[-1, -1])):
                while place < len(plan) and plan[place, -1] < stamp:  # a frame of it was damaged
                    place += 1
                if stamp not in needed or frame.is_corrupt:
                    continue
                kept[stamp] = frames.square(frame, stream, reformatter, self._cut.size)
                while place < len(plan) and plan[place, -1] == stamp:
                    if all(each in kept for each in plan[place].tolist()):
                        yield place, np.stack([kept[each] for each in plan[place].tolist()])
                    place += 1
                if place < len(plan):
                    kept = {each: pixels for each, pixels in kept.items() if each >= plan[place, 0]}
