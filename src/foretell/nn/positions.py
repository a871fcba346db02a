"""Fixed sine–cosine positions for a grid of two or three axes.

N patches · D width
"""

from functools import lru_cache
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor


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
