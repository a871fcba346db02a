"""Finetune a world model: its predictor, its encoder or both, for one task or for several at once.

Read on in this order: classifier, supervise, multitask, files.
"""

from foretell.finetune.classifier import FinetuneConfig, WorldModelClassifier, finetune, parts
from foretell.finetune.files import load_classifier, save_classifier
from foretell.finetune.multitask import MultitaskClassifier, TaskTokens, multitask

__all__ = [
    "FinetuneConfig",
    "MultitaskClassifier",
    "TaskTokens",
    "WorldModelClassifier",
    "finetune",
    "load_classifier",
    "multitask",
    "parts",
    "save_classifier",
]
