"""The masks that a run trains with, as drawings: what the context encoder sees, and what is predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.errors import ForetellError

if TYPE_CHECKING:
    from torch import Tensor

DRAWN = 6
"""Masks of pictures that are drawn. Of clips one is drawn, tubelet by tubelet."""


@dataclass(frozen=True)
class DrawnMask:
    """A mask of a picture, or of a tubelet. A patch is a square of side 1."""

    label: str
    rows: int
    columns: int
    seen: str
    """Squares of the visible patches, in the form of SVG's path."""
    asked: str
    """Squares of the patches that are predicted."""


def masks_of(config: Mapping[str, Any]) -> Sequence[DrawnMask]:
    """Masks as a run draws them; none for a method without masks, and for one that is not known here.

    Args:
        config: the config.json of the run.
    """
    import torch

    from foretell import registry
    from foretell.hub.files import parse

    try:
        entry = registry.find(str(config.get("method")))
        if entry is None or "model" not in config:
            return []
        model: Any = parse(entry.config, config["model"], "config.json", "model")
        if not hasattr(model, "masks"):
            return []
        grid = model.encoder.grid
        seed = int((config.get("train") or {}).get("seed", 0))
        seen, asked = model.masks.draw(torch.Generator().manual_seed(seed), grid, DRAWN)
    except ForetellError:
        return []
    rows, columns = grid[-2:]
    if len(grid) == 2:
        drawn = zip(seen[:DRAWN], asked[:DRAWN], strict=True)
        return [
            DrawnMask(f"mask {n}", rows, columns, _squares(s, columns), _squares(a.flatten(), columns))
            for n, (s, a) in enumerate(drawn, 1)
        ]
    place = rows * columns

    def within(index: Tensor, tubelet: int) -> Tensor:
        return index[index // place == tubelet] % place

    return [
        DrawnMask(
            f"tubelet {t + 1}",
            rows,
            columns,
            _squares(within(seen[0], t), columns),
            _squares(within(asked[0].flatten(), t), columns),
        )
        for t in range(grid[0])
    ]


def _squares(patches: Tensor, columns: int) -> str:
    places = sorted(set(patches.tolist()))
    return "".join(f"M{place % columns} {place // columns}h1v1h-1z" for place in places)
