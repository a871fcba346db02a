"""A prediction problem, and the one operation every method needs on it.

B batch · C channels · N patches · K context patches · M blocks · L patches a block · D width
A action parameters
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Pair:
    """Two augmented versions of each photograph, for methods that bring them together in latent space."""

    source: Float[Tensor, "B C ..."]
    """x [B, C, H, W] in [0, 1]."""
    target: Float[Tensor, "B C ..."]
    """x′ [B, C, H, W] in [0, 1]."""


@dataclass(frozen=True)
class Views:
    """One prediction problem: say `target` at `target_index`, having seen `context` at `context_index`."""

    context: Float[Tensor, "B C ..."]
    """x [B, C, (T,) H, W] in [0, 1]: the input of the context encoder."""
    target: Float[Tensor, "_ C ..."]
    """y [B/R, C, (T,) H, W] in [0, 1]: the input of the target encoder. If each y has R contexts, x contains all of y R
    times.
    """
    context_index: Int[Tensor, "B K"]
    """The visible patches of x."""
    target_index: Int[Tensor, "B M L"]
    """The patches of y to predict, in M blocks of L."""
    action: Float[Tensor, "B A"] | None = None
    """a: the way from x to y, or the kind of mask that hides it. None where the method has no actions."""
    chance: torch.Generator | None = None
    """The generator of a predictor that draws while it predicts; None if it should not draw."""

    def to(self, device: torch.device | str) -> Views:
        """The same problem on another device."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: t.to(device) for name, t in values.items() if isinstance(t, Tensor)})


def take(x: Shaped[Tensor, "B N D"], index: Int[Tensor, "B *some"]) -> Shaped[Tensor, "B *some D"]:
    """Gather patches.

    Args:
        x: the tensor to gather from.
        index: int64 in [0, N).

    Returns:
        For each sample its own selection.
    """
    flat = index.flatten(1).unsqueeze(-1).expand(-1, -1, x.shape[-1])
    return x.gather(1, flat).unflatten(1, index.shape[1:])
