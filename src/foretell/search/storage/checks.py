"""Checks of every store before it writes or searches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretell.errors import ForetellError
from foretell.search.entries import Draft


def check_query(vector: np.ndarray, dimension: int) -> None:
    """Check that a query [D] is as long as the stored vectors.

    Raises:
        ForetellError: it has another length.
    """
    if len(vector) != dimension:
        raise ForetellError(f"the vector has {len(vector)} numbers, but this knowledge has {dimension}")


def check_model(fingerprint: str | None, stored: str | None) -> None:
    """Check that new vectors come from the model that made the stored ones.

    Args:
        fingerprint: that of the model of the new vectors; None for vectors of unknown origin.
        stored: that of the model of the stored vectors; None if there is none yet.

    Raises:
        ForetellError: they come from another model.
    """
    if fingerprint and stored not in (None, fingerprint):
        raise ForetellError("this knowledge was embedded by another model: its vectors mean other things")


def check_widths(drafts: Sequence[Draft], dimension: int) -> None:
    """Check that every new vector has D numbers.

    Raises:
        ForetellError: one has another length.
    """
    for place, draft in enumerate(drafts):
        if len(draft.vector) != dimension:
            raise ForetellError(f"vector {place} has {len(draft.vector)} numbers, expected {dimension}")
