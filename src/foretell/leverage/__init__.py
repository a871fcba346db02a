"""Put a world model to work: finetune its predictor for one task or several, and see what it imagines."""

from foretell.leverage.draw import draw
from foretell.leverage.files import load_classifier, save_classifier
from foretell.leverage.finetune import FinetuneConfig, WorldModelClassifier, finetune, require_trained
from foretell.leverage.imagine import Imagined, actions_of, imagine, read_image, sweep
from foretell.leverage.multitask import MultitaskClassifier, TaskTokens, multitask
from foretell.leverage.uncertainty import Uncertain, draw_uncertainty, uncertainty

__all__ = [
    "FinetuneConfig",
    "Imagined",
    "MultitaskClassifier",
    "TaskTokens",
    "Uncertain",
    "WorldModelClassifier",
    "actions_of",
    "draw",
    "draw_uncertainty",
    "finetune",
    "imagine",
    "load_classifier",
    "multitask",
    "read_image",
    "require_trained",
    "save_classifier",
    "sweep",
    "uncertainty",
]
