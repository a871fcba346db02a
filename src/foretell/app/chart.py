"""Charts as data for SVG: positions are numbers of a drawing, so that the templates need no style.

A chart of lines has both axes at 0 where its values allow it. A chart of estimates has a row for each arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import NamedTuple, TypeAlias

WIDTH, HEIGHT, LEFT = 640.0, 220.0, 46.0
"""Of the area of a chart, and the room for labels on its left."""
POINTS = 400
"""Points of a line at most. Of more, each drawn one is the mean of its neighbours."""
ROW = 26.0
"""Height of a row of estimates."""

StepValues: TypeAlias = Sequence[tuple[float, float]]


class Mark(NamedTuple):
    """A label at a place of an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Drawn:
    """A line of a chart."""

    kind: str
    """Chooses its colour."""
    label: str
    points: str
    """In the form of SVG's polyline."""
    last: float
    dots: Sequence[tuple[float, float]]
    """Single points that are marked."""


@dataclass(frozen=True)
class Plot:
    """A chart of lines over steps."""

    title: str
    lines: Sequence[Drawn]
    x: Sequence[Mark]
    y: Sequence[Mark]
    unit: str
    """Of x."""


class EstimateRow(NamedTuple):
    """An estimate in a row."""

    name: str
    y: float
    at: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Bars:
    """A chart of estimates: a row for each arm, and their intervals."""

    title: str
    rows: Sequence[EstimateRow]
    marks: Sequence[Mark]
    height: float


def plot(
    title: str,
    curves: Mapping[str, tuple[str, StepValues]],
    *,
    marked: bool = False,
    end: float | None = None,
    unit: str = "steps",
) -> Plot | None:
    """A chart of lines.

    Args:
        title: what is drawn.
        curves: kind -> label and points (step, value), steps ascending. Values that are not finite are left out.
        marked: whether every point is marked, where there are few.
        end: the last place of the axis of x; None for the last step.
        unit: of x.

    Returns:
        The chart; None where there is no point.
    """
    found = {kind: (label, [p for p in points if isfinite(p[1])]) for kind, (label, points) in curves.items()}
    found = {kind: each for kind, each in found.items() if each[1]}
    if not found:
        return None
    values = [value for _, points in found.values() for _, value in points]
    last = end or max(step for _, points in found.values() for step, _ in points) or 1
    ticks = _ticks(min(0.0, *values), max(0.0, *values))
    low, high = ticks[0], ticks[-1]

    def place(step: float, value: float) -> tuple[float, float]:
        return round(LEFT + WIDTH * step / last, 1), round(HEIGHT * (high - value) / (high - low), 1)

    lines = [
        Drawn(kind, label, _joined(drawn := [place(*p) for p in _thinned(points)]), points[-1][1], drawn[:50])
        if marked or len(points) == 1
        else Drawn(kind, label, _joined([place(*p) for p in _thinned(points)]), points[-1][1], ())
        for kind, (label, points) in found.items()
    ]
    steps = ",.0f" if unit == "steps" else ".3g"
    x = [Mark(LEFT + WIDTH * share, f"{last * share:{steps}}") for share in (0, 0.5, 1)]
    return Plot(title, lines, x, [Mark(place(0, tick)[1], f"{tick:g}".replace("-", "−")) for tick in ticks], unit)


def bars(title: str, found: Mapping[str, tuple[float, float, float]]) -> Bars | None:
    """A chart of estimates: name -> value, and the ends of its interval (infinite where there is none)."""
    numbers = {name: each for name, each in found.items() if isfinite(each[0])}
    if not numbers:
        return None
    ends = [end for each in numbers.values() for end in each if isfinite(end)]
    room = (max(ends) - min(ends)) or abs(max(ends)) or 1.0
    ticks = _ticks(min(ends) - 0.04 * room, max(ends) + 0.04 * room)
    low, high = ticks[0], ticks[-1]

    def place(value: float) -> float:
        return round(WIDTH * (value - low) / (high - low), 1)

    rows = [
        EstimateRow(
            name,
            ROW * (row + 0.5),
            place(value),
            place(least if isfinite(least) else value),
            place(most if isfinite(most) else value),
            f"{value:.3g}".replace("-", "−"),
        )
        for row, (name, (value, least, most)) in enumerate(numbers.items())
    ]
    marks = [Mark(place(tick), f"{tick:g}".replace("-", "−")) for tick in ticks]
    return Bars(title, rows, marks, ROW * len(rows))


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers around a range, three to six of them."""
    span = (high - low) or 1.0
    power = 10.0 ** floor(log10(span))
    step = next(s * power for s in (0.2, 0.5, 1.0, 2.0, 5.0) if span <= 4 * s * power)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


def _thinned(points: StepValues) -> StepValues:
    """At most `POINTS` points; the last one stays."""
    if len(points) <= POINTS:
        return points
    size = ceil(len(points) / POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    means = [(group[len(group) // 2][0], sum(value for _, value in group) / len(group)) for group in groups]
    return [*means[:-1], points[-1]]


def _joined(points: StepValues) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
