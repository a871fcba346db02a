"""The positions of patches: a vector for every place of a grid of two or three axes, or a rotation of queries and keys.

B batch · N patches · K kept patches · D width
"""

from math import prod
from typing import Literal

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.nn.rotary import pairs_an_axis, rotations
from foretell.nn.tables import shared_table

Kind = Literal["sincos", "resized", "resized-vjepa", "learned", "rotary", "rotary-vjepa2"]
ROTARY = ("rotary", "rotary-vjepa2")
"""Kinds that turn queries and keys, and add nothing to tokens."""


class Positions(nn.Module):
    """A position for every patch of any grid.

    Args:
        kind: `sincos` computes sine–cosine positions for the grid at hand. `resized` computes them for the training
            grid and resizes the table to the present grid, as in released I-JEPA encoders. `resized-vjepa` does so with
            the axes in the order of released V-JEPA weights. `learned` is a table of parameters for the training grid,
            resized likewise. `rotary` adds nothing and turns queries and keys (see `foretell.nn.rotary`);
            `rotary-vjepa2` does so by the table of V-JEPA 2's released weights.
        width: D.
        grid: the training grid; `sincos` does not need it.
        heads: the attention heads, among which rotary positions divide D.

    Raises:
        ForetellError: heads are too narrow for rotary positions.
    """

    def __init__(self, kind: Kind, width: int, grid: tuple[int, ...] | None = None, heads: int = 1) -> None:
        super().__init__()
        if kind != "sincos" and grid is None:
            raise ValueError(f"{kind} positions need the training grid")
        self.kind, self.width, self.trained, self.heads = kind, width, grid, heads
        self.rotary = kind in ROTARY
        if self.rotary:
            pairs_an_axis(width // heads, grid or ())
        if kind == "learned":
            self.table = nn.Parameter(torch.empty(prod(grid or ()), width))
            nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, grid: tuple[int, ...], device: torch.device | None = None) -> Float[Tensor, "N D"]:
        """The vectors added to the tokens of a grid, in raster order; zeros for rotary positions.

        Args:
            grid: patches along each axis.
            device: the device of the tokens; None is the CPU. Learned positions are where the module is.
        """
        if self.rotary:
            return torch.zeros((), device=device).expand(prod(grid), self.width)
        if self.kind == "learned":
            return resize(self.table, self.trained or grid, grid)
        if self.trained is None or self.kind == "sincos":
            return sincos(self.width, grid, device=device)
        return _resized(self.width, self.trained, grid, self.kind == "resized-vjepa", device)

    def rotation(
        self, grid: tuple[int, ...], device: torch.device, index: Int[Tensor, "B K"] | None = None
    ) -> Complex[Tensor, "R _ 1 _ P"] | None:
        """The rotation of queries and keys (see `foretell.nn.rotary.turn`); None for positions that are not rotary.

        Args:
            grid: patches along each axis.
            device: the device of the result.
            index: the places of each sample's tokens; None means every place, in raster order. Place 0 is turned by
                nothing.
        """
        if not self.rotary:
            return None
        table = rotations(self.width // self.heads, grid, self.kind == "rotary-vjepa2", device)
        return (table.unsqueeze(1) if index is None else table[:, index]).unsqueeze(2)


@shared_table
def sincos(
    width: int, grid: tuple[int, ...], slowest_first: bool = False, device: torch.device | None = None
) -> Float[Tensor, "N {width}"]:
    """Sine–cosine positions (Vaswani et al. 2017, §3.5, one axis after the other as in MAE and I-JEPA).

    Args:
        width: D, any even number.
        grid: patches along each axis, slowest first: (rows, columns) or (tubelets, rows, columns).
        slowest_first: the first channels hold the tubelets, as in V-JEPA's released weights (`uniform_power` there).
        device: the device of the table. It is copied there once, because a copy in every step would make a GPU wait.

    Returns:
        Float32, N = prod(grid), in raster order. The first channels hold the columns, the next the
        rows, as in I-JEPA's released weights. The tensor is shared: do not write to it.
    """
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing="ij")
    pairs = -(-width // (2 * len(grid)))  # sine–cosine pairs an axis, rounded up and cut to the width below
    frequency = 10000 ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
    angles = [axis.reshape(prod(grid), 1) * frequency for axis in (axes if slowest_first else reversed(axes))]
    return torch.cat([torch.cat([a.sin(), a.cos()], 1) for a in angles], 1)[:, :width].float().to(device)


def resize(table: Float[Tensor, "old D"], trained: tuple[int, ...], grid: tuple[int, ...]) -> Float[Tensor, "new D"]:
    """Resize a table of positions to another grid: bicubic for two axes, trilinear for three.

    Without antialiasing, as transformers does it.

    Args:
        table: one position for each place of the grid `trained`, in raster order.
        trained: patches along each axis of the table's grid.
        grid: patches along each axis wanted.
    """
    if grid == trained:
        return table
    field = table.T.reshape(1, -1, *trained)
    mode = "bicubic" if len(grid) == 2 else "trilinear"
    return F.interpolate(field, size=grid, mode=mode, align_corners=False).flatten(2)[0].T


@shared_table
def _resized(
    width: int, trained: tuple[int, ...], grid: tuple[int, ...], slowest_first: bool, device: torch.device | None
) -> Float[Tensor, "N {width}"]:
    return resize(sincos(width, trained, slowest_first), trained, grid).to(device)
