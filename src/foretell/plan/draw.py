"""The energy of actions, as the paper draws it: low where they lead to the goal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import UInt8
from torch import Tensor

from foretell.extras import needed
from foretell.plan.planner import Landscape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    image: UInt8[Tensor, "3 S S"],
    goal: UInt8[Tensor, "3 S S"],
    found: Landscape,
    planned: tuple[float, float] | None = None,
) -> Figure:
    """The present picture, the goal, and the energy of each action; `planned` marks the chosen action."""
    needed("matplotlib", "drawing")
    from matplotlib.figure import Figure

    figure = Figure((10, 3.6), layout="constrained")
    now, there, field = figure.subplots(1, 3, width_ratios=[1, 1, 1.35])
    for axes, picture, title in ((now, image, "now"), (there, goal, "goal")):
        axes.imshow(picture.permute(1, 2, 0).numpy())
        axes.set_axis_off()
        axes.set_title(title, fontsize=10, loc="left")
    drawn = field.contourf(found.x.numpy(), found.y.numpy(), found.energy.numpy(), levels=24, cmap="viridis")
    figure.colorbar(drawn, ax=field, label="energy")
    field.plot(*found.lowest, "*", color="#ffffff", markersize=13, label="lowest")
    if planned is not None:
        field.plot(*planned, "x", color="#ff5a5f", markersize=9, markeredgewidth=2, label="planned")
    field.legend(fontsize=8, loc="lower right")
    field.set(xlabel=f"action {found.axes[0]}", ylabel=f"action {found.axes[1]}", aspect="equal")
    return figure
