"""A few samples, column by column.

    batch = videos.batch([0, 1, 2])
    batch.pixels                     # uint8 [3, 3, T, size, size]
    batch["labels"]                  # int64 [3]
    batch = batch.to("cuda")

B samples of the batch
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from foretell.errors import ForetellError


@dataclass(frozen=True, eq=False)
class Ragged:
    """A list a sample, each of its own length.

    Sample i has `values[offsets[i] : offsets[i + 1]]`. Values may be ragged lists themselves. A text is a list of
    bytes, so the captions of an image are a list of lists of bytes.
    """

    values: Tensor | Ragged
    """All lists behind one another: [total, ...]."""
    offsets: Tensor
    """int64 [B + 1], from 0 to the total."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, sample: int) -> Tensor | Ragged:
        """The list of one sample, a view. Raises IndexError where there is no such sample: so a loop ends."""
        if not 0 <= sample < len(self):
            raise IndexError(f"sample {sample} of {len(self)}")
        return self.part(sample, sample + 1).values

    def part(self, start: int, stop: int) -> Ragged:
        """The lists from one number to before another."""
        offsets = self.offsets[start : stop + 1]
        first, last = int(offsets[0]), int(offsets[-1])
        values = self.values[first:last] if isinstance(self.values, Tensor) else self.values.part(first, last)
        return Ragged(values, offsets - first)

    def texts(self) -> list[Any]:
        """The texts that bytes (UTF-8) stand for: a string a list, or a list of strings where lists are nested."""
        bounds = self.offsets.tolist()
        if isinstance(self.values, Ragged):
            inner = self.values.texts()
            return [inner[start:stop] for start, stop in pairwise(bounds)]
        data = self.values.cpu().numpy().tobytes()
        return [data[start:stop].decode() for start, stop in pairwise(bounds)]


class Batch:
    """Columns by name, all of B samples.

    Args:
        columns: tensors [B, ...], or `Ragged` of B lists.
    """

    def __init__(self, **columns: Tensor | Ragged) -> None:
        sizes = {name: len(column) for name, column in columns.items()}
        if len(set(sizes.values())) != 1:
            raise ForetellError(f"the batch has {sizes or 'no column'}, expected columns of one length")
        self._columns = columns

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> Tensor:
        """A column [B, ...]. Raises ForetellError where there is none, or where it is ragged."""
        if isinstance(found := self._found(name), Tensor):
            return found
        raise ForetellError(f"column {name!r} has a list for each sample: ask for `batch.ragged({name!r})`")

    def ragged(self, name: str) -> Ragged:
        """A column of lists. Raises ForetellError where there is none, or where it is not ragged."""
        if isinstance(found := self._found(name), Ragged):
            return found
        raise ForetellError(f"column {name!r} is not ragged: ask for `batch[{name!r}]`")

    @property
    def pixels(self) -> Tensor:
        """Pictures: uint8 [B, 3, H, W], or clips [B, 3, T, H, W]."""
        return self["pixels"]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same on another device. `non_blocking` does not wait for a copy out of pinned memory."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The same batch in pinned memory, from which a device can copy."""
        return self.map(Tensor.pin_memory)

    def map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The same with every tensor changed, those of ragged columns too."""
        return Batch(**{name: _mapped(column, change) for name, column in self._columns.items()})

    def _found(self, name: str) -> Tensor | Ragged:
        if name not in self._columns:
            raise ForetellError(f"column is {name!r}, expected one of {', '.join(self._columns)}")
        return self._columns[name]


def _mapped(column: Tensor | Ragged, change: Callable[[Tensor], Tensor]) -> Tensor | Ragged:
    if isinstance(column, Tensor):
        return change(column)
    return Ragged(_mapped(column.values, change), change(column.offsets))
