"""How well a model answers questions about pictures: nine tasks, their metrics, and a blind baseline in the same run.

    report = evaluate(model, train, test)
    report["tasks"]["box"]["p@.5"]     # {"value", "low", "high", "blind"}

Read on in this order: metrics, sentences, blind, report.
"""

from foretell.evaluate.questions.blind import BlindBaseline
from foretell.evaluate.questions.metrics import AnsweredTask, box_overlap, scores
from foretell.evaluate.questions.report import evaluate, table
from foretell.evaluate.questions.sentences import bleu, bleu_counts, cider

__all__ = [
    "AnsweredTask",
    "BlindBaseline",
    "bleu",
    "bleu_counts",
    "box_overlap",
    "cider",
    "evaluate",
    "scores",
    "table",
]
