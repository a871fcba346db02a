"""The run's curves as data for SVG: lines in a square of 100 × 100, and the labels around it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any, TypeAlias

Points: TypeAlias = list[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One curve, with its name and its last value."""

    name: str
    points: str
    """In the form of SVG's polyline, with the origin at the top left."""
    last: float
    dots: bool = False
    """Whether each of the few points is marked."""


@dataclass(frozen=True)
class Tick:
    """A label at an axis, at `at` per cent from the left or from the bottom."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Lines over the steps of a run."""

    lines: list[Line]
    x: list[Tick]
    y: list[Tick]
    healthy: float | None = None
    """Per cent from the bottom; values above it are healthy."""


def trace(lines: list[dict[str, Any]]) -> dict[str, Chart]:
    """The charts of a run, from the lines of its metrics.jsonl.

    `loss` has the loss of the training and, on the monitors' problems, the losses of the model and of guessing.
    `spread` and `rankme` have one line each.
    """
    looks = [(line["step"], line["monitor"]) for line in lines if "monitor" in line]

    def seen(name: str) -> Points:
        return [(step, monitor[name]) for step, monitor in looks]

    learning = [(line["step"], line["loss"]) for line in lines if "loss" in line]
    return {
        "loss": _chart(
            {"training": learning} | {name: seen(name) for name in ("loss", "constant", "copy")},
            dots=("loss", "constant", "copy"),
        ),
        "spread": _chart({"spread": seen("spread")}, dots=("spread",), top=1.0, healthy=0.2),
        "rankme": _chart({"rankme": seen("rankme")}, dots=("rankme",)),
    }


def _chart(
    curves: dict[str, Points],
    dots: tuple[str, ...] = (),
    top: float | None = None,
    healthy: float | None = None,
) -> Chart:
    """Both axes begin at 0."""
    last = max(x for points in curves.values() for x, _ in points)
    step, top = _scale(top or max(y for points in curves.values() for _, y in points))
    lines = [
        Line(
            name,
            " ".join(f"{100 * x / last:.2f},{100 - 100 * y / top:.2f}" for x, y in points),
            points[-1][1],
            name in dots,
        )
        for name, points in curves.items()
    ]
    ticks = [Tick(100 * i * step / top, f"{i * step:g}") for i in range(round(top / step) + 1)]
    ends = [Tick(0, "0"), Tick(50, f"{last / 2:,.0f}"), Tick(100, f"{last:,.0f} steps")]
    return Chart(lines, ends, ticks, None if healthy is None else 100 * healthy / top)


def _scale(most: float) -> tuple[float, float]:
    """A round distance between ticks, two to five of them, and the axis's end, above all values."""
    power = 10.0 ** floor(log10(most)) if most > 0 else 1.0
    step = next(s * power for s in (0.2, 0.5, 1.0, 2.0) if most <= 5 * s * power)
    return step, step * max(ceil(most / step - 1e-9), 1)
