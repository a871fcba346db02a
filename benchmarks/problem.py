"""The exact problem that every contender of `benchmarks.step` solves, and what it must cost.

B batch · N patches · K context patches · M blocks · L patches a block · D encoder width · d predictor width
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch

from foretell.masking import BlockMasks
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig


@dataclass(frozen=True)
class Problem:
    """I-JEPA with a ViT-Ti, the size that all peers build."""

    image_size: int = 64
    patch_size: int = 8
    batch: int = 32
    width: int = 192
    depth: int = 12
    heads: int = 3
    predictor_width: int = 96
    predictor_depth: int = 6
    seed: int = 0

    @cached_property
    def config(self) -> IJEPAConfig:
        """The model."""
        encoder = ViTConfig(self.image_size, self.patch_size, self.width, self.depth, self.heads)
        return IJEPAConfig(encoder, PredictorConfig(self.predictor_width, self.predictor_depth, self.heads))

    @cached_property
    def pixels(self) -> torch.Tensor:
        """[B, 3, H, W] in [0, 1]."""
        generator = torch.Generator().manual_seed(self.seed)
        return torch.rand(self.batch, 3, self.image_size, self.image_size, generator=generator)

    @cached_property
    def normalised(self) -> torch.Tensor:
        """The pixels as peers want them."""
        encoder = self.reference.context_encoder
        return (self.pixels - encoder.mean) / encoder.std

    @cached_property
    def masks(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Context [B, K] and targets [B, M, L]."""
        return BlockMasks().draw(torch.Generator().manual_seed(self.seed), self.config.encoder.grid, self.batch)

    @cached_property
    def reference(self) -> IJEPA:
        """The weights that every contender starts from; not to be trained."""
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return IJEPA(self.config)

    @property
    def flops(self) -> int:
        """Multiplications and additions in the matrix products that no implementation of a step can do without.

        Context: embedded and encoded at K patches, forward and backward. Target: all N, forward. Predictor: K + L
        tokens for each of M blocks, of which the last layer answers for L. A backward pass costs two products a
        product, but for the first, whose input needs no gradient.
        """
        B, (K, (M, L)) = self.batch, (self.masks[0].shape[1], self.masks[1].shape[1:])
        D, d = self.width, self.predictor_width
        encode = 3 * self.depth * _block(D, K, K) + 2 * 2 * K * 3 * self.patch_size**2 * D
        layers = (self.predictor_depth - 1) * _block(d, K + L, K + L) + _block(d, K + L, L)
        predict = 3 * (M * (layers + 2 * L * d * D) + 2 * K * D * d)
        return B * (encode + predict) + self.target_flops

    @property
    def target_flops(self) -> int:
        """Those of the target encoder alone: all patches of a batch, forward."""
        N = prod(self.config.encoder.grid)
        return self.batch * (self.depth * _block(self.width, N, N) + 2 * N * 3 * self.patch_size**2 * self.width)


def _block(width: int, tokens: int, asking: int) -> int:
    """A transformer layer in which `asking` of the tokens are answered."""
    linear = 2 * width**2 * (2 * tokens + (1 + 1 + 8) * asking)  # keys, values; queries, output, MLP
    return linear + 4 * width * asking * tokens
