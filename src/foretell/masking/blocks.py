"""Multi-block masks (I-JEPA §3) with a fixed budget: every shape is known before a mask is drawn.

The official collator draws blocks until they fit. It then cuts every context in the batch to the shortest one, in
raster order, so the bottom rows are almost never seen. Here M blocks of L patches always leave at least N − M·L patches
free. Each context keeps exactly that many of its free patches, at random. So no draw is repeated, no context is cut,
and no place is preferred.

`raster` is the official collator itself, in distribution: one random number for a block's area and its aspect, areas
rounded down, no block in the last row or column (`randint(0, H − h)`), another draw where ten patches or fewer are
free, without one target more after each twenty such draws, and the cut. On 14 × 14 and in batches of 32 it keeps 57
patches.

B batch · N patches · K context patches · M blocks · L patches a block
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from foretell.errors import SOME, ForetellError, Range, within

ASPECT = Range(0.001, 1000)
FEWEST, TRIES = 10, 20
"""Of the released code: a context has more patches than this, and draws before one target less is heeded."""


@dataclass(frozen=True)
class BlockMasks:
    """I-JEPA's masks: M target blocks, and a context that sees none of them. The defaults are the paper's."""

    blocks: int = 4
    """M, target blocks an image; they may overlap."""
    scale: tuple[float, float] = (0.15, 0.2)
    """Area of a target block, as a share of the image."""
    aspect: tuple[float, float] = (0.75, 1.5)
    """Height over width of a target block."""
    context_scale: tuple[float, float] = (0.85, 1.0)
    """Area of the square the context is taken from first."""
    keep: Literal["random", "first", "raster"] = "random"
    """`random`: a fixed budget of free patches at random. `first`: cut to the batch's minimum, first patches first.
    `raster`: the official masks, blocks and cut. The last two are biased, for comparison only."""

    def __post_init__(self) -> None:
        within(self, "masks", blocks=Range(1, 1000), scale=SOME, aspect=ASPECT, context_scale=SOME)

    def draw(
        self, generator: torch.Generator, grid: tuple[int, ...], batch: int
    ) -> tuple[Int[Tensor, "B K"], Int[Tensor, "B M L"]]:
        """Draw masks for a batch; block size is shared by the batch, places are each sample's own.

        Args:
            generator: source of chance; its device is where the indices are made. On a GPU each draw would wait for it.
            grid: rows and columns of patches.
            batch: B.

        Returns:
            Context indices, ascending, and target indices. The two never share a patch; by `raster` they do where a
            target was given up.

        Raises:
            ForetellError: the blocks cover the whole grid, so that nothing is left to see.
        """
        if self.keep == "raster":
            return self._official(generator, grid, batch)
        N = grid[0] * grid[1]
        most = max(int(self.scale[1] * N), 1)  # rounding a block's sides may not take more than was asked
        size = block_size(_uniform(generator, self.scale), _uniform(generator, self.aspect), grid, most)
        target_index = place(generator, grid, size, (batch, self.blocks))
        hidden = torch.zeros(batch, N, dtype=torch.bool, device=generator.device)
        hidden.scatter_(1, target_index.flatten(1), True)

        square = block_size(_uniform(generator, self.context_scale), 1.0, grid, N)
        inside = torch.zeros_like(hidden).scatter_(1, place(generator, grid, square, (batch,)), True)
        if self.keep == "first":
            free = inside & ~hidden
            K = int(free.sum(1).min())
            score = free.float() - torch.arange(N, device=free.device) / N
        else:
            K = N - target_index[0].numel()
            # free and inside the square first, then free, and hidden never: there are always K free ones
            chance = torch.rand(hidden.shape, generator=generator, device=hidden.device)
            score = (~hidden).float() * (1 + inside) + chance
        if min(K, N - self.blocks * most) < 1:
            raise ForetellError(
                f"{self.blocks} blocks of up to {most} patches may cover the whole {grid[0]}×{grid[1]} grid: "
                "use fewer or smaller blocks, or smaller patches"
            )
        return score.topk(K, dim=1).indices.sort(dim=1).values, target_index

    def _official(
        self, generator: torch.Generator, grid: tuple[int, ...], batch: int
    ) -> tuple[Int[Tensor, "B K"], Int[Tensor, "B M L"]]:
        """The masks of I-JEPA's released code."""
        N, device = grid[0] * grid[1], generator.device
        size = _official_size(_uniform(generator, (0.0, 1.0)), self.scale, self.aspect, grid)
        square = _official_size(_uniform(generator, (0.0, 1.0)), self.context_scale, (1.0, 1.0), grid)
        if min(size) < 1 or square[0] * square[1] <= FEWEST:
            raise ForetellError(
                f"the official masks of a {grid[0]}×{grid[1]} grid have contexts of {square[0]}×{square[1]}, expected "
                f"more than {FEWEST} patches: use keep random, or smaller patches"
            )
        target_index = place(generator, grid, size, (batch, self.blocks), last=False)
        free = torch.zeros(batch, N, dtype=torch.bool, device=device)
        left, tries = torch.arange(batch, device=device), 0
        while len(left):  # the samples whose context is still too small
            heeded = max(self.blocks - tries // TRIES, 0)
            hidden = torch.zeros(len(left), N, dtype=torch.bool, device=device)
            hidden.scatter_(1, target_index[left, :heeded].flatten(1), True)
            inside = torch.zeros_like(hidden).scatter_(
                1, place(generator, grid, square, (len(left),), last=False), True
            )
            free[left] = inside & ~hidden
            left, tries = left[free[left].sum(1) <= FEWEST], tries + 1
        K = int(free.sum(1).min())
        first = free.to(torch.uint8).argsort(dim=1, descending=True, stable=True)  # the free ones, in raster order
        return first[:, :K], target_index


def complement(index: Int[Tensor, "B K"], patches: int) -> Int[Tensor, "B {patches}-K"]:
    """All of N patches that are not in `index` (which repeats none), ascending."""
    seen = torch.zeros(len(index), patches, dtype=torch.uint8, device=index.device).scatter_(1, index, 1)
    return seen.argsort(dim=1, stable=True)[:, : patches - index.shape[1]]


def block_size(scale: float, aspect: float, grid: tuple[int, ...], most: int) -> tuple[int, int]:
    """Rows and columns, at least 1 × 1, of a block that fits the grid.

    Args:
        scale: area, as a share of the grid.
        aspect: height over width.
        grid: rows and columns of patches.
        most: upper limit of patches. On a small grid, rounding would exceed it and hide everything.
    """
    area = scale * grid[0] * grid[1]
    rows = min(max(round(sqrt(area * aspect)), 1), grid[0], most)
    return rows, min(max(round(sqrt(area / aspect)), 1), grid[1], most // rows)


def place(
    generator: torch.Generator, grid: tuple[int, ...], size: tuple[int, int], shape: tuple[int, ...], last: bool = True
) -> Int[Tensor, "... L"]:
    """Put blocks of `size` anywhere on the grid, each place equally likely: the patch indices [*shape, L].

    Without `last`, no block reaches the last row or column, as in I-JEPA's released code.
    """
    device = generator.device
    top, left = (
        torch.randint(n - s + last, shape, generator=generator, device=device).unsqueeze(-1)
        for n, s in zip(grid, size, strict=True)
    )
    rows, columns = torch.arange(size[0], device=device), torch.arange(size[1], device=device)
    offset = rows.unsqueeze(1) * grid[1] + columns
    return top * grid[1] + left + offset.flatten()


def _official_size(
    chance: float, scale: tuple[float, float], aspect: tuple[float, float], grid: tuple[int, ...]
) -> tuple[int, int]:
    """Rows and columns of a block by one random number in [0, 1), below the grid's."""
    area = int(grid[0] * grid[1] * (scale[0] + chance * (scale[1] - scale[0])))
    ratio = aspect[0] + chance * (aspect[1] - aspect[0])
    return min(round(sqrt(area * ratio)), grid[0] - 1), min(round(sqrt(area / ratio)), grid[1] - 1)


def _uniform(generator: torch.Generator, span: tuple[float, float]) -> float:
    low, high = span
    return low + (high - low) * torch.rand((), generator=generator, device=generator.device).item()
