"""Save, load and share models: a folder of config.json, model.safetensors and a model card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from foretell import shipped
from foretell.errors import ForetellError, near
from foretell.hub import official
from foretell.hub.files import (
    built,
    finite,
    from_config,
    read_json,
    read_metadata,
    read_weights,
    to_config,
    write_atomically,
    write_json,
    write_weights,
)
from foretell.method import Method, parameters
from foretell.shipped import card, models

__all__ = ["card", "load", "models", "push", "save", "trained_on"]

HUB = "hf://"
"""Before the name of a repository of the Hugging Face hub. A mistyped folder must not ask for a stranger's."""


def save(model: Method, folder: str | Path, card: str | None = None, dtype: torch.dtype | None = None) -> Path:
    """Save a model so that `load` gives it back.

    Args:
        model: any registered method.
        folder: made if need be; holds config.json, model.safetensors and README.md afterwards.
        card: Markdown for README.md; None writes a short one.
        dtype: store floats in this type (float16 halves the file); None keeps float32.

    Returns:
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.json"
    known = read_json(config) if config.is_file() else {}  # a run folder keeps what else it says of itself
    known = {key: value for key, value in known.items() if key not in ("untrained", "source")}
    tensors = {name: t.to(dtype) if dtype and t.is_floating_point() else t for name, t in model.state_dict().items()}
    write_weights(folder / "model.safetensors", tensors, {"format": "foretell"})
    write_json(config, known | to_config(model))
    write_atomically(folder / "README.md", card or model_card(model, folder.name))
    return folder


def load(name: str | Path, device: torch.device | str = "cpu") -> Any:
    """Load a model, ready to use.

    Args:
        name: a shipped model's name (`foretell.models()`), a folder written by `save` or by a training run (finished
            or not: then its newest checkpoint), a .safetensors file inside one, official weights (see
            `foretell.hub.official`), or a Hugging Face repository as `hf://user/name`, which is downloaded.
        device: the device of the model.

    Returns:
        The model in evaluation mode. It is a `Method`, most often a `JEPA`; the folder decides which.

    Warns:
        ForetellWarning: official weights hold an encoder only, so the predictor is untrained.

    Raises:
        ForetellError: there is no such model, a file is missing, truncated or foreign, or its method is not installed
            and not imported (see `foretell.registry`). A file's record of its method is never run.
    """
    path = _find(name)
    if not _own(path):
        return official.load(path).to(device).eval()
    path = _weights(path) if path.is_dir() else path
    folder = _folder(path)
    inside = folder != path.parent  # checkpoints hold the optimiser's state as well
    config = read_json(folder / "config.json")
    if "classifier" in config:
        raise ForetellError(f"{folder} holds a classifier: foretell.finetune.load_classifier loads it")
    tensors = read_weights(path)
    if inside:
        tensors = {key.removeprefix("model."): t for key, t in tensors.items() if key.startswith("model.")}
    return built(lambda: from_config(config, folder / "config.json"), tensors, path).to(device).eval()


def trained_on(name: str | Path) -> str | None:
    """Fingerprint of the data that a run learned from (see `foretell.data`), by the name that `load` takes.

    None if a model has no such record: it was made by hand, or is official.
    """
    path = _find(name)
    return read_json(_folder(path) / "config.json").get("data", {}).get("fingerprint") if _own(path) else None


def training(name: str | Path) -> dict[str, Any] | None:
    """How a run was trained, as its config.json has it; None if a model has no such record."""
    path = _find(name)
    return read_json(_folder(path) / "config.json").get("train") if _own(path) else None


def folder_of(name: str | Path) -> Path:
    """The folder of a model, by the name that `load` takes. Raises ForetellError where there is none."""
    return _folder(_find(name))


def push(model: Method, repository: str, card: str | None = None, private: bool = False) -> str:
    """Upload a model to the Hugging Face hub; returns its address. Needs `hf auth login` once."""
    from tempfile import TemporaryDirectory

    from huggingface_hub import HfApi

    api = HfApi()
    address = api.create_repo(repository, private=private, exist_ok=True)
    with TemporaryDirectory() as folder:
        api.upload_folder(repo_id=repository, folder_path=save(model, Path(folder) / repository.split("/")[-1], card))
    return str(address)


def _find(name: str | Path) -> Path:
    path = Path(name)
    if str(name) in models():
        return shipped.SHIPPED / str(name)
    if path.exists():
        return path
    if str(name).startswith(HUB):
        repository = str(name).removeprefix(HUB)
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise ForetellError(f"{str(name)!r} is no repository of the hub: expected {HUB}user/name")
        return _download(repository)
    hint = f"; {HUB}{name} would ask the Hugging Face hub" if re.fullmatch(r"[\w-]+/[\w.-]+", str(name)) else ""
    meant = near(str(name), models())
    raise ForetellError(
        f"there is no model {str(name)!r}{meant}: expected a folder, or one of {', '.join(models())}{hint}"
    )


def _folder(path: Path) -> Path:
    """The folder of a model, of its weights, or of a checkpoint of its run."""
    if path.is_dir():
        return path
    return path.parent.parent if path.parent.name == "checkpoints" else path.parent


def _own(path: Path) -> bool:
    """Whether a file or folder is foretell's own, and not official weights."""
    if path.is_dir():
        return not (path / "config.json").is_file() or "method" in read_json(path / "config.json")
    if path.suffix != ".safetensors":
        return False
    metadata = read_metadata(path)
    return metadata.get("format") == "foretell" or "step" in metadata  # a model, or a checkpoint of a run


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        said = ["config.json", "preprocessor_config.json", "video_preprocessor_config.json", "README.md"]
        weights = ["model*.safetensors", "model.safetensors.index.json"]
        words = ["tokenizer*.json", "special_tokens_map.json", "vocab.json", "merges.txt", "spiece.model"]
        return Path(snapshot_download(repository, allow_patterns=said + weights + words))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ForetellError(f"the Hugging Face hub gave no model {repository!r} ({reason})") from None


def _weights(folder: Path) -> Path:
    """The finished model of a run, or its newest good checkpoint. Others are passed over, as `--resume` does."""
    finished = folder / "model.safetensors"
    checkpoints = sorted((folder / "checkpoints").glob("step-*.safetensors"), reverse=True)
    if finished.is_file() or not checkpoints:
        return finished
    return next(filter(_good, checkpoints), checkpoints[0])


def _good(path: Path) -> bool:
    """Whether a checkpoint is whole and finite."""
    try:
        finite(read_weights(path), path)
        return bool(read_metadata(path))
    except ForetellError:
        return False


def model_card(model: Method, name: str) -> str:
    """A short model card, in Markdown: what the model is, and the lines that load it."""
    config = to_config(model)
    sizes = ", ".join(
        f"{name} of {parameters(module):,} parameters{', which is untrained' if name == model.untrained else ''}"
        for name, module in model.trained().items()
    )
    return f"""---
library_name: foretell
tags: [representation-learning, {config["method"]}]
---

# {name}

A foretell model, `{config["method"]}`: {sizes}.

```python
import foretell

model = foretell.load("{name}")
{model.example}
```
"""
