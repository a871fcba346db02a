"""The narrow transformer that predicts the target encoder's latents at other places, after an action.

B batch · K context patches · M blocks · L patches a block · D encoder width · d predictor width
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from foretell.errors import ForetellError
from foretell.nn.positions import ROTARY, PositionKind, Positions
from foretell.nn.stochastic import PositionNoise, StochasticPositions
from foretell.nn.vit import Block, initialise, transformer


@dataclass(frozen=True)
class PredictorConfig:
    """Size of a predictor. IWM's appendix recommends about 0.3 of the encoder's parameters."""

    width: int = 96
    depth: int = 6
    heads: int = 3
    positions: PositionKind = "sincos"
    """As `ViTConfig.positions`."""
    noise: PositionNoise = field(default_factory=PositionNoise)
    """FlexPredict: with a sigma above 0, the place of a predicted patch is known only roughly."""
    mlp_ratio: float = 4.0
    """Hidden width of a block's MLP over its width."""
    eps: float = 1e-6
    """Added to the variance in every layer norm."""
    qkv_bias: bool = True
    """Whether queries, keys and values have a bias."""
    init_std: float | None = 0.02
    """As `ViTConfig.init_std`."""
    depth_scaled: bool = True
    """As `ViTConfig.depth_scaled`."""

    def __post_init__(self) -> None:
        transformer(self, "predictor")
        if self.noise.sigma and self.positions in ROTARY:
            raise ForetellError(
                f"noise.sigma is {self.noise.sigma:g} and positions are {self.positions}: noise needs "
                "positions that are added, and rotary ones are not; take sigma 0, or sincos positions"
            )


class Predictor(nn.Module):
    """Context latents, places and an action to predicted latents.

    Args:
        config: its size.
        encoder_width: D.
        queries: makes the query tokens, see `foretell.nn.queries`.
        grid: the training image's patches along each axis; positions of kind `sincos` do not need it.
        answer: width of the predicted latents; None for D.
    """

    def __init__(
        self,
        config: PredictorConfig,
        encoder_width: int,
        queries: nn.Module,
        grid: tuple[int, ...] | None = None,
        answer: int | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.embed = nn.Linear(encoder_width, config.width)
        self.positions = Positions(config.positions, config.width, grid, config.heads)
        c = config
        self.blocks = nn.ModuleList(Block(c.width, c.heads, c.mlp_ratio, c.eps, c.qkv_bias) for _ in range(c.depth))
        self.norm = nn.LayerNorm(config.width, eps=config.eps)
        self.project = nn.Linear(config.width, answer or encoder_width)
        initialise(self, self.blocks, c.init_std, c.depth_scaled)
        self.queries = queries
        self.stochastic = StochasticPositions(config.noise, self.embed)

    def forward(
        self,
        s_x: Float[Tensor, "B K D"],
        context_index: Int[Tensor, "B K"],
        target_index: Int[Tensor, "B M L"],
        grid: tuple[int, ...],
        action: Float[Tensor, "B A"] | None,
        chance: torch.Generator | None = None,
    ) -> Float[Tensor, "B M L _"]:
        """Predict each block on its own.

        Args:
            s_x: context latents.
            context_index: the places of the context latents.
            target_index: the places to predict. The L places of a block attend to each other; blocks do not.
            grid: patches along each axis; the indices refer to this grid.
            action: the parameters of the action, for queries that read it.
            chance: draws the noise on positions, while training; None leaves them exact.

        Returns:
            ŝ_y.
        """
        B, M, L = target_index.shape
        position = self.positions(grid, s_x.device)
        place, asked = position[context_index], position[target_index.flatten(0, 1)]
        if chance is not None:
            place, asked = self.stochastic(place, asked, self.embed, chance)
        context = self.embed(s_x) + place
        if M > 1:  # the blocks go into the batch: one pass, never a loop over blocks
            context = context.repeat_interleave(M, 0)
            action = None if action is None else action.repeat_interleave(M, 0)
        queries = self.queries(asked, action)
        h = torch.cat([queries, context], 1)
        rotation = None
        if self.positions.rotary:
            inform = target_index.new_zeros(B * M, queries.shape[1] - L)  # these are nowhere: place 0 turns by nothing
            seen = context_index.repeat_interleave(M, 0)
            index = torch.cat([target_index.flatten(0, 1), inform, seen], 1)
            rotation = self.positions.rotation(grid, h.device, index)
        for block in self.blocks[:-1]:
            h = block(h, rotation=rotation)
        h = self.blocks[-1](h, L, rotation)  # only the asked tokens are read, so only they need the last block
        return self.project(self.norm(h)).unflatten(0, (B, M))

    def measures(self) -> dict[str, float]:
        """The monitors' values of a predictor: the uncertainty of its positions, if there is any."""
        return self.stochastic.measures(self.embed)
