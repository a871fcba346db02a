"""A claim's measures against what changes from arm to arm, drawn."""

from __future__ import annotations

import io
from typing import Any

from foretell.claims.claim import Claim, Results, estimate
from foretell.extras import needed


def figure(claim: Claim, results: Results) -> str:
    """An SVG with a panel a measure of `claim.panels`: the mean over seeds and its 95 % interval, arm by arm.

    Intervals of fewer than three seeds say little and are left out.
    """
    needed("matplotlib", "drawing")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": claim.name, "font.size": 9}):  # the same numbers give the same file
        drawn = Figure(figsize=(2.4 * len(claim.panels), 2.4), layout="constrained")
        panels: Any = drawn.subplots(1, len(claim.panels), squeeze=False)
        arms = [arm for arm in results if results[arm]]
        for axes, measure in zip(panels[0], claim.panels, strict=True):
            found = [estimate([values[measure] for values in results[arm].values()]) for arm in arms]
            half = [e.high - e.value if e.seeds > 2 else 0.0 for e in found]
            axes.errorbar(range(len(arms)), [e.value for e in found], half, marker="o", capsize=3)
            axes.set_xticks(range(len(arms)), arms)
            axes.set_title(measure)
            axes.grid(alpha=0.3)
        file = io.StringIO()
        drawn.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
