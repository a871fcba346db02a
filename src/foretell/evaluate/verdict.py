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

    def least(measure: Measure) -> float:
        return report[measure.name]["untrained"]["difference"]["low"]

    def told(measure: Measure, control: str) -> str:
        found = report[measure.name]
        d = {name: f"{100 * each:+.1f}" for name, each in found[control]["difference"].items()}
        return f"{measure.title} {found['value']:.1%}: {d['value']} points, {d['low']} to {d['high']}"

    best = max(compared, key=least)
    learned = least(best) > LEAST
    if learned:
        text = (
            f"It learned: its features say more than those of the same network untrained ({told(best, 'untrained')})."
        )
    else:
        text = (
            "It learned nothing yet that shows on these images: no probe finds clearly more in its features than in "
            f"those of the same network untrained ({told(best, 'untrained')})."
        )
    if "pixels" in report[best.name]:
        # not where they do worst: an attentive probe, say, finds little in pixels
        best = max(compared, key=lambda measure: report[measure.name]["pixels"]["value"])
        more = "more" if report[best.name]["pixels"]["difference"]["low"] > 0 else "not clearly more"
        text += f" They say {more} than raw pixels, by the probe that finds most in these ({told(best, 'pixels')})."
    return {"learned": learned, "text": text}
