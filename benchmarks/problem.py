"""The exact problem that every contender of `benchmarks.step` solves, and what it must cost.

B batch · R contexts of each image or clip · N patches · K context patches · M blocks · L patches a block
D encoder width · d predictor width
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import torch

from foretell.methods import IJEPA, VJEPA, IJEPAConfig, VJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.views import Views


@dataclass(frozen=True)
class Problem:
    """I-JEPA with a ViT-Ti, the size that all peers build; with frames V-JEPA, in tubelets of two frames."""

    frames: int | None = None
    """Of a clip; None for images."""
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
    def config(self) -> IJEPAConfig | VJEPAConfig:
        """The model. Of clips its positions are those of V-JEPA 2's weights, the only ones that all peers have."""
        size = (self.image_size, self.patch_size, self.width, self.depth, self.heads)
        predictor = PredictorConfig(self.predictor_width, self.predictor_depth, self.heads)
        if self.frames is None:
            return IJEPAConfig(ViTConfig(*size), predictor)
        encoder = VideoViTConfig(*size, positions="rotary-vjepa2", frames=self.frames)
        return VJEPAConfig(encoder, replace(predictor, positions="rotary-vjepa2"))

    @cached_property
    def pixels(self) -> torch.Tensor:
        """[B, 3, (T,) H, W] in [0, 1]."""
        encoder, generator = self.config.encoder, torch.Generator().manual_seed(self.seed)
        size = (patches * side for patches, side in zip(encoder.grid, encoder.patch, strict=True))
        return torch.rand(self.batch, 3, *size, generator=generator)

    @cached_property
    def normalised(self) -> torch.Tensor:
        """The pixels as peers want them."""
        encoder = self.reference.context_encoder
        return (self.pixels - encoder.mean) / encoder.std

    @cached_property
    def masks(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Contexts [R·B, K] and targets [R·B, M, L]."""
        return self.config.masks.draw(torch.Generator().manual_seed(self.seed), self.config.encoder.grid, self.batch)

    @property
    def views(self) -> Views:
        """Pixels and masks as foretell wants them."""
        contexts = len(self.masks[0]) // self.batch
        return Views(torch.cat([self.pixels] * contexts), self.pixels, *self.masks)

    @cached_property
    def reference(self) -> IJEPA | VJEPA:
        """The weights that every contender starts from; not to be trained."""
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return VJEPA(self.config) if isinstance(self.config, VJEPAConfig) else IJEPA(self.config)

    @property
    def flops(self) -> int:
        """Multiplications and additions in the matrix products that no implementation of a step can do without.

        Each of R contexts: embedded and encoded at K patches, forward and backward. Target: all N, once, forward.
        Predictor: for each context K + L tokens for each of M blocks, of which the last layer answers for L. A backward
        pass costs two products a product, but for the first, whose input needs no gradient.
        """
        contexts, K = self.masks[0].shape
        M, L = self.masks[1].shape[1:]
        D, d = self.width, self.predictor_width
        encode = 3 * self.depth * _block(D, K, K) + 2 * 2 * K * self._values * D
        layers = (self.predictor_depth - 1) * _block(d, K + L, K + L) + _block(d, K + L, L)
        predict = 3 * (M * (layers + 2 * L * d * D) + 2 * K * D * d)
        return contexts * (encode + predict) + self.target_flops

    @property
    def target_flops(self) -> int:
        """Those of the target encoder alone: all patches of a batch, forward."""
        N = prod(self.config.encoder.grid)
        return self.batch * (self.depth * _block(self.width, N, N) + 2 * N * self._values * self.width)

    @property
    def _values(self) -> int:
        """Numbers that a patch is embedded from."""
        return 3 * prod(self.config.encoder.patch)


def _block(width: int, tokens: int, asking: int) -> int:
    """A transformer layer in which `asking` of the tokens are answered."""
    linear = 2 * width**2 * (2 * tokens + (1 + 1 + 8) * asking)  # keys, values; queries, output, MLP
    return linear + 4 * width * asking * tokens
