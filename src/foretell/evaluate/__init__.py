"""How good is a world model? Signs of collapse, probes of its latents, and the rank of its predictions.

    report = evaluate(model, train, test)
    rich.print(table(report))

Read on in this order: report, collapse, sparsity, probes, equivariance, intervals.
"""

from foretell.evaluate.collapse import lidar, rankme, spread
from foretell.evaluate.equivariance import mrr
from foretell.evaluate.intervals import bootstrap, wilson
from foretell.evaluate.probes import (
    Encoded,
    ProbeTraining,
    attentive_probe,
    augmented,
    encode,
    features,
    knn,
    latents,
    linear_probe,
    mlp_probe,
)
from foretell.evaluate.report import evaluate, table
from foretell.evaluate.sparsity import binarised, sparsity

__all__ = [
    "Encoded",
    "ProbeTraining",
    "attentive_probe",
    "augmented",
    "binarised",
    "bootstrap",
    "encode",
    "evaluate",
    "features",
    "knn",
    "latents",
    "lidar",
    "linear_probe",
    "mlp_probe",
    "mrr",
    "rankme",
    "sparsity",
    "spread",
    "table",
    "wilson",
]
