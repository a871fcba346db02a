"""Draw a forecast: what was seen, the likeliest next steps as bars, and clips of a bank that look like each future.

T frames · S side of the picture in pixels · H steps ahead · K futures
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from foretell.errors import ForetellError
from foretell.extras import needed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEEN, GOAL, FUTURE, INK, GREY = "#202430", "#d1495b", "#00966e", "#202430", "#70767f"
FRAMES = 4
"""Frames of a strip."""
BARS = 5
"""Steps that have a bar, the likeliest first."""
LETTERS = 46
"""Of the note, that a column is wide enough for."""
COLUMNS = 5
"""Steps side by side; of more, the first ones are drawn."""
WIDTH, GAP, MARGIN, TITLE = 2.5, 0.22, 0.3, 0.24  # inches


@dataclass(frozen=True)
class Strip:
    """A clip as it is drawn."""

    title: str
    clip: UInt8[np.ndarray, "T 3 S S"] | None
    """None where its pixels cannot be had: then its title stands alone."""


def forecast_figure(
    observed: Sequence[Strip],
    steps: Sequence[Sequence[tuple[str, float]]],
    futures: Sequence[Sequence[Strip]] = (),
    goal: Strip | None = None,
    note: str = "",
) -> Figure:
    """Draw a forecast, time to the right.

    Args:
        observed: the clips that were seen, in order; one or more.
        steps: for each of H steps ahead the names of steps and their probabilities in [0, 1], in any order.
        futures: for each of K sampled futures the clip of the bank that is nearest to each of its H steps.
        goal: the last clip, where the forecast leads to one.
        note: a line under the picture, such as how many samples were drawn.

    Raises:
        ForetellError: nothing was seen, nothing is ahead, or a future has another number of steps.
    """
    if not observed or not steps:
        raise ForetellError(
            f"a forecast is drawn of clips that were seen and of steps ahead; found {len(observed)} and {len(steps)}"
        )
    if wrong := [len(future) for future in futures if len(future) != len(steps)]:
        raise ForetellError(f"a future has {wrong[0]} clips, and the forecast {len(steps)} steps: expected as many")
    needed("matplotlib", "drawing")

    shown = steps[:COLUMNS]
    above = [*observed, *([goal] if goal else [])]
    columns = max(len(shown), min(len(above), COLUMNS))
    page = _Page(columns)
    page.heading(f"seen: {len(observed)} {'clip' if len(observed) == 1 else 'clips'}{', and the goal' if goal else ''}")
    for first in range(0, len(above), columns):
        row = above[first : first + columns]
        page.strips(row, [GOAL if strip is goal else SEEN for strip in row])
    more = f" (the first {len(shown)} of {len(steps)})" if len(shown) < len(steps) else ""
    page.heading(("what lies between" if goal else "what comes next") + more)
    page.bars(shown)
    if futures:
        page.heading("clips of the bank nearest to each sampled future")
        for future in futures:
            page.strips(future[: len(shown)], [FUTURE] * len(shown))
    for line in wrap(note, LETTERS * columns):
        page.line(line)
    return page.figure()


class _Page:
    """Rows from top to bottom, each of known height; drawn when all of them are known.

    Args:
        columns: of cells side by side.
    """

    def __init__(self, columns: int) -> None:
        self._width = 2 * MARGIN + columns * (WIDTH + GAP) - GAP
        self._top = MARGIN
        self._texts: list[tuple[float, float, str, str, float]] = []
        self._pictures: list[tuple[float, float, float, np.ndarray, str]] = []
        self._charts: list[tuple[float, float, float, Sequence[tuple[str, float]], int]] = []

    def heading(self, text: str) -> None:
        """A line over what follows."""
        self._texts.append((MARGIN, self._top + 0.18, text, INK, 11))
        self._top += 0.42

    def line(self, text: str) -> None:
        """A small line."""
        self._texts.append((MARGIN, self._top + 0.1, text, GREY, 8))
        self._top += 0.25

    def strips(self, row: Sequence[Strip], colours: Sequence[str]) -> None:
        """Film strips side by side, each with its title."""
        height = WIDTH / FRAMES if any(strip.clip is not None for strip in row) else 0.0
        for place, (strip, colour) in enumerate(zip(row, colours, strict=True)):
            left = MARGIN + place * (WIDTH + GAP)
            self._texts.append((left, self._top + 0.1, _short(strip.title, 34), GREY, 8.5))
            if strip.clip is not None:
                self._pictures.append((left, self._top + TITLE, height, _film(strip.clip), colour))
        self._top += TITLE + height + GAP / 2

    def bars(self, steps: Sequence[Sequence[tuple[str, float]]]) -> None:
        """For each step ahead, bars of the likeliest labels."""
        height = 0.26 * BARS
        for place, chances in enumerate(steps):
            left = MARGIN + place * (WIDTH + GAP)
            self._texts.append((left, self._top + 0.1, f"step +{place + 1}", GREY, 8.5))
            best = sorted(chances, key=lambda each: -each[1])[:BARS]
            self._charts.append((left, self._top + TITLE, height, best, place))
        self._top += TITLE + height + GAP

    def figure(self) -> Figure:
        """All of it."""
        from matplotlib.figure import Figure

        width, height = self._width, self._top + MARGIN / 2
        figure = Figure((width, height), dpi=110, facecolor="white")

        def axes(left: float, top: float, tall: float) -> Axes:
            return figure.add_axes((left / width, 1 - (top + tall) / height, WIDTH / width, tall / height))

        for left, top, text, colour, size in self._texts:
            figure.text(left / width, 1 - top / height, text, color=colour, fontsize=size, va="center")
        for left, top, tall, picture, colour in self._pictures:
            plot = axes(left, top, tall)
            plot.imshow(picture, aspect="auto", interpolation="nearest")
            plot.set(xticks=[], yticks=[])
            for side in plot.spines.values():
                side.set(color=colour, linewidth=1.8)
        for left, top, tall, chances, _ in self._charts:
            _chart(axes(left, top, tall), chances)
        return figure


def _chart(plot: Axes, chances: Sequence[tuple[str, float]]) -> None:
    """Bars from the left, each with its label and its probability on it."""
    for place, (name, share) in enumerate(chances):
        plot.barh(place, share, 0.8, color=FUTURE, alpha=0.35 if place else 0.7)
        plot.text(0.015, place, _short(name, 26), va="center", fontsize=8.5, color=INK)
        plot.text(0.99, place, f"{share:.2f}", va="center", ha="right", fontsize=8.5, color=INK)
    plot.set(xlim=(0, 1), ylim=(BARS - 0.5, -0.5), xticks=[], yticks=[])
    for side in ("top", "right", "bottom"):
        plot.spines[side].set_visible(False)
    plot.spines["left"].set_color(GREY)


def _film(clip: UInt8[np.ndarray, "T 3 S S"]) -> np.ndarray:
    """Frames spread over a clip, side by side: [S, FRAMES · S, 3]."""
    chosen = np.linspace(0, len(clip) - 1, FRAMES).round().astype(int)
    return np.concatenate(list(clip[chosen].transpose(0, 2, 3, 1)), axis=1)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
