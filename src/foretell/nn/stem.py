"""A convolutional stem in the place of linear patches: Xiao et al., "Early Convolutions Help Transformers See Better",
2021, arXiv:2106.14881, §3.

B batch · P side of a patch, a power of two · N patches · D width
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foretell.errors import ForetellError


class Stem(nn.Sequential):
    """Convolutions of 3 × 3 pixels and stride 2, one for each halving of a patch, then a linear map a patch.

    Each doubles the channels, and the last has D. Batch norm and ReLU follow each, as in the paper.

    Args:
        patch_size: P; 2, 4, 8, 16 and so on.
        width: D.

    Raises:
        ForetellError: P is no power of two above 1, or D is too small to be halved so often.
    """

    def __init__(self, patch_size: int, width: int) -> None:
        halvings = patch_size.bit_length() - 1
        if patch_size < 2 or patch_size != 1 << halvings:
            raise ForetellError(
                f"encoder patch_size is {patch_size}, expected 2, 4, 8, 16, …: a convolutional stem halves it to 1"
            )
        channels = [width >> (halvings - 1 - i) for i in range(halvings)]
        if not channels[0]:
            raise ForetellError(f"encoder width {width} is too small for a convolutional stem of {halvings} layers")
        layers: list[nn.Module] = []
        for inside, out in zip([3, *channels], channels, strict=False):
            layers += [nn.Conv2d(inside, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.Conv2d(width, width, 1))

    def forward(self, input: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N D"]:
        """Pixels to one vector a patch, in raster order."""
        return super().forward(input).flatten(2).transpose(1, 2)
