"""A video from end to end, as clips one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foretell.data.clipping import Clipping
from foretell.data.items import Unusable

from . import frames
from .decode import cut_short, moments, spread, times


class FilmClip(NamedTuple):
    """A clip of a film."""

    place: int
    """In the film's `spans`."""
    pixels: np.ndarray
    """uint8 [T, 3, size, size]."""
    shown: np.ndarray
    """Some of its frames, for people: uint8 [n, 3, side, side]; none where none were asked for."""


class Film:
    """A video from end to end, as clips one after the other; the last one ends where the video ends.

    Args:
        path: of the file.
        cut: the pace and size; `clips` has no effect here.
        people: how many frames of each clip people are shown, spread over it, and their side in pixels.

    Raises:
        Unusable: no clip can be had; the message is the reason.
    """

    def __init__(self, path: Path, cut: Clipping, people: tuple[int, int] = (0, 0)) -> None:
        self._path, self._cut, self._people = path, cut, people
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

    def clips(self) -> Iterator[FilmClip]:
        """Each clip, without the damaged ones.

        The video is read once from its beginning; in memory are a clip's frames, and no others.
        """
        from av.video.reformatter import VideoReformatter

        reformatter, kept, place = VideoReformatter(), dict[int, np.ndarray](), 0
        large, shown, (count, side) = VideoReformatter(), dict[int, np.ndarray](), self._people
        plan = self._stamps[self._plan]
        seen = plan[:, spread(plan.shape[1], count)]
        needed, wanted = set(np.unique(plan).tolist()), set(np.unique(seen).tolist())
        with frames.reasons(), frames.opened(self._path) as (container, stream):
            for stamp, frame in frames.until(container, stream, int(plan[-1, -1])):
                while place < len(plan) and plan[place, -1] < stamp:  # a frame of it was damaged
                    place += 1
                if stamp not in needed or frame.is_corrupt:
                    continue
                kept[stamp] = frames.square(frame, stream, reformatter, self._cut.size)
                if stamp in wanted:
                    shown[stamp] = frames.square(frame, stream, large, side)
                while place < len(plan) and plan[place, -1] == stamp:
                    if all(each in kept for each in plan[place].tolist()):
                        pixels = np.stack([kept[each] for each in plan[place].tolist()])
                        strip = [shown[each] for each in seen[place].tolist()]
                        yield FilmClip(place, pixels, np.array(strip, np.uint8).reshape(len(strip), 3, side, side))
                    place += 1
                if place < len(plan):
                    first = plan[place, 0]
                    kept, shown = ({at: each for at, each in some.items() if at >= first} for some in (kept, shown))
