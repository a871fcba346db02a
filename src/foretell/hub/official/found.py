"""Read a file that may contain official weights, and run no code in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foretell.errors import ForetellError
from foretell.hub.files import read_json, read_weights

INDEX = "model.safetensors.index.json"
"""Says which of several safetensors files holds which tensor."""


@dataclass(frozen=True)
class FoundWeights:
    """A file of weights, or a folder with one, read but not yet understood."""

    source: Path
    """The file or folder, for errors."""
    content: dict[str, Any]
    """Tensors by name; a training checkpoint holds dictionaries of them, and other values."""
    config: dict[str, Any]
    """config.json beside the weights; empty where there is none."""
    preprocessor: dict[str, Any]
    """preprocessor_config.json beside the weights, or video_preprocessor_config.json; empty where there is none."""

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The content of a file that holds one model alone, out of the wrappers that training scripts put on it."""
        content = self.content
        for wrapper in ("state_dict", "model"):
            content = content[wrapper] if isinstance(content.get(wrapper), dict) else content
        return tensors_in(content)


def tensors_in(content: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors among a dictionary's values, by their bare names."""
    return {bare(str(name)): t for name, t in content.items() if isinstance(t, Tensor)}


def bare(name: str) -> str:
    """A tensor's name without what DDP, FSDP, torch.compile, Lightning and V-JEPA put before and into it."""
    name = re.sub(r"(_fsdp_wrapped_module|_checkpoint_wrapped_module|_orig_mod)\.", "", name)
    return re.sub(r"^((module|model|backbone)\.)+", "", name)


def read(path: Path) -> FoundWeights:
    """Read a file of weights (safetensors or a PyTorch checkpoint), or a folder with model.safetensors.

    Raises:
        ForetellError: there are no weights, they are truncated, or they hold more than tensors and plain values.
    """
    folder = path if path.is_dir() else path.parent
    config, preprocessor, video = (
        read_json(file) if (file := folder / name).is_file() else {}
        for name in ("config.json", "preprocessor_config.json", "video_preprocessor_config.json")
    )
    return FoundWeights(path, _folder(path) if path.is_dir() else _file(path), config, preprocessor or video)


def _folder(folder: Path) -> dict[str, Any]:
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return _file(folder / name)
    if not (folder / INDEX).is_file():
        raise ForetellError(f"{folder / 'model.safetensors'} is missing: there are no weights beside config.json")
    names = read_json(folder / INDEX).get("weight_map")
    if not isinstance(names, dict) or not all(
        isinstance(file, str) and Path(file).name == file for file in names.values()
    ):
        raise ForetellError(f"{folder / INDEX} has no weight_map, which says in which file beside it each tensor is")
    return {name: t for file in sorted(set(names.values())) for name, t in read_weights(folder / file).items()}


def _file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.read(4)
    archive = head == b"PK\x03\x04"
    if path.suffix == ".safetensors" or not (archive or head.startswith(b"\x80")):
        return dict(read_weights(path))
    try:
        # weights_only builds nothing but tensors and plain values; mapped, an optimiser's state is never read
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except Exception as error:  # a damaged or hostile pickle can raise any error
        if kind := re.search(r"GLOBAL (\S+)", str(error)):  # torch's name of the object that it does not build
            raise ForetellError(
                f"{path} holds {kind[1]}, which could run code and is not opened, expected tensors and plain values: "
                "where you trust the file, load it by torch.load(..., weights_only=False) and save its dictionaries of "
                "tensors alone"
            ) from None
        raise ForetellError(
            f"{path} cannot be read as a PyTorch checkpoint of tensors and plain values "
            f"({type(error).__name__}): it is damaged, or holds objects that could run code, which are not opened"
        ) from None
    if not isinstance(content, dict):
        raise ForetellError(f"{path} holds a {type(content).__name__}, expected a dictionary of tensors")
    return content
