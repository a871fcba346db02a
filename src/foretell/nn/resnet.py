"""Residual networks (He et al. 2016, arXiv:1512.03385) of torchvision's blocks, with a free output width.

Expand or Narrow (arXiv:2304.05369) measures the effect of the last stage's width alone: `last_width` changes only the
output of its blocks (their last convolution and their shortcut).

B batch · N places of the last feature map · D width
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell.errors import FINITE, POSITIVE, SIDE, SIZE, within
from foretell.nn.pixels import standardised


@dataclass(frozen=True)
class ResNetConfig:
    """Size of a residual network."""

    name: Literal["resnet18", "resnet34", "resnet50"] = "resnet18"
    image_size: int = 32
    """Pixels a side of the training images. The network itself takes any."""
    last_width: int | None = None
    """D, channels that the last stage gives; None for the network's own: 8 · base, times 4 for resnet50."""
    base: int = 64
    """Channels of the first stage; each stage has twice those of the one before. 64 in the paper."""
    small_images: bool = True
    """Begin with a 3 × 3 convolution instead of 7 × 7 at stride 2 and a max-pool (SimCLR, §B.9, for CIFAR-10)."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Channel means taken off the pixels (in [0, 1]) before anything else: ImageNet's."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        within(self, "encoder", image_size=SIDE, last_width=SIZE, base=SIZE, mean=FINITE, std=POSITIVE)


class ResNet(nn.Module):
    """Images to latents, one for each place of the last feature map. They are rectified, so many are exactly 0.

    `net` has torchvision's names and, at the defaults of `last_width` and `base`, its very weights: its files fit.
    """

    def __init__(self, config: ResNetConfig) -> None:
        from torchvision.models.resnet import BasicBlock, Bottleneck

        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(config.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(-1, 1, 1), persistent=False)
        block, depths = {
            "resnet18": (BasicBlock, (2, 2, 2, 2)),
            "resnet34": (BasicBlock, (3, 4, 6, 3)),
            "resnet50": (Bottleneck, (3, 4, 6, 3)),
        }[config.name]
        small = config.small_images
        size, stride, padding = (3, 1, 1) if small else (7, 2, 3)
        layers = OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(3, config.base, size, stride, padding, bias=False),
            bn1=nn.BatchNorm2d(config.base),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.Identity() if small else nn.MaxPool2d(3, 2, padding=1),
        )
        width = config.base
        for stage, depth in enumerate(depths):
            planes = config.base * 2**stage
            out = planes * block.expansion
            if stage == len(depths) - 1:
                out = config.last_width or out
            blocks: list[nn.Module] = []
            for place in range(depth):
                stride = 2 if stage and not place else 1
                fits = stride == 1 and width == out
                shortcut = None if fits else nn.Sequential(_conv(width, out, 1, stride), nn.BatchNorm2d(out))
                made = block(width, planes, stride, shortcut)
                if out != planes * block.expansion:
                    _widen(made, out)
                blocks.append(made)
                width = out
            layers[f"layer{stage + 1}"] = nn.Sequential(*blocks)
        self.net = nn.Sequential(layers)
        self.width = width
        for module in self.net.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N D"]:
        """Encode pixels in [0, 1]; `pool` of the result is torchvision's average pool."""
        return self.net(standardised(x, self.mean, self.std, self.training)).flatten(2).transpose(1, 2)


def _conv(width: int, out: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width, out, size, stride, padding=size // 2, bias=False)


def _widen(block: nn.Module, out: int) -> None:
    """Let the last convolution of a block give `out` channels."""
    last = 3 if hasattr(block, "conv3") else 2
    conv = block.get_submodule(f"conv{last}")
    assert isinstance(conv, nn.Conv2d)
    setattr(block, f"conv{last}", _conv(conv.in_channels, out, conv.kernel_size[0]))
    setattr(block, f"bn{last}", nn.BatchNorm2d(out))
