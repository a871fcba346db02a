"""The cross-entropy method (Rubinstein 1997): draw, keep the best, draw around them again.

B problems, solved side by side · n samples · H steps ahead · A actions
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.errors import COUNT, NOT_NEGATIVE, ForetellError, check_range


@dataclass(frozen=True)
class CEM:
    """The settings of a search for actions. Defaults are V-JEPA 2-AC's (arXiv:2506.09985, §4.2)."""

    samples: int = 800
    """Sequences of actions drawn an iteration."""
    elites: int = 10
    """The best of these. The next samples are drawn around them."""
    iterations: int = 10
    horizon: int = 1
    """Steps that a plan looks ahead."""
    along: bool = False
    """Whether every predicted step counts. In the paper only the last one does. Then the first of several steps may
    lead anywhere, and an actor that plans anew after each step never arrives."""
    momentum: float = 0.15
    """Share of the mean and the deviation that is kept from iteration to iteration. The paper does not print it; its
    released example has 0.15 for the mean."""
    bound: Literal["ball", "box"] = "ball"
    """Actions of a step lie in an L1 ball, as in the paper, or each within its own limits."""
    limit: tuple[float, ...] = ()
    """Radius of the ball, or half the side of the box: one number, or one for each action (0: it is not used). The
    paper's robots: 0.075 (metres). Nothing: the largest actions that the model has seen."""

    def __post_init__(self) -> None:
        for name in ("samples", "elites", "iterations", "horizon"):
            check_range(name, getattr(self, name), COUNT)
        if self.elites > self.samples:
            raise ForetellError(f"elites is {self.elites}, expected at most as many as samples, {self.samples}")
        if not 0 <= self.momentum < 1:
            raise ForetellError(f"momentum is {self.momentum:g}, expected 0 or more and below 1")
        for each in self.limit:
            check_range("limit", each, NOT_NEGATIVE)

    def limits(self, seen: Float[Tensor, " A"]) -> Float[Tensor, " A"]:
        """The limit of each action; `seen` where none is set.

        Raises:
            ForetellError: there is neither one limit nor one for each action.
        """
        if not self.limit:
            return seen
        if len(self.limit) not in (1, len(seen)):
            raise ForetellError(f"limit has {len(self.limit)} numbers, expected one, or one for each of {len(seen)}")
        return torch.tensor(self.limit, device=seen.device).expand(len(seen)).clone()


def minimise(
    energy: Callable[[Float[Tensor, "B n H A"]], Float[Tensor, "B n"]],
    problems: int,
    limit: Float[Tensor, " A"],
    search: CEM,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "B H A"], Float[Tensor, "B iterations"]]:
    """Find sequences of actions of low energy.

    Args:
        energy: the function that gives the energies of n sequences for each of B problems.
        problems: B.
        limit: the limit of each action, see `CEM.limit`.
        search: its settings.
        generator: the only source of chance.

    Returns:
        The mean of the last elites, and the elites' mean energy after each iteration.
    """
    shape = problems, search.samples, search.horizon, len(limit)
    used = limit > 0
    # in units of the limits, so that one ball fits actions of different sizes
    mean = torch.zeros(problems, search.horizon, len(limit), device=limit.device)
    deviation = torch.ones_like(mean)
    trace = []
    for _ in range(search.iterations):
        noise = torch.randn(shape, generator=generator, device=generator.device).to(limit.device)
        drawn = within(search.bound, (mean.unsqueeze(1) + deviation.unsqueeze(1) * noise) * used)
        values, best = energy(drawn * limit).topk(search.elites, dim=1, largest=False)
        elite = drawn.gather(1, best[..., None, None].expand(-1, -1, *shape[2:]))
        mean = torch.lerp(elite.mean(1), mean, search.momentum)
        deviation = torch.lerp(elite.std(1, correction=0), deviation, search.momentum)
        trace.append(values.mean(1))
    return within(search.bound, mean) * limit, torch.stack(trace, 1)


def within(bound: str, actions: Float[Tensor, "*batch A"]) -> Float[Tensor, "*batch A"]:
    """Actions brought into the unit ball of L1, by making them shorter, or into the unit box, by cutting them off."""
    if bound == "box":
        return actions.clamp(-1, 1)
    return actions / actions.abs().sum(-1, keepdim=True).clamp_min(1)
