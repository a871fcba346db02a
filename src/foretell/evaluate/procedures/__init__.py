"""How well steps of procedures are forecast: four tasks, their protocols' metrics, and eight baselines in the same run.

Read on in this order: metrics, questions, forecaster; then counts, means and sequences (the baselines), and report.
"""

from foretell.evaluate.procedures.forecaster import Denoised, Forecaster
from foretell.evaluate.procedures.metrics import (
    batch_overlap,
    edit_distance_at,
    edit_distances,
    overlap,
    position_accuracy,
    success,
)
from foretell.evaluate.procedures.report import BASELINES, BUDGET, evaluate, table

__all__ = [
    "BASELINES",
    "BUDGET",
    "Denoised",
    "Forecaster",
    "batch_overlap",
    "edit_distance_at",
    "edit_distances",
    "evaluate",
    "overlap",
    "position_accuracy",
    "success",
    "table",
]
