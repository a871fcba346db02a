"""The report: one self-contained HTML file, made from a template and the demo's findings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from functools import partial
from math import log10
from pathlib import Path
from typing import Any

from foretell import page
from foretell.demo.curves import Chart
from foretell.demo.pictures import Drawings

LOWEST = 0.01
"""Left end of the logarithmic MRR scale: chance is 0.024."""


def render(found: dict[str, Any], pictures: Drawings, curves: dict[str, Chart], out: Path) -> str:
    """The report as HTML.

    Args:
        found: from `findings.find`.
        pictures: from `pictures.draw`.
        curves: from `curves.trace`.
        out: the demo's folder, as its reader would type it.
    """
    environment = page.environment(Path(__file__).parent, "the demo's report")
    filters: dict[str, Callable[..., object]] = {
        "million": _million,
        "short": _short,
        "duration": _duration,
        "place": _place,
        "shell": shlex.quote,
        "python": partial(json.dumps, ensure_ascii=False),  # Python reads JSON's strings unchanged
    }
    environment.filters.update(filters)
    (fresh, ours), (name, shipped) = found["models"].items()
    assert fresh == "fresh"
    small, large = ours["mrr"], shipped["mrr"]
    return environment.get_template("report.html.jinja").render(
        training=found["training"],
        versions=found["versions"],
        same_banks=found["same_banks"],
        fresh=ours,
        shipped=shipped,
        shipped_name=name,
        reversed_rows=[
            row
            for row, one in small["per_action"].items()
            if (other := large["per_action"].get(row))
            and (one["value"] > other["value"]) != (small["value"] > large["value"])
        ],
        pictures=pictures,
        curves=curves,
        out=str(out),
        run=str(out / "run"),
    )


def _short(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _million(value: int) -> str:
    return f"{value / 1e6:.2f} million"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes".replace(".0 ", " ")


def _place(value: float) -> float:
    """Per cent of the way from `LOWEST` to 1."""
    return 100 * (1 - log10(max(value, LOWEST)) / log10(LOWEST))
