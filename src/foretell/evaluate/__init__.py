"""How good is a world model? Signs of collapse, probes of its latents, and the rank of its predictions.

    report = evaluate(model, train, test)
    rich.print(table(report))

Read on in this order: report, encode, measures, spread, intervals.
"""

from foretell.evaluate.encode import Encoded, augmented, encode, features, latents
from foretell.evaluate.intervals import bootstrap, wilson
from foretell.evaluate.measures.attentive import attentive_probe
from foretell.evaluate.measures.knn import knn
from foretell.evaluate.measures.lidar import lidar
from foretell.evaluate.measures.linear import linear_probe
from foretell.evaluate.measures.mlp import mlp_probe
from foretell.evaluate.measures.mrr import mrr
from foretell.evaluate.measures.probe import ProbeTraining
from foretell.evaluate.measures.rankme import rankme
from foretell.evaluate.measures.sparsity import binarised, sparsity
from foretell.evaluate.report import evaluate, table
from foretell.evaluate.spread import spread

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
