"""What forecasts steps: a trained VEDIT, and what it is held against. All answer the same questions.

B procedures · P latents a clip · C their width · T steps of a plan · K futures · Z steps ahead · M samples
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell.methods.vedit import VEDIT
from foretell.problems import NONE, PaddedClips

Futures = dict[str, Int[Tensor, "B K Z"]]
"""By kind: step, verb, noun."""


class Forecaster(ABC):
    """Answers questions about procedures of which some clips were seen. Steps are numbers of the model's names."""

    name: str
    """What reports call it."""

    @abstractmethod
    def next(self, seen: PaddedClips) -> Float[Tensor, "B steps"]:
        """Log-probabilities of the step that comes after those seen."""

    def task(self, seen: PaddedClips) -> Float[Tensor, "B tasks"] | None:
        """A score of each task; None for what cannot tell tasks."""
        return None

    @abstractmethod
    def plan(self, ends: PaddedClips, steps: int) -> Int[Tensor, "B T"]:
        """All T steps of a plan of which the first and the last clip were seen."""

    @abstractmethod
    def futures(self, seen: PaddedClips, ahead: int, samples: int, generator: torch.Generator) -> Futures:
        """K forecasts of the next Z steps; the first one is the likeliest where there is a likeliest."""


class Denoised(Forecaster):
    """A trained VEDIT.

    Args:
        model: it.
        generator: draws its noise.
        samples: M, futures that probabilities are the means over.
        euler: Euler steps of plans and futures; None for the model's.
        name: what reports call it.

    The next step alone, and the task, are read after one Euler step: there x̂₀ is the mean of all futures, and no
    sample's noise hides a step.
    """

    def __init__(
        self, model: VEDIT, generator: torch.Generator, samples: int = 8, euler: int | None = None, name: str = "vedit"
    ) -> None:
        self.model, self.generator, self.euler, self.name = model, generator, euler, name
        self.samples = 1 if model.config.objective == "direct" else samples
        self.first = 1 if model.config.objective == "velocity" else None  # names through the sampler need all its steps

    def next(self, seen: PaddedClips) -> Float[Tensor, "B steps"]:
        """The mean over M noises."""
        told = recent(seen, self.model.config.history)
        latents = self.model.sample(told, after(seen, 1), self.samples, self.generator, self.first)
        return self.model.classify(latents)["step"][:, :, 0].exp().mean(1).log()

    def task(self, seen: PaddedClips) -> Float[Tensor, "B tasks"] | None:
        """From the clips that were seen, and M next ones."""
        if not self.model.config.tasks:
            return None
        return self.model.name_task(seen, after(seen, 1), self.samples, self.generator, self.first)

    def plan(self, ends: PaddedClips, steps: int) -> Int[Tensor, "B T"]:
        """The plan that most of M samples agree on; among equals the likeliest by the mean of all."""
        known = self.model.classify(ends.latents)["step"].argmax(-1)
        if steps == 2:
            return known
        latents = self.model.sample(ends, inside(ends, steps), self.samples, self.generator, self.euler)
        inner = likeliest(self.model.classify(latents)["step"])
        return torch.cat([known[:, :1], inner, known[:, 1:]], 1)

    def futures(self, seen: PaddedClips, ahead: int, samples: int, generator: torch.Generator) -> Futures:
        """K sampled futures, block after block; without noise the first is the likeliest, and the others are drawn."""
        logs = self.model.classify(foreseen(self.model, seen, ahead, samples, generator, self.euler).flatten(0, 1))
        drawn = {kind: each.argmax(-1) for kind, each in logs.items()}
        if self.model.config.objective == "direct":
            drawn = {kind: _with_draws(drawn[kind], logs[kind], samples, generator) for kind in drawn}
        return {kind: each.unflatten(0, (-1, samples)) for kind, each in drawn.items()}


def foreseen(
    model: VEDIT, seen: PaddedClips, ahead: int, samples: int, generator: torch.Generator, euler: int | None = None
) -> Float[Tensor, "B K Z P C"]:
    """K futures of the next Z clips, block after block: each block sees the last clips, those of blocks before, too."""
    c, told, found = model.config, seen.repeated(samples), []
    for start in range(0, ahead, c.horizon):
        told = recent(told, c.history)
        asked = after(told, min(c.horizon, ahead - start))
        found.append(model.sample(told, asked, 1, generator, euler)[:, 0])
        told = joined(told, asked, found[-1])
    return torch.cat(found, 1).unflatten(0, (-1, samples))


def likeliest(logs: Float[Tensor, "B M T steps"]) -> Int[Tensor, "B T"]:
    """The sequence that most samples agree on; among equals the likeliest by the mean of all samples."""
    sequences = logs.argmax(-1)  # [B, M, T]
    agree = (sequences.unsqueeze(1) == sequences.unsqueeze(2)).all(-1).sum(-1)  # [B, M]
    mean = logs.exp().mean(1, keepdim=True).log().expand_as(logs)
    scores = mean.gather(-1, sequences.unsqueeze(-1))[..., 0].sum(-1)
    best = (agree + scores.sigmoid()).argmax(1)  # a score breaks ties, and no more
    return sequences[torch.arange(len(sequences), device=sequences.device), best]


def _with_draws(
    best: Int[Tensor, "BK Z"], logs: Float[Tensor, "BK Z classes"], samples: int, generator: torch.Generator
) -> Int[Tensor, "BK Z"]:
    """Of each K rows the first as it is, and the others drawn from their probabilities, place by place."""
    drawn = torch.multinomial(logs.exp().flatten(0, 1), 1, generator=generator).view(best.shape)
    first = torch.arange(len(best), device=best.device) % samples == 0
    return torch.where(first.unsqueeze(1), best, drawn)


def recent(seen: PaddedClips, most: int) -> PaddedClips:
    """The last clips of those seen, at most so many."""
    count = seen.there.sum(1)
    if int(count.max()) <= most:
        return seen
    first = (count - most).clamp_min(0).unsqueeze(1)
    index = first + torch.arange(most, device=first.device)
    there = index < count.unsqueeze(1)
    places = seen.places.gather(1, index.clamp_max(seen.places.shape[1] - 1))
    taken = seen.take(index, there)
    return PaddedClips(taken.latents, places, there, taken.labels)


def after(seen: PaddedClips, count: int) -> PaddedClips:
    """Empty clips at the places after the last one that was seen."""
    last = seen.places.masked_fill(~seen.there, -torch.inf).amax(1, keepdim=True)
    return _empty(seen, last + torch.arange(1, count + 1, device=last.device))


def inside(ends: PaddedClips, steps: int) -> PaddedClips:
    """Empty clips at the places between two ends that are `steps` − 1 apart."""
    return _empty(ends, ends.places[:, :1] + torch.arange(1, steps - 1, device=ends.places.device))


def _empty(like: PaddedClips, places: Float[Tensor, "B n"]) -> PaddedClips:
    there = torch.ones_like(places, dtype=torch.bool)
    labels = {kind: torch.full_like(places, NONE, dtype=torch.int64) for kind in like.labels}
    return PaddedClips(like.latents.new_zeros(*places.shape, *like.latents.shape[2:]), places, there, labels)


def joined(seen: PaddedClips, asked: PaddedClips, latents: Float[Tensor, "B n P C"]) -> PaddedClips:
    """What was seen, and what was forecast, as if it had been seen: those that are there stand first."""
    there = torch.cat([seen.there, asked.there], 1)
    order = (~there).to(torch.uint8).argsort(dim=1, stable=True)
    every = torch.cat([seen.latents, latents], 1)
    index = order[:, :, None, None].expand_as(every)
    labels = {k: torch.cat([seen.labels[k], asked.labels[k]], 1).gather(1, order) for k in seen.labels}
    places = torch.cat([seen.places, asked.places], 1).gather(1, order)
    return PaddedClips(every.gather(1, index), places, there.gather(1, order), labels)
