"""Entries in their written, stored and found forms, and checks of their contents.

n entries · D width
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float32

from foretell.errors import ForetellError

Value: TypeAlias = str | int | float | bool
LARGEST = 48_000
"""Bytes of a thumbnail, at most: in base64 a Milvus server takes no more."""


@dataclass(frozen=True)
class Hit:
    """An entry that a search found."""

    id: int
    key: str
    """32 hexadecimal digits. It stays as long as the passage does, also when its file changes or is exported."""
    score: float
    """Results are sorted by it, highest first. It is the last of the scores below that the search computed."""
    text: str
    page: int | None
    time: tuple[float, float] | None
    metadata: dict[str, Value]
    scores: dict[str, float] = field(default_factory=dict)
    """`vector`: cosine similarity, −1 to 1. `words`: BM25. `fused`: reciprocal rank fusion. `rerank`: 0 to 1 from a
    cross-encoder, −1 to 1 from a ColBERT. `blended`: the mean of that and of the score before, on the same scale.
    `mixed`: cosine of words and a photograph that was mixed for them."""
    has_thumbnail: bool = False
    """Whether the store keeps a small picture of it: see `Knowledge.thumbnail`."""


@dataclass(frozen=True)
class Entry:
    """An entry as it is stored."""

    id: int
    key: str
    text: str
    page: int | None
    time: tuple[float, float] | None
    metadata: dict[str, Value]
    vector: Float32[np.ndarray, " D"]
    has_thumbnail: bool = False
    """As of `Hit`."""


@dataclass(frozen=True)
class Draft:
    """An entry that will be written."""

    text: str
    vector: Float32[np.ndarray, " D"]
    page: int | None = None
    time: tuple[float, float] | None = None
    metadata: Mapping[str, Value] = field(default_factory=dict)
    key: str | None = None
    """None for a random key."""
    thumbnail: bytes | None = None
    """The file of a small picture (WebP). None leaves that of the entry with this key as it is."""


def as_draft(entry: Entry, thumbnail: bytes | None = None) -> Draft:
    """An entry as a draft, to write it again."""
    return Draft(entry.text, entry.vector, entry.page, entry.time, entry.metadata, entry.key, thumbnail)


def changed(entry: Entry, text: str | None, vector: np.ndarray | None, metadata: Mapping[str, Value] | None) -> Draft:
    """An entry with new contents, to write it again; None leaves one as it is. Raises ForetellError as `checked`."""
    draft = as_draft(entry)
    return checked(
        replace(
            draft,
            text=draft.text if text is None else text,
            vector=draft.vector if vector is None else vector,
            metadata=draft.metadata if metadata is None else metadata,
        )
    )


def as_vectors(values: Any) -> Float32[np.ndarray, "n D"]:
    """Vectors as a matrix.

    Raises:
        ForetellError: they are empty, have different lengths, contain a number that is not finite, or only zeros.
    """
    try:
        with np.errstate(over="ignore"):  # an overflow gives a number that is not finite, which is refused below
            matrix = np.asarray(values, np.float32)
    except (ValueError, TypeError, OverflowError):
        raise ForetellError("the vectors are not numbers, or not all of one length") from None
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ForetellError(f"the vectors have the shape {matrix.shape}, expected n rows of D numbers")
    norms = np.linalg.norm(matrix, axis=1)
    wrong = np.flatnonzero(~(np.isfinite(norms) & (norms > 1e-30)))
    if not len(wrong):
        return matrix
    row = int(wrong[0])
    if not np.isfinite(matrix[row]).all():
        raise ForetellError(f"vector {row} holds a number that is not finite")
    raise ForetellError(f"vector {row} has length {norms[row]:g}, so it has no direction to compare")


def checked(draft: Draft) -> Draft:
    """Check that an entry can be stored and found again. Raises ForetellError."""
    text_of("text", draft.text)
    text_of("key", draft.key or "")
    if not isinstance(draft.metadata, Mapping):
        raise ForetellError(f"metadata is {draft.metadata!r:.60}, expected a mapping")
    for name, value in draft.metadata.items():
        text_of("metadata: a name", name)
        if isinstance(value, str):
            text_of(f"metadata: {name}", value)
        elif not isinstance(value, (int, float)) or (isinstance(value, float) and not np.isfinite(value)):
            raise ForetellError(f"metadata: {name} is {value!r:.60}, expected text, a finite number or truth")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ForetellError(f"metadata: {name} is a number of {value.bit_length()} bits, expected at most 64")
    if len(draft.thumbnail or b"") > LARGEST:
        raise ForetellError(f"a thumbnail has {len(draft.thumbnail or b''):,} bytes, expected at most {LARGEST:,}")
    as_vectors(draft.vector[None])
    return draft


def text_of(what: str, text: object) -> None:
    """Check that a value is text that can be stored. Raises ForetellError."""
    if not isinstance(text, str):
        raise ForetellError(f"{what} is {text!r:.60}, expected text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ForetellError(f"{what} holds half a character (a lone surrogate), which is not text") from None


def metadata_for(
    entries: Sequence[Any] | np.ndarray, metadata: Sequence[Mapping[str, Value]] | None
) -> Sequence[Mapping[str, Value]]:
    """For each entry its metadata; empty ones where none are given.

    Raises:
        ForetellError: there is not one mapping for each entry.
    """
    if metadata is None:
        return [{}] * len(entries)
    if len(metadata) != len(entries) or not all(isinstance(m, Mapping) for m in metadata):
        raise ForetellError(
            f"there are {len(entries)} entries and {len(metadata)} metadata: expected a mapping for each"
        )
    return metadata
