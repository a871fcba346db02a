"""Measure how good a world model is. Signs of collapse, probes of its latents, and the rank of its predictions.

    report = evaluate(model, train, test)
    rich.print(table(report))
    report = evaluate(model, train, test, measures=chosen(MRR(bank=64)))

Read on in this order: report, measure, measures, subject, encode, controls, verdict, intervals; spread is for training.
"""

from foretell.evaluate.encode import Encoded, augmented, encode, features, latents
from foretell.evaluate.intervals import bootstrap, paired, wilson
from foretell.evaluate.measure import Line, Measure, Result
from foretell.evaluate.measures import MEASURES, MRR, chosen
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
from foretell.evaluate.subject import Subject

__all__ = [
    "MEASURES",
    "MRR",
    "Encoded",
    "Line",
    "Measure",
    "ProbeTraining",
    "Result",
    "Subject",
    "attentive_probe",
    "augmented",
    "binarised",
    "bootstrap",
    "chosen",
    "encode",
    "evaluate",
    "features",
    "knn",
    "latents",
    "lidar",
    "linear_probe",
    "mlp_probe",
    "mrr",
    "paired",
    "rankme",
    "sparsity",
    "spread",
    "table",
    "wilson",
]
