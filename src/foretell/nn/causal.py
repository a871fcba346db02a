"""The transformer that predicts the next step from past steps and actions (V-JEPA 2-AC, arXiv:2506.09985, §3.1).

A step is a short sequence of tokens, [action, state, patch 1 … patch N]. Steps follow one another. A token attends to
its own step and to all earlier steps.

B batch · K steps · N patches · n tokens a step · D encoder width · d predictor width · A actions · S states
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn

from foretell.nn.positions import sincos
from foretell.nn.rotary import pairs_an_axis, rotations
from foretell.nn.vit import Block, initialise, transformer


@dataclass(frozen=True)
class CausalConfig:
    """Size of a predictor that is causal in time. The paper's: width 1024, depth 24, 16 heads."""

    width: int = 192
    depth: int = 4
    heads: int = 3
    residual: bool = False
    """Predict the change of the latents, not their new values. A small predictor then need not learn to repeat constant
    parts. Not in the paper.
    """

    positions: Literal["sincos", "rotary-vjepa2"] = "sincos"
    """`rotary-vjepa2`: those of the released weights (see `foretell.nn.rotary`). Actions and states are turned by their
    time alone."""

    def __post_init__(self) -> None:
        transformer(self, "predictor")
        if self.positions == "rotary-vjepa2":
            pairs_an_axis(self.width // self.heads, (1, 1, 1))


class CausalPredictor(nn.Module):
    """Latents, states and actions of some steps to the latents after each.

    Args:
        config: its size.
        encoder_width: D.
        actions: A.
        states: S; 0 for steps without a state.
    """

    def __init__(self, config: CausalConfig, encoder_width: int, actions: int, states: int) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(encoder_width, config.width)
        self.embed_action = nn.Linear(actions, config.width)
        self.embed_state = nn.Linear(states, config.width) if states else None
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.project = nn.Linear(config.width, encoder_width)
        initialise(self, self.blocks)
        # σ = 0.02 suits the paper's width of 1024. Narrow predictors need 1/√(fan-in). Otherwise the action is a
        # thousandth of a patch's token, and it has no effect for thousands of steps.
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and name != "project":
                module.weight.data.mul_(module.in_features**-0.5 / 0.02)

    def forward(
        self,
        latents: Float[Tensor, "B K N D"],
        actions: Float[Tensor, "B K A"],
        states: Float[Tensor, "B K S"],
        grid: tuple[int, int],
    ) -> Float[Tensor, "B K N D"]:
        """Predict the latents after each step.

        Args:
            latents: those of K frames.
            actions: the action at each frame.
            states: the actor's state at each frame; not read where S is 0.
            grid: rows and columns of patches.
        """
        K, rotation = latents.shape[1], None
        told, patches = [self.embed_action(actions)], self.embed(latents)
        if self.embed_state is not None:
            told.append(self.embed_state(states))
        if self.config.positions == "sincos":
            place = sincos(self.config.width, (K, *grid), device=latents.device).unflatten(0, (K, -1))
            when = place.mean(1)  # actions and states have a time, and no place in the plane
            told, patches = [token + when for token in told], patches + place
        else:
            rotation = self._rotation((K, *grid), len(told), latents.device)
        h = torch.cat([*(token.unsqueeze(2) for token in told), patches], 2)
        n = h.shape[2]
        mask = block_causal(K, n, h.device) if K > 1 else None
        h = h.flatten(1, 2)
        for block in self.blocks:
            h = block(h, rotation=rotation, mask=mask)
        found = self.project(self.norm(h.unflatten(1, (K, n))[:, :, len(told) :]))
        return latents + found if self.config.residual else found

    def _rotation(self, grid: tuple[int, int, int], told: int, device: torch.device) -> Complex[Tensor, "R 1 1 Kn P"]:
        """The rotation of each token. The first patch of a step is turned by the time alone, as what is told."""
        table = rotations(self.config.width // self.config.heads, grid, True, device).unflatten(1, (grid[0], -1))
        every = torch.cat([table[:, :, :1].expand(-1, -1, told, -1), table], 2)
        return every.flatten(1, 2).unsqueeze(1).unsqueeze(1)


def block_causal(steps: int, tokens: int, device: torch.device | str = "cpu") -> Bool[Tensor, "Kn Kn"]:
    """The attention mask: [i, j] is true if i sees j. A token sees those of its own step and of all steps before."""
    step = torch.arange(steps, device=device).repeat_interleave(tokens)
    return step.unsqueeze(1) >= step
