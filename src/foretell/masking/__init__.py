"""Which patches are seen and which are predicted: pure functions of a generator, a grid and a batch size."""

from foretell.masking.blocks import BlockMasks, complement

__all__ = ["BlockMasks", "complement"]
