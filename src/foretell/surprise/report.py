"""A benchmark's report for people."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64
from rich import box
from rich.table import Table

from foretell.surprise.measure import Surprise


def told(found: Surprise, seconds: Float64[np.ndarray, " F"]) -> dict[str, Any]:
    """The surprise at one video, as JSON types.

    `mean` and `largest` of all windows, and the curve over the frames that the model was shown: `peak`, the first frame
    of its highest tubelet, `frames`, `seconds` and `surprise`; and `values`, S_t by context and window.

    Args:
        found: the surprise of that video alone.
        seconds: when each of its frames comes.
    """
    moments, curve = found.curve()
    return {
        "mean": found.relative()[0].item(),
        "largest": found.absolute()[0].item(),
        "peak": int(moments[curve[0].argmax()]),
        "frames": moments.tolist(),
        "seconds": seconds[moments].round(3).tolist(),
        "surprise": curve[0].tolist(),
        "contexts": list(found.contexts),
        "starts": list(found.starts),
        "values": found.values[0].tolist(),
    }


def table(report: dict[str, Any]) -> Table:
    """Accuracy of pairs by property, beside the baselines' and the control's."""
    others = dict(report["baselines"])
    if report["shuffled_context"]:
        others["shuffled"] = report["shuffled_context"]
    control = " Shuffled: shown another pair's past." if report["shuffled_context"] else ""
    made = Table(
        title=f"Pairs told apart, in %: AUROC of single clips {report['auroc']:.2f}",
        caption=f"Sets: two pairs each, compared by their sums. Contexts were chosen on other pairs.{control}",
        box=box.SIMPLE_HEAD,
        padding=0,
    )
    made.add_column("property", no_wrap=True)
    for heading in ("pairs", "model", "95 %", "sets", *others):
        made.add_column(heading, justify="right", no_wrap=True)

    def add(name: str, row: dict[str, Any], rest: list[dict[str, Any] | None]) -> None:
        ends = f"{100 * row['low']:.0f}–{100 * row['high']:.0f}"
        model, sets, *shares = (f"{100 * one['value']:.0f}" if one else "–" for one in (row, row["sets"], *rest))
        made.add_row(name, str(row["pairs"]), model, ends, sets, *shares)

    for name, row in report["accuracy"]["per_property"].items():
        add(name, row, [one["per_property"].get(name) for one in others.values()])
    made.add_section()
    add("all", report["accuracy"], list(others.values()))
    return made
