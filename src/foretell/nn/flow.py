"""Flow matching's chance and times, as Stable Diffusion 3 has them (Esser et al. 2024, arXiv:2403.03206)."""

from collections.abc import Sequence

import torch
from torch import Tensor


def normal(shape: Sequence[int], generator: torch.Generator | None, device: torch.device) -> Tensor:
    """Standard normal numbers, drawn where the generator is."""
    drawn_on = device if generator is None else generator.device
    return torch.randn(*shape, generator=generator, device=drawn_on).to(device)


def times(euler: int, shift: float) -> list[float]:
    """s before each Euler step, from 1, and 0 at the end: 1 to 1/N in equal steps, shifted."""
    return [*(float(shifted(torch.tensor(1 - n / euler), shift)) for n in range(euler)), 0.0]


def shifted(s: Tensor, shift: float) -> Tensor:
    """k s / (1 + (k − 1) s)."""
    return shift * s / (1 + (shift - 1) * s)
