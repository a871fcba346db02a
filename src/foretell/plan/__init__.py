"""Planning: find the actions that lead to the picture of a goal, by a world model's predictions alone."""

from foretell.plan.benchmark import benchmark, table
from foretell.plan.cem import CEM, minimise
from foretell.plan.draw import draw
from foretell.plan.planner import Landscape, Plan, copied, landscape, plan

__all__ = [
    "CEM",
    "Landscape",
    "Plan",
    "benchmark",
    "copied",
    "draw",
    "landscape",
    "minimise",
    "plan",
    "table",
]
