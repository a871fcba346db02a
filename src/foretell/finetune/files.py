"""Classifiers as folders: config.json and model.safetensors, as world models are saved."""

from __future__ import annotations

from pathlib import Path

import torch

from foretell.errors import ForetellError
from foretell.finetune.classifier import MODES, WorldModelClassifier
from foretell.finetune.multitask import MultitaskClassifier
from foretell.hub.files import built, from_config, read_json, read_weights, write_json, write_weights


def save_classifier(classifier: WorldModelClassifier | MultitaskClassifier, folder: str | Path) -> Path:
    """Save a classifier whole, encoder included, so that `load_classifier` gives it back.

    Args:
        classifier: from `finetune` or `multitask`.
        folder: made if need be; holds config.json and model.safetensors afterwards.

    Returns:
        The folder.

    Raises:
        ForetellError: the disk is full or not writable.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    known = read_json(path) if path.is_file() else {}  # a run's folder keeps what else it says of itself
    tasks = (
        {"tasks": classifier.tasks} if isinstance(classifier, MultitaskClassifier) else {"classes": classifier.classes}
    )
    write_weights(folder / "model.safetensors", classifier.state_dict(), {"format": "foretell"})
    write_json(path, known | classifier.world | {"classifier": {"mode": classifier.mode, **tasks}})
    return folder


def load_classifier(
    folder: str | Path, device: torch.device | str = "cpu"
) -> WorldModelClassifier | MultitaskClassifier:
    """Load a classifier, ready for `classify(images)`, or `classify(images, task)` where it knows several.

    Args:
        folder: written by `save_classifier`.
        device: the device of the classifier.

    Returns:
        The classifier in evaluation mode.

    Raises:
        ForetellError: the folder holds no classifier, or a file of it is missing, truncated or foreign.
    """
    folder = Path(folder)
    config = read_json(folder / "config.json")

    def build() -> WorldModelClassifier | MultitaskClassifier:
        match config.get("classifier"):
            case {"mode": mode, "tasks": dict(tasks)} if mode in MODES:
                return MultitaskClassifier(from_config(config, folder / "config.json"), tasks, mode)
            case {"mode": mode, "classes": list(classes)} if mode in MODES:
                return WorldModelClassifier(from_config(config, folder / "config.json"), classes, mode)
            case found:
                kind = "a world model, not a classifier: finetune it first" if found is None else "no known classifier"
                raise ForetellError(f"{folder} holds {kind}")

    path = folder / "model.safetensors"
    return built(build, read_weights(path), path).to(device).eval()
