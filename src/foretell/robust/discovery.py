"""Discover environments in a data set, and say in numbers how far they can be trusted.

    found = discovery(table, features="iwm-mini")
    found.report["flip_rate"], found.environment

N rows
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell.data import Columns, Pictures, Records
from foretell.data.images.grouped import GroupedImages
from foretell.errors import ForetellError
from foretell.evaluate import features
from foretell.evaluate.intervals import Z
from foretell.method import Method
from foretell.robust.twins import Settings, TwinConfig
from foretell.robust.xrm import Discovery, discover

EVERY = 5
"""Every so many rows of a class are for validation."""


@dataclass(frozen=True)
class Labelled:
    """Rows with labels, and with groups where they are known."""

    x: Float[Tensor, "N D"] = field(repr=False)
    y: Int[Tensor, " N"] = field(repr=False)
    classes: tuple[str, ...]
    group: Int[Tensor, " N"] | None = field(default=None, repr=False)
    """Number of the known group; −1 where a row has none."""
    groups: tuple[str, ...] = ()
    """Their names."""


def labelled(data: Columns, model: Method | None = None, *, progress: str | None = None) -> Labelled:
    """A data set as rows of features.

    Args:
        data: vectors with labels (`foretell.data.Vectors`), or labelled pictures with a model.
        model: makes features of pictures.
        progress: what to call the work on a progress bar; None for no bar.

    Raises:
        ForetellError: there are no labels, or pictures come without a model.
    """
    if data.labels is None:
        raise ForetellError("this data has no labels of two classes or more; expected a class for every row")
    if isinstance(data, Records):
        batch = data.batch(range(len(data)))
        group = batch["groups"] if "groups" in data.columns else None
        return Labelled(batch["features"].float(), data.labels, data.classes, group, data.names.get("groups", ()))
    if model is None:
        raise ForetellError("pictures need a model that makes features of them: name one by --features")
    if not isinstance(data, Pictures):
        raise ForetellError(f"found a {type(data).__name__}; expected pictures, or vectors with labels")
    group, names = (data.groups, data.group_names) if isinstance(data, GroupedImages) else (None, ())
    return Labelled(features(model, data, progress=progress), data.labels, data.classes, group, names)


@dataclass(frozen=True)
class Found:
    """The environments of a data set."""

    environment: Int[Tensor, " N"] = field(repr=False)
    """0 or 1 for every row, of training and of validation."""
    confidence: Float[Tensor, " N"] = field(repr=False)
    """Share of the seeds that agree, 0.5 to 1."""
    validation: Tensor = field(repr=False)
    """bool [N]: which rows the twins did not learn from."""
    report: dict[str, Any]
    """Plain numbers: `flip_rate`, `environments` {class: [rows of 0, rows of 1]}, `stability`, `purity`, `settings`."""


def held_out(y: Int[Tensor, " N"], seed: int = 0) -> Tensor:
    """bool [N]: every fifth row of each class, in an order that `seed` draws."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    order = order[y[order].argsort(stable=True)]
    mask = torch.zeros(len(y), dtype=torch.bool)
    mask[order[EVERY // 2 :: EVERY]] = True
    return mask


def discovery(
    rows: Labelled,
    *,
    draws: int | Sequence[Settings] = 10,
    seeds: int = 10,
    seed: int = 0,
    config: TwinConfig | None = None,
    progress: bool = True,
) -> Found:
    """Discover environments; arguments are as of `foretell.robust.xrm.discover`."""
    validation = held_out(rows.y, seed)
    found = discover(rows.x, rows.y, validation, draws=draws, seeds=seeds, seed=seed, config=config, progress=progress)
    return Found(found.environment, found.confidence, validation, _report(rows, found))


def _report(rows: Labelled, found: Discovery) -> dict[str, Any]:
    environment = found.environment
    sizes = {
        name: [int(((rows.y == c) & (environment == e)).sum()) for e in (0, 1)] for c, name in enumerate(rows.classes)
    }
    report: dict[str, Any] = {
        "flip_rate": found.flip_rate,
        "tried": [run.flip_rate for run in found.tried],
        "settings": vars(found.settings),
        "environments": sizes,
        "stability": stability(torch.stack([run.environment for run in found.runs])),
    }
    if rows.group is not None:
        report["purity"] = purity(rows.y, environment, rows.group)
    return report


def stability(by_seed: Int[Tensor, "S N"]) -> dict[str, float] | None:
    """How often two seeds put a row into the same environment: the mean over pairs of seeds, and its 95 % interval over
    rows (the normal distribution's); None for one seed.
    """
    pairs = list(combinations(range(len(by_seed)), 2))
    if not pairs:
        return None
    agree = torch.stack([(by_seed[a] == by_seed[b]).float() for a, b in pairs]).mean(0)
    mean, half = float(agree.mean()), Z * float(agree.std()) / len(agree) ** 0.5
    return {"value": mean, "low": max(mean - half, 0.0), "high": min(mean + half, 1.0)}


def purity(y: Int[Tensor, " N"], environment: Int[Tensor, " N"], group: Int[Tensor, " N"]) -> dict[str, Any]:
    """How well environments separate the known groups.

    Returns:
        `value`: share of the rows whose group is the commonest of their class and environment. `without`: the same
        without environments, which is what a split that knows nothing scores.
    """

    def commonest(cells: Int[Tensor, " N"]) -> float:
        return sum(int(torch.bincount(group[cells == cell]).max()) for cell in cells.unique()) / len(y)

    return {"value": commonest(2 * y + environment), "without": commonest(y)}


def table(found: Found, rows: Labelled) -> dict[str, np.ndarray]:
    """What environments.parquet holds, column by column."""
    return {
        "row": np.arange(len(rows.y)),
        "label": np.array(rows.classes)[rows.y.numpy()],
        "environment": found.environment.numpy(),
        "confidence": found.confidence.numpy(),
        "part": np.where(found.validation.numpy(), "validation", "train"),
    }
