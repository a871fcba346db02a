"""Group-robust classifiers as folders: config.json and model.safetensors."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import torch
from torch import nn

from foretell.errors import ForetellError
from foretell.finetune.files import save_classifier
from foretell.hub.files import built, dump, parse, read_json, read_weights, write_json, write_weights
from foretell.robust.config import RobustConfig
from foretell.robust.learn import Outcome
from foretell.robust.networks import Layers, Pictured
from foretell.robust.scaling import Scaling


def digest(place: str | Path) -> str | None:
    """What tells a file such as environments.parquet apart by its content (SHA-256); None where there is no file."""
    path = Path(place)
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def save(outcome: Outcome, classes: tuple[str, ...], folder: Path) -> None:
    """Save a classifier: `load` gives layers back, `foretell.finetune.load_classifier` a finetuned model.

    Raises:
        ForetellError: the disk is full or not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = outcome.network
    if isinstance(network, Pictured):
        save_classifier(network.classifier, folder)
        return
    assert isinstance(network, nn.Sequential)
    inputs, scaled = next(network.parameters()).shape[1], isinstance(network[0], Scaling)
    write_weights(folder / "model.safetensors", network.state_dict(), {"format": "foretell"})
    known = {"robust": dump(outcome.config), "inputs": inputs, "classes": classes, "scaled": scaled}
    write_json(folder / "config.json", known)


def load(folder: str | Path) -> tuple[nn.Sequential, tuple[str, ...]]:
    """Load layers on vectors: the network, which gives logits of [B, D], and the names of its classes.

    Raises:
        ForetellError: the folder holds no such classifier, or a file of it is missing or foreign.
    """
    folder = Path(folder)
    path = folder / "config.json"
    known = read_json(path)
    if not {"robust", "inputs", "classes"} <= known.keys():
        raise ForetellError(f"{folder} holds no classifier of vectors, expected a folder that `foretell robust` wrote")
    config = parse(RobustConfig, known["robust"], path, "robust")
    classes = parse(tuple[str, ...], known["classes"], path, "classes")
    inputs, scaled = (
        parse(int, known["inputs"], path, "inputs"),
        parse(bool, known.get("scaled", False), path, "scaled"),
    )
    scaling = Scaling(torch.zeros(inputs), torch.ones(inputs)) if scaled else None  # its numbers are among the weights
    layers = Layers(inputs, len(classes), config, scaling)
    weights = folder / "model.safetensors"
    network = built(lambda: layers.make(config.seed), read_weights(weights), weights)
    return network.eval(), classes
