"""Surprise: the distance of the events in a video from a model's prediction."""

from foretell.evaluate.statistics import auroc
from foretell.surprise.benchmark import Pairs, benchmark, on_scenes, scenes
from foretell.surprise.carried import carried
from foretell.surprise.draw import draw
from foretell.surprise.layouts import LAYOUTS
from foretell.surprise.measure import Asked, Surprise, copied, measurable, predicted, surprise, surprises
from foretell.surprise.report import table, told
from foretell.surprise.score import accuracy, pairwise

__all__ = [
    "LAYOUTS",
    "Asked",
    "Pairs",
    "Surprise",
    "accuracy",
    "auroc",
    "benchmark",
    "carried",
    "copied",
    "draw",
    "measurable",
    "on_scenes",
    "pairwise",
    "predicted",
    "scenes",
    "surprise",
    "surprises",
    "table",
    "told",
]
