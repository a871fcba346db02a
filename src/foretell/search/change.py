"""What is written when the contents of a knowledge change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from foretell.errors import ForetellError
from foretell.search import entries
from foretell.search.entries import Draft, Entry, Value
from foretell.search.models.onnx import texts_of
from foretell.search.models.text import TextModel, embed
from foretell.search.storage.protocol import AddedFile, name_of

if TYPE_CHECKING:
    from foretell.search.models.media import ImageModel


def of_texts(
    model: TextModel | ImageModel,
    texts: Sequence[str],
    metadata: Sequence[Mapping[str, Value]] | None,
    *,
    progress: bool,
) -> list[Draft]:
    """Entries of texts, embedded. Arguments and errors as of `Knowledge.insert`."""
    fields = entries.metadata_for(texts, metadata)
    texts_of(texts, "text")
    if model.kind != "text":
        raise ForetellError(f"this knowledge contains {model.of} ({model.name}): it takes files of them, not texts")
    vectors = embed(model, texts, progress=progress)
    return [Draft(t, v, metadata=m) for t, v, m in zip(texts, vectors, fields, strict=True)]


def of_vectors(
    vectors: ArrayLike, metadata: Sequence[Mapping[str, Value]] | None, texts: Sequence[str] | None
) -> list[Draft]:
    """Entries of vectors. Arguments and errors as of `Knowledge.insert_vectors`."""
    matrix = entries.as_vectors(vectors)
    fields = entries.metadata_for(matrix, metadata)
    texts = [str(m.get("text", "")) for m in fields] if texts is None else texts
    if len(texts) != len(matrix):
        raise ForetellError(f"there are {len(matrix)} vectors and {len(texts)} texts: expected as many")
    return [Draft(t, v, metadata=m) for t, v, m in zip(texts, matrix, fields, strict=True)]


def vector_of(
    old: Entry, text: str | None, vector: ArrayLike | None, model: Callable[[], TextModel | ImageModel]
) -> tuple[np.ndarray | None, str | None]:
    """The new vector of an entry, and the fingerprint of its model; None for the old one, and for an unknown model.

    Raises:
        ForetellError: the vector is not valid, or a text is new and the knowledge contains no texts.
    """
    if vector is not None:
        return entries.as_vectors([vector])[0], None
    if text is None or text == old.text:
        return None, None
    embedder = model()
    if embedder.kind != "text":
        raise ForetellError(f"this knowledge contains {embedder.of}: give the vector with the text")
    return embedder.passages([text])[0], embedder.fingerprint


def place_of(files: Mapping[str, AddedFile], file: str | Path) -> str:
    """The place of a file by its path, or by its name. Raises ForetellError where none has this name, or several."""
    own, asked = str(Path(file).resolve()), str(file)
    found = [own] if own in files else [place for place, each in files.items() if each.name == asked]
    found = found or [place for place in files if name_of(place) == asked]
    if not found:
        raise ForetellError(f"no file {asked!r:.200} was added here")
    if len(found) > 1:
        names = ", ".join(sorted(repr(files[place].name) for place in found)[:10])
        raise ForetellError(f"{len(found)} files called {asked!r:.200} were added here: give one of {names}")
    return found[0]
