"""The predictor's query tokens: one for each position, with or without the action.

A query module maps positions [B, L, d] and actions [B, A] to tokens [B, L + E, d]. The predictor answers the first L
tokens. Up to E more tokens only carry information.

B batch · L positions asked · E informing tokens · d predictor width · A action parameters
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell.errors import ForetellError


def told(action: Float[Tensor, "B A"] | None, width: int) -> Float[Tensor, "B A"]:
    """The action that queries read. Raises ForetellError where it is missing, or has another number of columns."""
    if action is None or action.ndim != 2 or action.shape[1] != width:
        found = "missing" if action is None else list(action.shape)
        raise ForetellError(f"action is {found}, expected [B, {width}]: zeros are the null action")
    return action


class MaskTokens(nn.Module):
    """I-JEPA §3: one learned token, plus the position it asks for. It knows nothing of actions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.token, std=0.02)

    def forward(
        self, position: Float[Tensor, "B L d"], action: Float[Tensor, "B A"] | None = None
    ) -> Float[Tensor, "B _ d"]:
        """[B, L, d] -> [B, L, d]; the action is not read."""
        return self.token + position


class TokenPerMask(nn.Module):
    """V-JEPA's released code: a learned token for each kind of mask, zero at first, plus the position it asks for.

    The action is the kind of mask, one-hot. Without an action the second token is used, as in that code.
    """

    def __init__(self, width: int, kinds: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.zeros(kinds, width))
        self.usual = min(1, kinds - 1)

    def forward(
        self, position: Float[Tensor, "B L d"], action: Float[Tensor, "B A"] | None = None
    ) -> Float[Tensor, "B _ d"]:
        """[B, L, d] -> [B, L, d]; an action without columns tells nothing."""
        if action is None or not action.shape[1]:
            token = self.tokens[self.usual]
        else:
            token = told(action, len(self.tokens)) @ self.tokens
        return token.unsqueeze(-2) + position


class FeatureConditioned(MaskTokens):
    """IWM §4, "feature": the action joins every mask token's features, a three-layer MLP mixes them."""

    def __init__(self, width: int, actions: int) -> None:
        super().__init__(width)
        self.actions = actions
        self.mix = nn.Sequential(
            nn.Linear(width + actions, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
        )

    def forward(
        self, position: Float[Tensor, "B L d"], action: Float[Tensor, "B A"] | None = None
    ) -> Float[Tensor, "B _ d"]:
        """[B, L, d], [B, A] -> [B, L, d]."""
        tokens, action = super().forward(position), told(action, self.actions)
        return self.mix(torch.cat([tokens, action.unsqueeze(1).expand(-1, tokens.shape[1], -1)], -1))


class SequenceConditioned(MaskTokens):
    """IWM §4, "sequence": the action joins the sequence, a token a parameter, each by its own linear map.

    With one shared map attention could not tell the parameters apart.
    """

    def __init__(self, width: int, actions: int) -> None:
        super().__init__(width)
        self.weight = nn.Parameter(torch.empty(actions, width))
        self.bias = nn.Parameter(torch.empty(actions, width))
        nn.init.trunc_normal_(self.weight, std=0.02)
        nn.init.trunc_normal_(self.bias, std=0.02)

    def forward(
        self, position: Float[Tensor, "B L d"], action: Float[Tensor, "B A"] | None = None
    ) -> Float[Tensor, "B _ d"]:
        """[B, L, d], [B, A] -> [B, L + A, d]."""
        action = told(action, len(self.weight))
        return torch.cat([super().forward(position), action.unsqueeze(-1) * self.weight + self.bias], 1)
