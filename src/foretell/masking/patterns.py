"""The masks that I-JEPA's multi-block masks are compared with (§5, table 6).

`BlockMasks(blocks=1, scale=(0.6, 0.6), context_scale=(1, 1))` is the paper's third rival, a single large block.

B batch · N patches · K context patches · M blocks · L patches a block
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from foretell.errors import SHARE, ForetellError, Range, within


@dataclass(frozen=True)
class RandomMasks:
    """Patches at random, no blocks: one target of scattered patches, the context is the rest."""

    hidden: float = 0.6
    """Share of the patches to predict."""

    def __post_init__(self) -> None:
        within(self, "masks", hidden=SHARE)

    def draw(
        self, generator: torch.Generator, grid: tuple[int, ...], batch: int
    ) -> tuple[Int[Tensor, "B K"], Int[Tensor, "B 1 L"]]:
        """Draw masks for a batch; arguments and result as of `BlockMasks.draw`."""
        N = grid[0] * grid[1]
        L = round(self.hidden * N)
        if not 0 < L < N:
            raise ForetellError(f"hidden is {self.hidden:g}, which hides {L} of {N} patches: expected some and not all")
        order = torch.rand(batch, N, generator=generator, device=generator.device).argsort(1)
        return order[:, L:].sort(1).values, order[:, :L].sort(1).values.unsqueeze(1)


@dataclass(frozen=True)
class QuadrantMasks:
    """The image in four quadrants ("rasterized"): some at random are the context, each other one is a target.

    The middle row or column of an odd grid belongs to no quadrant.
    """

    seen: int = 1
    """Quadrants of context, 1 to 3."""

    def __post_init__(self) -> None:
        within(self, "masks", seen=Range(1, 3))

    def draw(
        self, generator: torch.Generator, grid: tuple[int, ...], batch: int
    ) -> tuple[Int[Tensor, "B K"], Int[Tensor, "B M L"]]:
        """Draw masks for a batch; arguments and result as of `BlockMasks.draw`."""
        if min(grid) < 2:
            raise ForetellError(f"a grid of {grid[0]}×{grid[1]} has no quadrants: use smaller patches")
        device = generator.device
        place = torch.arange(grid[0] * grid[1], device=device).reshape(grid)
        rows, columns = grid[0] // 2, grid[1] // 2
        halves = [(a, b) for a in (place[:rows], place[-rows:]) for b in (slice(None, columns), slice(-columns, None))]
        quadrants = torch.stack([half[:, side].flatten() for half, side in halves])
        order = torch.rand(batch, 4, generator=generator, device=device).argsort(1)
        drawn = quadrants[order]
        return drawn[:, : self.seen].flatten(1).sort(1).values, drawn[:, self.seen :]
