"""Rows with labels and environments, and how a classifier fares in each of their groups.

N rows · D width of a row · n classes · E environments
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from foretell.augment import to_float
from foretell.data import Images
from foretell.errors import ForetellError
from foretell.evaluate.intervals import wilson

VECTORS, PICTURES = 8192, 256
"""Rows that are asked about at a time."""


@dataclass(frozen=True)
class Table:
    """Rows with labels and environments."""

    x: Float[Tensor, "N D"] | Images = field(repr=False)
    y: Int[Tensor, " _"] = field(repr=False)
    """The label of each row, 0 to n − 1."""
    environment: Int[Tensor, " _"] = field(repr=False)
    """0 to E − 1; all 0 where a class is a group."""

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.y) == len(self.environment):
            raise ForetellError(
                f"found {len(self.x)} rows, {len(self.y)} labels and {len(self.environment)} environments, expected "
                "as many of each"
            )
        if not len(self.x):
            raise ForetellError("found no rows, expected one or more")

    def __len__(self) -> int:
        return len(self.y)

    def group(self, environments: int) -> Int[Tensor, " N"]:
        """E·class + environment."""
        return self.y * environments + self.environment

    def take(self, index: Int[Tensor, " B"]) -> Tensor:
        """What a network sees of some rows: vectors [B, D], or pictures [B, 3, H, W] in [0, 1]."""
        return self.x[index].float() if isinstance(self.x, Tensor) else to_float(self.x.take(index))

    def parts(self) -> Iterator[Tensor]:
        """What a network sees of all rows, some at a time."""
        size = VECTORS if isinstance(self.x, Tensor) else PICTURES
        return map(self.take, torch.arange(len(self)).split(size))

    def some(self, mask: Bool[Tensor, " N"]) -> Table:
        """The rows of a mask."""
        x = self.x[mask] if isinstance(self.x, Tensor) else self.x.subset(mask)
        return replace(self, x=x, y=self.y[mask], environment=self.environment[mask])


@torch.no_grad()
def logits(network: nn.Module, table: Table) -> Float[Tensor, "N _"]:
    """What a network says of all rows, in evaluation mode, on the CPU."""
    training = network.training
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    network.eval()
    found = torch.cat([network(x.to(device)).float().cpu() for x in table.parts()])
    network.train(training)
    return found


def accuracies(
    network: nn.Module, test: Table, classes: Sequence[str] | None = None, environments: Sequence[str] | None = None
) -> dict[str, Any]:
    """How a classifier fares on average and in every group.

    Args:
        network: gives logits.
        test: rows that it did not learn from.
        classes: their names; None for numbers.
        environments: their names; None for numbers.

    Returns:
        `average` and `worst_group`, and `groups`: {"class/environment": …}, each {`value`, `low`, `high`, `rows`}: the
        accuracy in [0, 1], its 95 % interval (Wilson), and of how many rows. `worst_group` has its `name` too.
    """
    right: Bool[Tensor, " N"] = logits(network, test).argmax(1) == test.y
    groups = {}
    for c, e in torch.stack([test.y, test.environment], 1).unique(dim=0).tolist():
        name = f"{classes[c] if classes else c}/{environments[e] if environments else e}"
        groups[name] = _accuracy(right[(test.y == c) & (test.environment == e)])
    worst = min(groups, key=lambda name: groups[name]["value"])
    return {"worst_group": {"name": worst, **groups[worst]}, "average": _accuracy(right), "groups": groups}


def _accuracy(right: Bool[Tensor, " N"]) -> dict[str, float]:
    low, high = wilson(int(right.sum()), len(right))
    return {"value": float(right.float().mean()), "low": low, "high": high, "rows": len(right)}
