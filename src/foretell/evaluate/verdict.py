"""Did it learn anything? One sentence from what a model and its controls scored on the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foretell.evaluate.measure import Measure

LEAST = 0.01
"""The difference from an untrained network that a difference must exceed to count: fresh weights of other seeds differ
by about as much."""


def verdict(report: dict[str, Any], measures: Sequence[Measure]) -> dict[str, Any] | None:
    """Whether a model learned something, by the measures that were also made of what learned nothing.

    Args:
        report: the numbers of each measure by its name.
        measures: which there are.

    Returns:
        `learned`: whether one measure exceeds the same network untrained, beyond chance and by more than fresh weights
        differ among themselves; and `text`, a sentence that says so. None where nothing was compared.
    """
    compared = [m for m in measures if "difference" in ((report.get(m.name) or {}).get("untrained") or {})]
    if not compared:
        return None

    def least(measure: Measure, control: str) -> float:
        return report[measure.name][control]["difference"]["low"]

    def told(control: str) -> tuple[Measure, str]:
        """The measure that shows most of a difference from a control, and what it shows."""
        best = max(compared, key=lambda measure: least(measure, control))
        d = {name: f"{100 * each:+.1f}" for name, each in report[best.name][control]["difference"].items()}
        return best, f"{best.title} {report[best.name]['value']:.1%}: {d['value']} points, {d['low']} to {d['high']}"

    best, shown = told("untrained")
    learned = least(best, "untrained") > LEAST
    if learned:
        text = f"It learned: its features say more than those of the same network untrained ({shown})."
    else:
        text = (
            "It learned nothing yet that shows on these images: no probe finds clearly more in its features than in "
            f"those of the same network untrained ({shown})."
        )
    if "pixels" in report[best.name]:
        best, shown = told("pixels")
        more = "more" if least(best, "pixels") > 0 else "not clearly more"
        text += f" They say {more} than raw pixels ({shown})."
    return {"learned": learned, "text": text}
