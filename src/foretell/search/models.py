"""Models by name: text models, world models for photographs and videos, and rerankers, each loaded once a process."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from foretell.errors import ForetellError
from foretell.search import embed, late, rerank
from foretell.search.runtime import plain

if TYPE_CHECKING:
    from foretell.search.images import ImageModel


def load_model(name: str) -> embed.TextModel | ImageModel:
    """A text model or a world model by its name or folder; loaded once.

    Raises:
        ForetellError: there is no such model.
    """
    with _loading:
        return _load_model(name)


def load_reranker(name: str = rerank.DEFAULT) -> rerank.Reranker | late.LateInteraction:
    """A reranker by its name or folder, a cross-encoder or a ColBERT; loaded once.

    Raises:
        ForetellError: there is no such reranker, or it cannot be loaded.
    """
    with _loading:
        return _load_reranker(name)


_loading = threading.Lock()  # or else two first queries load two


@lru_cache(maxsize=4)
def _load_model(name: str) -> embed.TextModel | ImageModel:
    folder = Path(name).expanduser()
    if embed.known(name) or (folder / "tokenizer.json").is_file():
        return embed.TextModel(name)
    from foretell import hub

    if folder.exists() or name in hub.models():
        from foretell.search import images

        return images.load(name)
    raise ForetellError(
        f"there is no model {name!r}: expected {', '.join(embed.SPECS)}, {', '.join(hub.models())}, "
        "or the folder of a text model or a world model"
    )


@lru_cache(maxsize=2)
def _load_reranker(name: str) -> rerank.Reranker | late.LateInteraction:
    if late.spec_of(name):
        return late.LateInteraction(name)
    if rerank.known(name) or Path(name).expanduser().is_dir():
        return rerank.Reranker(name)
    raise ForetellError(
        f"there is no reranker {name!r}: expected a folder, or one of {', '.join((*rerank.SPECS, *late.SPECS))}"
    )


def canonical(model: str) -> str:
    """A known text model by its one name, a folder by its whole path, anything else as it is."""
    if Path(model).expanduser().is_dir():
        return str(Path(model).expanduser().resolve())
    return next((name for name in embed.SPECS if plain(name) == plain(model)), model)
