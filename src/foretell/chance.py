"""Chance that is the same on every device.

Views are drawn by a generator of the CPU, wherever they are computed. So a GPU draws what a CPU draws, and the CPU
never waits for it: the sizes of masks, and which pictures are changed at all, are known without asking.
"""

from __future__ import annotations

import torch


def there(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """The generator, or one on the device that it seeds, for draws that are too large to be moved."""
    if generator.device.type == device.type:
        return generator
    return torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=generator)))
