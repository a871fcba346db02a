"""Did it learn anything? One sentence about the scores of a model and of its controls on the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foretell.evaluate.measure import Measure


def verdict(report: dict[str, Any], measures: Sequence[Measure]) -> dict[str, Any] | None:
    """Whether a model learned something, by the measures that were also made of what learned nothing.

    Args:
        report: the numbers of each measure by its name.
        measures: the measures of the report.

    Returns:
        - `learned`: whether one measure exceeds that of each untrained network, beyond chance and by more than these
          differ among themselves.
        - `text`: a sentence that says so.

        None where nothing was compared.
    """
    compared = [m for m in measures if "difference" in ((report.get(m.name) or {}).get("untrained") or {})]
    if not compared:
        return None

    def differences(measure: Measure) -> list[dict[str, float]]:
        found = report[measure.name]["untrained"]
        return [found["difference"], *found.get("again", [])]

    def told(measure: Measure, difference: dict[str, float]) -> str:
        d = {name: f"{100 * each:+.1f}" for name, each in difference.items()}
        return f"{measure.title} {report[measure.name]['value']:.1%}: {d['value']} points, {d['low']} to {d['high']}"

    best = max(compared, key=lambda measure: differences(measure)[0]["low"])
    least = min(differences(best), key=lambda difference: difference["low"])
    # differences among untrained networks are not learning
    values = [difference["value"] for difference in differences(best)]
    learned = least["low"] > max(values) - min(values)
    if learned:
        text = (
            f"It learned: its features say more than those of {len(differences(best))} networks of its kind without "
            f"training ({told(best, least)}, or more)."
        )
    else:
        text = (
            "It learned nothing yet that shows on these images: no probe finds clearly more in its features than in "
            f"those of the same network untrained ({told(best, least)})."
        )
    if "pixels" in report[best.name]:
        # not where they do worst: an attentive probe, say, finds little in pixels
        best = max(compared, key=lambda measure: report[measure.name]["pixels"]["value"])
        pixels = report[best.name]["pixels"]["difference"]
        more = "more" if pixels["low"] > 0 else "not clearly more"
        text += f" They say {more} than raw pixels, by the probe that finds most in these ({told(best, pixels)})."
    return {"learned": learned, "text": text}
