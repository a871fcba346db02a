"""Labelled rows of features, or of pixels, as XRM learns from them; and which of them are for validation.

N rows · D width of a row · S side of a picture in pixels
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from foretell.augment import to_float
from foretell.data import Columns, Images, Pictures, Records, Skipped
from foretell.data.columns import Column
from foretell.data.images.grouped import GroupedImages
from foretell.errors import ForetellError
from foretell.evaluate import features
from foretell.method import Method
from foretell.progress import watched
from foretell.robust.encoders import FrozenEncoder

EVERY = 5
"""Every so many rows of a class are for validation."""
LEAST = 3
"""Rows that a class needs."""
PART = 4096
"""Rows that are compared at a time."""
ENCODED = 64
"""Pictures that a named encoder sees at a time."""


@dataclass(frozen=True)
class Labelled:
    """Rows with labels, and with groups where they are known."""

    x: Tensor = field(repr=False)
    """Vectors [N, D], or pixels uint8 [N, 3, S, S]; of large data a memory map."""
    y: Int[Tensor, " N"] = field(repr=False)
    classes: tuple[str, ...]
    group: Int[Tensor, " N"] | None = field(default=None, repr=False)
    """Number of the known group; −1 where a row has none."""
    groups: tuple[str, ...] = ()
    """Their names."""
    pictures: Images | None = field(default=None, repr=False)
    """What the rows were made of."""
    skipped: tuple[Skipped, ...] = field(default=(), repr=False)
    """What could not be used."""

    @property
    def files(self) -> list[str] | None:
        """The names of the pictures, where they are known."""
        return self.pictures.facts().files if isinstance(self.pictures, GroupedImages) else None


def labelled(data: Columns, model: Method | FrozenEncoder | None = None, *, progress: str | None = None) -> Labelled:
    """A data set as rows: vectors as they are, pictures as a model's features, or as pixels without one.

    Args:
        data: vectors with labels (`foretell.data.Vectors`), or labelled pictures.
        model: makes features of pictures; None for their pixels.
        progress: what to call the work on a progress bar; None for no bar.

    Raises:
        ForetellError: there are no labels, or vectors come with a model.
    """
    if data.labels is None:
        raise ForetellError(f"{_unlabelled(data)}, expected a class for each row, two classes or more")
    names = data.names.get("groups", ()) if isinstance(data, Records | GroupedImages) else ()
    group = _whole(data.stored["groups"], data) if "groups" in data.stored else None
    if isinstance(data, Records):
        if model is not None:
            raise ForetellError("these rows are vectors already, expected pictures, or leave --features out")
        x = _whole(data.stored["features"], data)
        return Labelled(x, *_present(data.labels, data.classes), group, names, skipped=data.skipped)
    if not isinstance(data, Pictures):
        raise ForetellError(f"found a {type(data).__name__}, expected pictures, or vectors with labels")
    if model is None and not isinstance(data, Images):
        raise ForetellError("clips need a model that makes features of them: name one by --features")
    x = _whole(data.stored["pixels"], data) if model is None else _features(model, data, progress)
    pictures = data if isinstance(data, Images) else None
    return Labelled(x, *_present(data.labels, data.classes), group, names, pictures, data.skipped)


def _present(y: Int[Tensor, " N"], classes: tuple[str, ...]) -> tuple[Tensor, tuple[str, ...]]:
    """Labels and names of the classes that have rows."""
    there = torch.bincount(y, minlength=len(classes)) > 0
    if there.all():
        return y, classes
    return (there.cumsum(0) - 1)[y], tuple(
        name for name, any_rows in zip(classes, there.tolist(), strict=True) if any_rows
    )


def check(rows: Labelled) -> None:
    """Refuse rows in which there is nothing to discover.

    Raises:
        ForetellError: one class, a class with fewer than three rows, or rows that are all alike.
    """
    enough(rows.y, rows.classes)
    if not any(bool((part != rows.x[:1]).any()) for part in rows.x.split(PART)):
        raise ForetellError(f"all rows are alike: {len(rows.y):,} times the same numbers, expected rows that differ")


def enough(y: Int[Tensor, " N"], classes: Sequence[str]) -> None:
    """Refuse labels of which a class cannot be learned and validated.

    Raises:
        ForetellError: one class, or a class with one or two rows; a class without rows does not count.
    """
    counts = torch.bincount(y, minlength=len(classes)).tolist()
    there = {name: count for name, count in zip(classes, counts, strict=True) if count}
    if len(there) < 2:
        raise ForetellError(
            f"found 1 class ({', '.join(there)}) among the labels, expected two or more: a shortcut goes with a class "
            "and not with another"
        )
    if few := [name for name, count in there.items() if count < LEAST]:
        count = there[few[0]]
        raise ForetellError(
            f"class {few[0]} has {'one row' if count == 1 else f'{count} rows'}, expected {LEAST} or more: two to "
            "learn from and one to validate. Leave the class out, or join it with another"
        )


def _features(model: Method | FrozenEncoder, data: Pictures, progress: str | None) -> Tensor:
    if isinstance(model, Method):
        return features(model, data, progress=progress)
    with torch.no_grad():
        parts = watched(torch.arange(len(data)).split(ENCODED), progress)
        return torch.cat([model.features(to_float(data.take(part))) for part in parts])


def _unlabelled(data: Columns) -> str:
    if data.skipped and "label" in data.skipped[0].reason:
        return f"no row has a usable label ({data.skipped[0].name}: {data.skipped[0].reason})"
    return "this data has no labels"


def _whole(column: Column, data: Columns) -> Tensor:
    """A column of a selection: where it is all of a memory map, nothing is copied."""
    if isinstance(column, np.ndarray) and data.rows is None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
            return torch.from_numpy(column)  # never written to
    return torch.from_numpy(np.asarray(column.take(data.at(np.arange(len(data))), axis=0)))


def held_out(y: Int[Tensor, " N"], seed: int = 0) -> Bool[Tensor, " N"]:
    """Every fifth row of each class, in an order that `seed` draws."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    order = order[y[order].argsort(stable=True)]
    mask = torch.zeros(len(y), dtype=torch.bool)
    mask[order[EVERY // 2 :: EVERY]] = True
    return mask
