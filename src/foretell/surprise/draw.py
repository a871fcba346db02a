"""Draw the curve of surprise over a video, under a strip of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, UInt8
from torch import Tensor

from foretell.data.video.decode import spread
from foretell.extras import needed
from foretell.surprise.measure import Surprise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRIP = 12
"""Frames of a film strip."""


def draw(videos: Mapping[str, tuple[UInt8[Tensor, "3 F S S"], Surprise, Float64[np.ndarray, " F"]]]) -> Figure:
    """For each video a film strip, and below it surprise over its seconds, the peak marked; one scale for all.

    Args:
        videos: name -> the video, the surprise at it alone, and when its frames come, in seconds.
    """
    needed("matplotlib", "drawing")
    from matplotlib.figure import Figure

    figure = Figure((9, 2.6 * len(videos)), layout="constrained")
    rows = figure.subplots(2 * len(videos), 1, squeeze=False, height_ratios=[1, 1.6] * len(videos))[:, 0]
    top = max(float(found.curve()[1].max()) for _, found, _ in videos.values())
    for (name, (video, found, seconds)), film, plot in zip(videos.items(), rows[::2], rows[1::2], strict=True):
        frames = video.shape[1]
        film.imshow(np.concatenate(list(video[:, spread(frames, STRIP)].permute(1, 2, 3, 0).numpy()), axis=1))
        film.set_axis_off()
        film.set_title(Path(name).name, fontsize=10, loc="left")
        moments, curve = found.curve()
        first = moments.tolist()
        edges = [_second(seconds, frame) for frame in (*first, first[-1] + found.tubelet)]
        plot.stairs(curve[0].numpy(), edges, color="#00966e")
        peak = int(curve[0].argmax())
        ends = edges[peak], _second(seconds, first[peak] + found.tubelet)
        plot.axvspan(*ends, color="#d1495b", alpha=0.25, linewidth=0)
        place, end = (ends[0], float(curve[0, peak])), _second(seconds, frames)
        side, offset = ("left", 2) if place[0] < end / 2 else ("right", -2)  # so that it stays within the axes
        when = f"{place[0]:.2f} s, frame {first[peak]}"
        plot.annotate(when, place, (offset, 3), textcoords="offset points", fontsize=8, ha=side)
        plot.set(xlim=(0, end), ylim=(0, 1.2 * top), ylabel="surprise")
    rows[-1].set_xlabel("seconds")
    return figure


def _second(seconds: Float64[np.ndarray, " F"], frame: int) -> float:
    """When a frame comes; after the last one, when it would come at the pace of the others."""
    if frame < len(seconds):
        return float(seconds[frame])
    pace = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    return float(seconds[-1]) + pace * (frame - len(seconds) + 1)
