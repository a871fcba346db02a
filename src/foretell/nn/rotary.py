"""Rotary positions (Su et al. 2021, RoFormer, arXiv:2104.09864, §3.2.2).

Queries and keys are turned by the places of their patches. So the product of a query and a key depends on their
distance.

A head's channels are divided among the axes, as in V-JEPA 2 (arXiv:2506.09985, §2.1). Pairs of channels are complex
numbers. A place p along an axis multiplies the axis's k-th pair of n by exp(i·p·ωₖ), ωₖ = 10000^(−k/n).

V-JEPA 2's released weights were trained with another table. The two channels of pair k take the frequencies ω₂ₖ and
ω₂ₖ₊₁, counted modulo n; both should take ωₖ. That map is not a rotation, but it is still linear over the reals:
z ↦ α z + β z̄. So its table has two rows, α and β; the correct table has α alone.

B batch · h heads · N patches · d width of a head · R rows of the table, 1 or 2 · P pairs, d/2
"""

from math import pi, prod

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from foretell.errors import ForetellError
from foretell.nn.tables import shared_table


@shared_table
def rotations(
    width: int, grid: tuple[int, ...], vjepa2: bool = False, device: torch.device | None = None
) -> Complex[Tensor, "R N P"]:
    """The factors of queries and keys, for every place of a grid.

    Args:
        width: d, even. Each axis, slowest first, has 2·⌊d/(2·axes)⌋ channels; the remaining channels are not turned.
        grid: patches along each axis: (rows, columns) or (tubelets, rows, columns).
        vjepa2: the table of V-JEPA 2's released weights.
        device: the device of the result.

    Returns:
        α, and with `vjepa2` also β: complex64, N = prod(grid), in raster order. The tensor is shared: do
        not write to it.
    """
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing="ij")
    pairs = pairs_an_axis(width, grid)
    frequency = 10000 ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
    channels = frequency.repeat(2) if vjepa2 else frequency.repeat_interleave(2)
    angles = torch.zeros(prod(grid), width, dtype=torch.float64)
    angles[:, : 2 * pairs * len(grid)] = torch.cat([axis.reshape(-1, 1) * channels for axis in axes], 1)
    first, second = torch.polar(torch.ones_like(angles), angles).unflatten(1, (-1, 2)).unbind(-1)
    if not vjepa2:
        return first.unsqueeze(0).to(device, torch.complex64)
    return torch.stack([(first + second) / 2, ((first - second) / 2).conj()]).to(device, torch.complex64)


def line_rotation(width: int, places: Float[Tensor, "B N"]) -> Complex[Tensor, "1 B 1 N P"]:
    """By what places along one axis multiply queries and keys, where samples differ in their places.

    Places are few: neighbours differ by a quarter turn in the fastest pair, and the slowest pairs by hardly anything.
    So ωₖ = π/2 · 100^(−k/n), with wavelengths from 4 to 400 steps.

    Args:
        width: d, even.
        places: of each token, in steps; fractions and numbers below 0 are places, too.

    Returns:
        α for `turn`.
    """
    pairs = pairs_an_axis(width, (1,))
    frequency = pi / 2 * 100 ** -(torch.arange(pairs, dtype=torch.float64, device=places.device) / pairs)
    angles = places.double().unsqueeze(-1) * frequency
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64).unsqueeze(1).unsqueeze(0)


def pairs_an_axis(width: int, grid: tuple[int, ...]) -> int:
    """The number of pairs of a head's channels for each axis.

    Raises:
        ForetellError: the head is too narrow for so many axes, or its width is odd.
    """
    if width % 2 or width < 2 * len(grid):
        raise ForetellError(
            f"rotary positions turn pairs of a head's channels, at least one for each of {len(grid)} axes: a head is "
            f"{width} wide, expected an even width of {2 * len(grid)} or more; take fewer heads or a larger width"
        )
    return width // (2 * len(grid))


def turn(x: Float[Tensor, "*some h N d"], rotation: Complex[Tensor, "R _ 1 N P"]) -> Float[Tensor, "*some h N d"]:
    """Turn queries or keys by where they are: α z + β z̄ for each pair z of channels, in float32.

    Args:
        x: queries, or keys, or both.
        rotation: α and perhaps β, from `Positions.rotation`; one for all samples, or one each.
    """
    z = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    turned = z * rotation[0]
    if len(rotation) > 1:
        turned = torch.addcmul(turned, z.conj(), rotation[1])
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)
