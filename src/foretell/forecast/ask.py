"""Forecast a procedure: what comes next, or what lies between here and a goal.

Noise decides which future is sampled. So K futures come from K noises, and the probability of a step is its mean over
them.

n seen clips · P latents a clip · C their width · K futures · H steps ahead
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.data import Procedures
from foretell.data.procedures import ClipOf
from foretell.errors import COUNT, SEED, ForetellError, check_range
from foretell.evaluate.encode import evaluating
from foretell.evaluate.procedures.forecaster import after, foreseen, inside
from foretell.methods.vedit import VEDIT
from foretell.problems import KINDS, NONE, PaddedClips

SHOWN = 5
"""Steps ahead are told with so many names, the likeliest first."""


@dataclass(frozen=True)
class Near:
    """A clip of a bank that a sampled future comes near to."""

    label: str
    """The step that it shows."""
    row: int
    """Its procedure in the bank."""
    step: int
    """Its place there."""
    distance: float
    """From the future's latents, per channel, in standard deviations."""
    clip: ClipOf | None
    """Where it is; None where nobody knows."""


@dataclass(frozen=True)
class Forecast:
    """What a model expects."""

    steps: tuple[tuple[tuple[str, float], ...], ...]
    """For each step ahead the likeliest names and their probabilities, over all futures."""
    futures: tuple[tuple[str, ...], ...]
    """Each sampled future: the likeliest name of each of its steps."""
    seen: tuple[str, ...]
    """What the model takes the seen clips for."""
    goal: str | None
    """What it takes the goal for; None without a goal."""
    task: tuple[tuple[str, float], ...]
    """The likeliest tasks and their probabilities; () where the model knows of none."""
    latents: Float[Tensor, "K H P C"]
    """Of each future, as the clip encoder gives them."""
    nearest: tuple[tuple[Near, ...], ...] = ()
    """For each future and step ahead the nearest clip of the bank; () without a bank."""

    def numbers(self) -> dict[str, Any]:
        """All but the latents, ready for JSON."""

        def ranked(some: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
            return [{"name": name, "probability": probability} for name, probability in some]

        def near(each: Near) -> dict[str, Any]:
            place = {"label": each.label, "row": each.row, "step": each.step, "distance": each.distance}
            clip = each.clip and {"file": each.clip.file, "start": each.clip.start, "end": each.clip.end}
            return place | {"clip": clip}

        return {
            "steps": [ranked(some) for some in self.steps],
            "futures": [list(future) for future in self.futures],
            "nearest": [[near(each) for each in future] for future in self.nearest],
            "seen": list(self.seen),
            "goal": self.goal,
            "task": ranked(self.task),
        }


@torch.no_grad()
def forecast(
    model: VEDIT,
    seen: Float[Tensor, "n P C"],
    *,
    goal: Float[Tensor, "P C"] | None = None,
    steps: int = 1,
    samples: int = 8,
    bank: Procedures | None = None,
    seed: int = 0,
) -> Forecast:
    """Forecast a procedure of which some clips were seen.

    Args:
        model: a trained VEDIT.
        seen: latents of the clips so far, one or more: from `model.encode`, or of a data set.
        goal: latents of the clip that it should lead to; None to see what comes. With a goal the model is told the last
            clip that was seen and the goal, as in training.
        steps: H, how many come next, or lie between the last clip and the goal.
        samples: K.
        bank: procedures whose clips the futures are compared with.
        seed: draws the noise.

    Raises:
        ForetellError: a number is out of range, nothing was seen, or latents have another shape than the model's.
    """
    check_range("steps", steps, COUNT)
    check_range("samples", samples, COUNT)
    check_range("seed", seed, SEED)
    c = model.config
    for each in (seen, *(() if goal is None else (goal.unsqueeze(0),))):
        if each.ndim != 3 or not len(each) or each.shape[1:] != (c.latents, len(model.mean)):
            raise ForetellError(
                f"clips are {list(each.shape)}, expected [clips, {c.latents}, {len(model.mean)}], one clip or more: "
                "latents of the encoder that the model was trained with"
            )
    with evaluating(model) as device:
        told, generator = clips(seen.to(device)), torch.Generator().manual_seed(seed)
        if goal is None:
            latents = foreseen(model, told, steps, samples, generator)[0]
        else:
            ends = clips(torch.stack([seen[-1], goal]).to(device), [0, steps + 1])
            latents = model.sample(ends, inside(ends, steps + 2), samples, generator)[0]
        logs = model.classify(latents)["step"]
        shown = model.classify(told.latents)["step"][0].argmax(-1).tolist()
        task = model.name_task(told, after(told, 1), samples, generator)[0].exp() if c.tasks else torch.empty(0)
        aim = None if goal is None else int(model.classify(goal.to(device)[None])["step"].argmax())
        nearest = () if bank is None else _nearest(model, latents, bank)
    return Forecast(
        tuple(_ranked(each, c.steps) for each in logs.exp().mean(0)),
        tuple(tuple(c.steps[n] for n in future) for future in logs.argmax(-1).tolist()),
        tuple(c.steps[n] for n in shown),
        None if aim is None else c.steps[aim],
        _ranked(task, c.tasks),
        latents.cpu(),
        nearest,
    )


def clips(latents: Float[Tensor, "n P C"], places: Sequence[int] | None = None) -> PaddedClips:
    """One procedure's clips, in order, or at these places."""
    n, device = len(latents), latents.device
    where = torch.tensor([*(range(n) if places is None else places)], dtype=torch.float32, device=device)
    labels = {kind: torch.full((1, n), NONE, device=device) for kind in KINDS}
    return PaddedClips(latents.float()[None], where[None], torch.ones(1, n, dtype=torch.bool, device=device), labels)


def _nearest(model: VEDIT, latents: Float[Tensor, "K H P C"], bank: Procedures) -> tuple[tuple[Near, ...], ...]:
    """For each future and step the nearest clip of a bank. Raises ForetellError where it has another width."""
    every = model.whole(bank.batch(range(len(bank))))
    rows, places = every.there.nonzero().T
    known = model.scaled(every.latents[rows, places]).flatten(1)
    asked = model.scaled(latents.cpu()).flatten(0, 1).flatten(1)
    distances, index = torch.cdist(asked, known).min(1)
    found = []
    for distance, at in zip(distances.tolist(), index.tolist(), strict=True):
        row, place = int(rows[at]), int(places[at])
        label = bank.steps[int(every.labels["step"][row, place])]
        found.append(Near(label, row, place, distance / known.shape[1] ** 0.5, bank.clip(row, place)))
    H = latents.shape[1]
    return tuple(tuple(found[first : first + H]) for first in range(0, len(found), H))


def _ranked(probabilities: Float[Tensor, " names"], names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    best = probabilities.topk(min(SHOWN, len(names)))
    return tuple((names[n], p) for n, p in zip(best.indices.tolist(), best.values.tolist(), strict=True))
