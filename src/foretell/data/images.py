"""What every source becomes: decoded photographs in one array, ready to index."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

Index: TypeAlias = Tensor | np.ndarray | Sequence[int]


class Skipped(NamedTuple):
    """An image that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded photographs, ready to index.

    pixels: uint8 [R, 3, size, size] in 0..255, usually a read-only memory map.
    labels: int64 [N], or None where the source has no labels.
    classes: names of the classes, `classes[label]`; () without labels.
    skipped: every image of the source that could not be used, with the reason.
    fingerprint: identifies this exact data: source, size and selection.
    rows: int64 [N], the rows of `pixels` that make up this selection; None means all of them, N = R.
        Read through `take`, which knows about them.
    """

    pixels: np.ndarray = field(repr=False)
    labels: Tensor | None = field(repr=False)
    classes: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    fingerprint: str
    rows: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.pixels) if self.rows is None else len(self.rows)

    def take(self, index: Index) -> Tensor:
        """The images at `index` (integers, or a boolean mask of length N): uint8 [B, 3, size, size], a copy.

        Raises IndexError outside -N..N-1.
        """
        index = _positions(index, len(self))
        return torch.from_numpy(np.take(self.pixels, index if self.rows is None else self.rows[index], axis=0))

    def subset(self, index: Index) -> "Images":
        """The images at `index` in that order, with their labels. Shares the memory map; copies no pixel."""
        index = _positions(index, len(self))
        return Images(
            pixels=self.pixels,
            labels=None if self.labels is None else self.labels[torch.from_numpy(index)],
            classes=self.classes,
            skipped=self.skipped,
            fingerprint=hashlib.sha256(self.fingerprint.encode() + index.tobytes()).hexdigest()[:32],
            rows=index if self.rows is None else self.rows[index],
        )


def _positions(index: Index, n: int) -> np.ndarray:
    """`index` as int64 positions in 0..n-1, so that equal selections have equal fingerprints."""
    index = np.asarray(index.cpu() if isinstance(index, Tensor) else index)
    if index.dtype == bool:
        if index.shape != (n,):
            raise IndexError(f"a mask over {n} images must have shape ({n},), not {index.shape}")
        return np.flatnonzero(index)
    if len(index) and not np.issubdtype(index.dtype, np.integer):
        raise IndexError(f"images are indexed by integers or a boolean mask, not {index.dtype}")
    return np.arange(n)[index.astype(np.int64)]
