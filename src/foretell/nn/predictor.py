"""The narrow transformer that says what the target encoder would say at other places, after an action.

B batch · K context patches · M blocks · L patches a block · D encoder width · d predictor width
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from foretell.nn.positions import Kind, Positions
from foretell.nn.vit import Block, initialise


@dataclass(frozen=True)
class PredictorConfig:
    """Size of a predictor. IWM's appendix recommends about 0.3 of the encoder's parameters."""

    width: int = 96
    depth: int = 6
    heads: int = 3
    positions: Kind = "sincos"
    """As `ViTConfig.positions`."""


class Predictor(nn.Module):
    """Context latents, places and an action to predicted latents.

    Args:
        config: its size.
        encoder_width: D.
        queries: what it asks with (see `foretell.nn.queries`).
        grid: the training image's patches along each axis; only positions of kind `sincos` do without.
    """

    def __init__(
        self, config: PredictorConfig, encoder_width: int, queries: nn.Module, grid: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        self.width = config.width
        self.embed = nn.Linear(encoder_width, config.width)
        self.positions = Positions(config.positions, config.width, grid)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.project = nn.Linear(config.width, encoder_width)
        initialise(self, self.blocks)
        self.queries = queries

    def forward(
        self,
        s_x: Float[Tensor, "B K D"],
        context_index: Int[Tensor, "B K"],
        target_index: Int[Tensor, "B M L"],
        grid: tuple[int, ...],
        action: Float[Tensor, "B A"] | None,
    ) -> Float[Tensor, "B M L D"]:
        """Predict each block on its own.

        Args:
            s_x: context latents.
            context_index: where they lie.
            target_index: where to predict; the L of a block see each other, blocks do not.
            grid: patches along each axis, what the indices refer to.
            action: what happens on the way, for queries that can be told.

        Returns:
            ŝ_y.
        """
        B, M, L = target_index.shape
        position = self.positions(grid).to(s_x.device)
        context = self.embed(s_x) + position[context_index]
        if M > 1:  # the blocks go into the batch: one pass, never a loop over blocks
            context = context.repeat_interleave(M, 0)
            action = None if action is None else action.repeat_interleave(M, 0)
        queries = self.queries(position[target_index.flatten(0, 1)], action)
        h = torch.cat([queries, context], 1)
        for block in self.blocks[:-1]:
            h = block(h)
        h = self.blocks[-1](h, L)  # only the asked tokens are read, so only they need the last block
        return self.project(self.norm(h)).unflatten(0, (B, M))
