"""Which environment each row belongs to: what XRM found, what people wrote down, or the class alone.

N rows
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from foretell.data import Columns, Records
from foretell.data.images.grouped import GroupedImages
from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.robust.rows import held_out

LABEL = "label"
"""Names no column: a class is a group."""
GROUP = "groups"
"""The column that a table's `group` is read into."""


class Environments(NamedTuple):
    """The environments of a data set."""

    of: Int[Tensor, " N"]
    """0 to E − 1."""
    names: tuple[str, ...]
    """Of the environments."""


def columns(data: Columns) -> list[str]:
    """The columns that can say which group a row belongs to."""
    return [
        name for name, kind in data.columns.items() if kind.dtype == "int64" and not kind.shape and name != "labels"
    ]


def column(data: Columns, name: str) -> Environments:
    """The environments that a column of a data set says.

    Args:
        data: what has the column.
        name: of a column of whole numbers; `group` for the groups; `label` for one environment, so that a class is a
            group.

    Raises:
        ForetellError: the data has no such column.
    """
    if name == LABEL:
        return Environments(torch.zeros(len(data), dtype=torch.int64), ("all",))
    key = GROUP if name == "group" else name
    if key not in columns(data):
        there = ", ".join([LABEL, *columns(data)])
        raise ForetellError(f"{name}: there is no such column of groups, expected one of {there}")
    stored = np.asarray(data.stored[key].take(data.at(np.arange(len(data))), axis=0), np.int64)
    if (stored < 0).any():
        lacking = int((stored < 0).sum())
        raise ForetellError(f"{name}: {lacking:,} of {len(stored):,} rows have no group, expected one for each row")
    found, of = torch.from_numpy(stored).unique(return_inverse=True)
    names = data.names.get(key, ()) if isinstance(data, Records | GroupedImages) else ()
    return Environments(of, tuple(names[e] if e < len(names) else str(e) for e in found.tolist()))


def measured(groups: str, test: Columns) -> str:
    """Which column of a test set has the groups to measure, after training on `groups`: the same column, or the groups
    that are known; `label` where there is neither.
    """
    there = columns(test)
    return next((name for name in (groups, GROUP) if name in there), LABEL)


def labels(data: Columns, name: str, classes: tuple[str, ...] | None = None) -> Int[Tensor, " N"]:
    """The labels of a data set, as places in `classes` (None: in its own). Errors call it `name`.

    Raises:
        ForetellError: there are none, or a class is not in `classes`.
    """
    if data.labels is None:
        raise ForetellError(f"{name} has no labels of two classes or more, expected a class for every row")
    if classes is None or data.classes == classes:
        return data.labels
    if foreign := [each for each in data.classes if each not in classes]:
        raise ForetellError(f"{name} has classes that were not trained: {', '.join(foreign[:4])}")
    return torch.tensor([classes.index(each) for each in data.classes])[data.labels]


def groups(
    spec: str, data: Columns, y: Int[Tensor, " N"], classes: tuple[str, ...], seed: int = 0
) -> tuple[Environments, Bool[Tensor, " N"]]:
    """The environments to train on, and which rows are for validation.

    Args:
        spec: environments.parquet of `foretell discover`, or what `column` takes.
        data: that the file was made of, or that has the column.
        y: its labels.
        classes: their names.
        seed: holds every fifth row of each group back, where no file says which.

    Raises:
        ForetellError: the file cannot be read or was made of other data, or there is no such column.
    """
    if not (spec.endswith(".parquet") or Path(spec).is_file()):
        found = column(data, spec)
        return found, held_out(y * len(found.names) + found.of, seed)
    parquet = needed("pyarrow.parquet", "reading environments")
    try:
        table = parquet.read_table(spec, columns=["row", "label", "environment", "part"]).to_pydict()
    except Exception as error:  # pyarrow raises whatever its parsing stumbles over
        raise ForetellError(
            f"{spec}: cannot be read as the environments of `foretell discover` ({str(error).splitlines()[0]})"
        ) from None
    if len(table["row"]) != len(y):
        raise ForetellError(
            f"{spec}: has {len(table['row'])} rows and the data has {len(y)}, expected the environments of "
            "this very data"
        )
    for row, (place, label, known) in enumerate(zip(table["row"], table["label"], y.tolist(), strict=True)):
        if place != row or str(label) != classes[known]:
            raise ForetellError(
                f"{spec}: line {row} is row {place} of class {label}, and row {row} of the data is of class "
                f"{classes[known]}, expected the environments of this very data, in its order"
            )
    names = tuple(map(str, range(1 + max(table["environment"]))))
    part = torch.tensor([name == "validation" for name in table["part"]])
    if not part.any() or part.all():
        raise ForetellError(f"{spec}: its column `part` must name rows for train and rows for validation")
    return Environments(torch.tensor(table["environment"]), names), part
