"""Surprise: how far what happens in a video is from what a model predicted."""

from foretell.surprise.measure import Surprise, copied, predicted, shuffled, surprise
from foretell.surprise.score import accuracy, auroc, pairwise

__all__ = ["Surprise", "accuracy", "auroc", "copied", "pairwise", "predicted", "shuffled", "surprise"]
