"""Plan with an action-conditioned world model (V-JEPA 2-AC, Assran et al. 2025, arXiv:2506.09985, §3.2).

    a*_{1:H} = argmin_a ‖P_φ(a_{1:H}; s, z) − z_goal‖₁

Two pictures are encoded: the present and the goal. The planner searches for actions whose predicted latents are
nearest to the goal's. The first action of a plan is done. Then a new picture is encoded, and a new plan is made.

B problems · n samples · H steps ahead · N patches · D width · A actions · S states
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from foretell.augment import to_float
from foretell.capabilities import Rolls, require
from foretell.errors import ForetellError
from foretell.evaluate.encode import evaluating
from foretell.method import Method
from foretell.plan.cem import CEM, minimise

Rollout: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(latents [B, N, D], state [B, S], actions [B, H, A]) -> latents [B, H, N, D]: `Rolls.rollout`, or a baseline."""
Energy: TypeAlias = Callable[[Tensor], Tensor]
"""actions [B, n, H, A] -> [B, n]."""
CHUNK = 512
"""Rollouts computed at once."""


@dataclass(frozen=True)
class Plan:
    """The actions to do, for each problem."""

    actions: Float[Tensor, "B H A"]
    energy: Float[Tensor, " B"]
    """Mean absolute difference of the predicted latents from the goal's, at the end or along the way."""
    now: Float[Tensor, " B"]
    """The same difference for the present picture."""
    trace: Float[Tensor, "B iterations"]
    """The elites' mean energy, iteration by iteration."""

    @property
    def worse(self) -> Bool[Tensor, " B"]:
        """Whether the plan is foreseen to end no nearer to the goal than doing nothing."""
        return self.energy >= self.now


@dataclass(frozen=True)
class Landscape:
    """The energy of doing one action, over a grid of two of its numbers."""

    x: Float[Tensor, " P"]
    y: Float[Tensor, " P"]
    energy: Float[Tensor, "P P"]
    """[row, column]: of y[row] and x[column]."""
    axes: tuple[int, int]
    """The two numbers of the action that x and y are; the others are 0."""

    @property
    def lowest(self) -> tuple[float, float]:
        """(x, y) of the lowest energy."""
        row, column = divmod(int(self.energy.argmin()), len(self.x))
        return self.x[column].item(), self.y[row].item()


def plan(
    model: Method,
    image: Tensor,
    goal: Tensor,
    state: Tensor | None = None,
    search: CEM | None = None,
    *,
    seed: int = 0,
    rollout: Rollout | None = None,
) -> Plan:
    """Find actions that lead from one picture to another.

    Args:
        model: one that foresees what actions do, such as a V-JEPA 2-AC.
        image: the present picture: [B, 3, S, S] or [3, S, S], uint8 or in [0, 1], at the model's image size.
        goal: the picture of the goal, in the same form.
        state: state of the actor, [B, S] or [S]; None for a model without states.
        search: settings of the search; None for the paper's.
        seed: draws the samples: the same seed gives the same plan.
        rollout: predicts in the model's place.

    Raises:
        ForetellError: sizes do not fit the model, or the horizon is too long for it.
    """
    search = search or CEM()
    world = require(model, Rolls, "planning")
    now, there, states = _problem(world, image, goal, state)
    if search.horizon >= (frames := world.config.frames):
        raise ForetellError(f"horizon is {search.horizon}, but this model learned {frames - 1} steps: look less far")
    with evaluating(model) as device:
        energy, seen = _energy(world, now, there, states.to(device), rollout or world.rollout, search.along)
        generator = torch.Generator().manual_seed(seed)
        limits = search.limits(largest(world).to(device))
        actions, trace = minimise(energy, len(now), limits, search, generator)
        ends = energy(actions.unsqueeze(1))[:, 0]
    return Plan(actions.cpu(), ends.cpu(), seen.cpu(), trace.cpu())


def landscape(
    model: Method,
    image: Tensor,
    goal: Tensor,
    state: Tensor | None = None,
    *,
    axes: tuple[int, int] = (0, 1),
    points: int = 21,
    limit: tuple[float, ...] = (),
) -> Landscape:
    """The energy of one step over a grid of two-dimensional actions (the paper's figure 9).

    Args:
        model: one that foresees what actions do, such as a V-JEPA 2-AC.
        image: the present picture, one as for `plan`.
        goal: the picture of the goal.
        state: as of `plan`.
        axes: two numbers of the action; the others stay 0.
        points: P, along each axis, from minus to plus the limit.
        limit: as of `CEM.limit`.

    Raises:
        ForetellError: as `plan`; no such axes, or more than one picture.
    """
    world = require(model, Rolls, "planning")
    now, there, states = _problem(world, image, goal, state)
    A = world.config.actions
    if len(set(axes)) != 2 or not all(0 <= axis < A for axis in axes):
        raise ForetellError(f"axes are {axes[0]} and {axes[1]}, expected two different ones of 0 to {A - 1}")
    if len(now) != 1:
        raise ForetellError(f"a landscape takes one picture, found {len(now)}")
    limits = CEM(limit=limit).limits(largest(world))
    x, y = (torch.linspace(-1, 1, points) * limits[axis] for axis in axes)
    actions = torch.zeros(points, points, A)
    actions[..., axes[0]], actions[..., axes[1]] = x, y.unsqueeze(1)
    with evaluating(model) as device:
        energy, _ = _energy(world, now, there, states.to(device), world.rollout, along=False)
        found = energy(actions.to(device).flatten(0, 1).unsqueeze(1).unsqueeze(0))
    return Landscape(x, y, found.view(points, points).cpu(), axes)


def _energy(
    model: Rolls, now: Tensor, there: Tensor, states: Tensor, foresee: Rollout, along: bool
) -> tuple[Energy, Float[Tensor, " B"]]:
    """The energy of `n` sequences of actions for each problem, and the distance of the present picture from the goal.

    States are where the model is.
    """
    device = states.device
    z, z_goal = model.target(now.to(device))[:, 0], model.target(there.to(device))[:, 0]

    def energy(actions: Float[Tensor, "B n H A"]) -> Float[Tensor, "B n"]:
        B, n = actions.shape[:2]
        which = torch.arange(B, device=device).repeat_interleave(n)
        flat = actions.flatten(0, 1)
        found = []
        for part in torch.arange(B * n, device=device).split(CHUNK):
            some = which[part]
            ahead = foresee(z[some], states[some], flat[part])
            found.append(distance(ahead if along else ahead[:, -1:], z_goal[some].unsqueeze(1)))
        return torch.cat(found).unflatten(0, (B, n))

    return energy, distance(z.unsqueeze(1), z_goal.unsqueeze(1))


def copied(latents: Tensor, state: Tensor, actions: Tensor) -> Tensor:
    """The baseline without knowledge of actions: it predicts that nothing changes."""
    return latents.unsqueeze(1).expand(-1, actions.shape[1], -1, -1)


def distance(a: Float[Tensor, "B H N D"], b: Float[Tensor, "_ 1 N D"]) -> Float[Tensor, " B"]:
    """Mean absolute difference of the latents of some steps from those of one picture."""
    return (a - b).abs().mean((1, 2, 3))


def largest(model: Rolls) -> Float[Tensor, " A"]:
    """The largest change along each axis that training has shown: a planner asks for no more."""
    return torch.tensor([p.high for p in model.action_space.parameters])


def _problem(model: Rolls, image: Tensor, goal: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures as clips of one frame, and the state, all with a batch."""
    side, S = model.config.encoder.image_size, model.config.states
    clips = []
    for name, picture in (("image", image), ("goal", goal)):
        some = picture if picture.ndim == 4 else picture.unsqueeze(0)
        if some.shape[1:] != (3, side, side):
            raise ForetellError(f"the {name} is {tuple(picture.shape)}, but this model looks at (3, {side}, {side})")
        clips.append(to_float(some).unsqueeze(2))
    now, there = clips
    if state is None:
        if S:
            raise ForetellError(f"this model needs the state of the actor, {S} numbers, and none is given")
        state = torch.empty(len(now), 0)
    states = (state if state.ndim == 2 else state.unsqueeze(0)).float()
    if len(now) != len(there) or states.shape != (len(now), S):
        raise ForetellError(
            f"found {len(now)} images, {len(there)} goals and a state of {tuple(states.shape)}, expected as many of "
            f"each, and {S} numbers a state"
        )
    if not states.isfinite().all():
        raise ForetellError(f"the state is {states.tolist()}, expected finite numbers")
    return now, there, states
