"""Masks choose visible and predicted patches. They are pure functions of a generator, a grid and a batch size."""

from foretell.masking.blocks import BlockMasks, complement
from foretell.masking.patterns import QuadrantMasks, RandomMasks
from foretell.masking.tubes import TubeMasks

Masks = BlockMasks | RandomMasks | QuadrantMasks
"""Draws context and target indices of an image."""

__all__ = ["BlockMasks", "Masks", "QuadrantMasks", "RandomMasks", "TubeMasks", "complement"]
