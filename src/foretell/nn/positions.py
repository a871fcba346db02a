"""Where a patch lies: a vector for every place of a grid of two or three axes.

N patches · D width
"""

from functools import lru_cache
from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Kind = Literal["sincos", "resized", "learned"]


class Positions(nn.Module):
    """A position for every patch of any grid.

    Args:
        kind: `sincos` computes sine–cosine positions for the grid at hand. `resized` computes them for the
            training grid and resizes the table to the grid at hand, as released I-JEPA encoders are used.
            `learned` is a table of parameters for the training grid, resized likewise.
        width: D.
        grid: the training grid; `sincos` does not need it.
    """

    def __init__(self, kind: Kind, width: int, grid: tuple[int, ...] | None = None) -> None:
        super().__init__()
        if kind != "sincos" and grid is None:
            raise ValueError(f"{kind} positions need the training grid")
        self.kind, self.width, self.trained = kind, width, grid
        if kind == "learned":
            self.table = nn.Parameter(torch.empty(prod(grid or ()), width))
            nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, grid: tuple[int, ...]) -> Float[Tensor, "N D"]:
        """Positions of a grid, in raster order."""
        if self.trained is None or self.kind == "sincos":
            return sincos(self.width, grid)
        if self.kind == "resized":
            return _resized(self.width, self.trained, grid)
        return resize(self.table, self.trained, grid)


@lru_cache(maxsize=64)
def sincos(width: int, grid: tuple[int, ...]) -> Float[Tensor, "N {width}"]:
    """Sine–cosine positions (Vaswani et al. 2017, §3.5, one axis after the other as in MAE and I-JEPA).

    Args:
        width: D, any even number.
        grid: patches along each axis, slowest first: (rows, columns) or (tubelets, rows, columns).

    Returns:
        Float32 on the CPU, N = prod(grid), in raster order. The first channels hold the columns, the next the
        rows, as in the released weights. The tensor is shared: do not write to it.
    """
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing="ij")
    pairs = -(-width // (2 * len(grid)))  # sine–cosine pairs an axis, rounded up and cut to the width below
    frequency = 10000 ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
    angles = [axis.reshape(prod(grid), 1) * frequency for axis in reversed(axes)]
    return torch.cat([torch.cat([a.sin(), a.cos()], 1) for a in angles], 1)[:, :width].float()


def resize(table: Float[Tensor, "old D"], trained: tuple[int, ...], grid: tuple[int, ...]) -> Float[Tensor, "new D"]:
    """Resize a table of positions to another grid: bicubic for two axes, trilinear for three.

    Without antialiasing, as transformers does it.

    Args:
        table: a position a place of the grid `trained`, in raster order.
        trained: patches along each axis of the table's grid.
        grid: patches along each axis wanted.
    """
    if grid == trained:
        return table
    field = table.T.reshape(1, -1, *trained)
    mode = "bicubic" if len(grid) == 2 else "trilinear"
    return F.interpolate(field, size=grid, mode=mode, align_corners=False).flatten(2)[0].T


@lru_cache(maxsize=64)
def _resized(width: int, trained: tuple[int, ...], grid: tuple[int, ...]) -> Float[Tensor, "N {width}"]:
    return resize(sincos(width, trained), trained, grid)
