"""How good is a world model? Signs of collapse, probes of its latents, and the rank of its predictions.

    report = evaluate(model, train, test)
    rich.print(table(report))

Read on in this order: report, collapse, probes, equivariance, intervals.
"""

from foretell.evaluate.collapse import lidar, rankme, spread
from foretell.evaluate.equivariance import mrr
from foretell.evaluate.intervals import bootstrap, wilson
from foretell.evaluate.probes import (
    Encoded,
    attentive_probe,
    augmented,
    encode,
    features,
    knn,
    latents,
    linear_probe,
)
from foretell.evaluate.report import evaluate, table

__all__ = [
    "Encoded",
    "attentive_probe",
    "augmented",
    "bootstrap",
    "encode",
    "evaluate",
    "features",
    "knn",
    "latents",
    "lidar",
    "linear_probe",
    "mrr",
    "rankme",
    "spread",
    "table",
    "wilson",
]
