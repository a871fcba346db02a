"""Load models by name: text models, world models for photographs and videos, and rerankers.

A process loads each model once.
"""

from __future__ import annotations

import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from foretell.errors import ForetellError
from foretell.search.models import colbert, cross_encoder, text
from foretell.search.models.onnx import plain

if TYPE_CHECKING:
    from foretell.search.models.media import ImageModel


def load_model(name: str) -> text.TextModel | ImageModel:
    """A text model or a world model by its name or folder.

    Raises:
        ForetellError: there is no such model.
    """
    with _loading:
        return _load_model(name)


def load_reranker(name: str = cross_encoder.DEFAULT) -> cross_encoder.Reranker | colbert.LateInteraction:
    """A cross-encoder or a ColBERT by its name or folder.

    Raises:
        ForetellError: there is no such reranker, or it cannot be loaded.
    """
    with _loading:
        return _load_reranker(name)


_loading = threading.Lock()  # two first queries must not load a model twice


@lru_cache(maxsize=4)
def _load_model(name: str) -> text.TextModel | ImageModel:
    folder = Path(name).expanduser()
    if text.known(name) or ((folder / "tokenizer.json").is_file() and not _towers(folder)):
        return text.TextModel(name)
    from foretell.search.models import media, words  # bring torch, which takes seconds and texts do not need

    if folder.exists() or name in media.names():
        return words.load(name)
    raise ForetellError(
        f"there is no model {name!r}: expected {', '.join(text.SPECS)}, {', '.join(media.names())}, "
        "or the folder of a text model or a world model"
    )


@lru_cache(maxsize=2)
def _load_reranker(name: str) -> cross_encoder.Reranker | colbert.LateInteraction:
    if colbert.spec_of(name):
        return colbert.LateInteraction(name)
    if cross_encoder.known(name) or Path(name).expanduser().is_dir():
        return cross_encoder.Reranker(name)
    known = ", ".join((*cross_encoder.SPECS, *colbert.SPECS))
    raise ForetellError(f"there is no reranker {name!r}: expected a folder, or one of {known}")


def _towers(folder: Path) -> bool:
    """Whether a folder with a tokenizer is a CLIP or a SigLIP, which is of pictures, too."""
    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("model_type") in ("clip", "siglip", "siglip2")


def is_shipped(model: str) -> bool:
    """Whether a text model is known by this name, or a world model is shipped under it."""
    if text.known(model):
        return True
    from foretell.search.models import media  # as above

    return model in media.names()


def canonical(model: str) -> str:
    """The name to store for a model: a known text model's own name, a folder's whole path, any other name as it is."""
    if Path(model).expanduser().is_dir():
        return str(Path(model).expanduser().resolve())
    return next((name for name in text.SPECS if plain(name) == plain(model)), model)
