"""Prediction problems of procedures: some clips are seen, others are asked for.

Forecasting sees the steps so far and asks for the next ones. Planning sees the first and the last step and asks for
those between. Both are the same kind of problem: only the places differ.

B batch · S steps · n clips · P latents a clip · C their width
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

NONE = -1
"""The number of a step, verb, noun or task that there is not."""
KINDS = ("step", "verb", "noun")


@runtime_checkable
class RaggedLike(Protocol):
    """What this file reads of `foretell.data.Ragged`."""

    @property
    def values(self) -> Any:
        """All lists behind one another."""

    @property
    def offsets(self) -> Tensor:
        """int64 [B + 1]."""
        ...


@dataclass(frozen=True, eq=False)
class PaddedClips:
    """Some clips of each of B procedures; where a procedure has less than others, some are not there."""

    latents: Float[Tensor, "B n P C"]
    places: Float[Tensor, "B n"]
    """In the procedure, in steps."""
    there: Bool[Tensor, "B n"]
    labels: dict[str, Int[Tensor, "B n"]]
    """By `KINDS`; `NONE` where there is none."""

    def __len__(self) -> int:
        return len(self.latents)

    def take(self, index: Int[Tensor, "B n"], there: Bool[Tensor, "B n"]) -> PaddedClips:
        """The clips at these columns, row by row."""
        safe = index.clamp(0, self.latents.shape[1] - 1)
        shape = (*safe.shape, *self.latents.shape[2:])
        return PaddedClips(
            self.latents.gather(1, safe[:, :, None, None].expand(shape)),
            index.to(self.places),
            there,
            {kind: some.gather(1, safe).masked_fill(~there, NONE) for kind, some in self.labels.items()},
        )

    def trimmed(self) -> PaddedClips:
        """Without the last columns in which nothing is there; one column stays."""
        n = max(int(self.there.sum(1).max()), 1)
        return PaddedClips(
            self.latents[:, :n], self.places[:, :n], self.there[:, :n], {k: v[:, :n] for k, v in self.labels.items()}
        )

    def rows(self, index: Int[Tensor, " b"]) -> PaddedClips:
        """Some of the procedures."""
        labels = {kind: some[index] for kind, some in self.labels.items()}
        return PaddedClips(self.latents[index], self.places[index], self.there[index], labels).trimmed()

    def repeated(self, times: int) -> PaddedClips:
        """Each procedure so many times in a row."""
        return PaddedClips(
            self.latents.repeat_interleave(times, 0),
            self.places.repeat_interleave(times, 0),
            self.there.repeat_interleave(times, 0),
            {kind: some.repeat_interleave(times, 0) for kind, some in self.labels.items()},
        )

    def to(self, device: torch.device | str) -> PaddedClips:
        """The same on another device."""
        labels = {kind: some.to(device) for kind, some in self.labels.items()}
        return PaddedClips(self.latents.to(device), self.places.to(device), self.there.to(device), labels)


@dataclass(frozen=True, eq=False)
class Problem:
    """What is seen, what is asked for, and what it was all done for."""

    seen: PaddedClips
    asked: PaddedClips
    task: Int[Tensor, " B"]
    chance: torch.Generator | None = None
    """Draws the noise of training."""

    def trimmed(self) -> Problem:
        """Without columns in which nothing is there."""
        return replace(self, seen=self.seen.trimmed(), asked=self.asked.trimmed())


def whole(columns: Mapping[str, RaggedLike], names: dict[str, Sequence[int]] | None = None) -> PaddedClips:
    """All clips of some procedures, in order.

    Args:
        columns: `latents`, `step`, `verb` and `noun`, a list a procedure, of one step or more each.
        names: for a kind of label what its numbers become; None where they stay as they are.
    """
    offsets = columns["latents"].offsets
    lengths = offsets.diff()
    S = int(lengths.max())
    there = torch.arange(S, device=offsets.device) < lengths.unsqueeze(1)
    latents = columns["latents"].values
    padded = torch.zeros(*there.shape, *latents.shape[1:], device=latents.device)
    padded[there] = latents.float()
    labels = {}
    for kind in KINDS:
        labels[kind] = torch.full(there.shape, NONE, device=offsets.device)
        values = columns[kind].values
        if names and kind in names:
            table = torch.tensor([*names[kind], NONE], device=offsets.device)  # the last one is that of NONE
            values = table[values]
        labels[kind][there] = values
    return PaddedClips(padded, torch.arange(S, device=offsets.device).expand(there.shape).float(), there, labels)


def forecast(
    clips: PaddedClips, seen: Int[Tensor, " B"], history: int, horizon: int
) -> tuple[PaddedClips, PaddedClips]:
    """The last `history` clips of those seen, and the next `horizon`.

    Args:
        clips: of whole procedures.
        seen: how many were seen of each, at least 1.
        history: seen clips at most.
        horizon: asked clips at most.
    """
    device = clips.latents.device
    first = (seen - history).clamp_min(0).unsqueeze(1)
    back = first + torch.arange(min(history, clips.latents.shape[1]), device=device)
    ahead = seen.unsqueeze(1) + torch.arange(horizon, device=device)
    lengths = clips.there.sum(1, keepdim=True)
    return clips.take(back, back < seen.unsqueeze(1)), clips.take(ahead, ahead < lengths)


def between(clips: PaddedClips, start: Int[Tensor, " B"], steps: Int[Tensor, " B"]) -> tuple[PaddedClips, PaddedClips]:
    """The first and the last clip of a window, and those between.

    Args:
        clips: of whole procedures.
        start: where the window begins in each.
        steps: how many clips it has, at least 2.
    """
    device = clips.latents.device
    ends = torch.stack([start, start + steps - 1], 1)
    inner = start.unsqueeze(1) + 1 + torch.arange(max(int(steps.max()) - 2, 1), device=device)
    return clips.take(ends, torch.ones_like(ends, dtype=torch.bool)), clips.take(inner, inner < ends[:, 1:])


def recombined(
    clips: PaddedClips, prototypes: Float[Tensor, "steps P C"], share: float, generator: torch.Generator
) -> PaddedClips:
    """Some clips as the mean of their step, and the rest of any other of these clips: what sets it apart from its own.

    Args:
        clips: those without a step stay as they are.
        prototypes: the mean clip of each step.
        share: of the clips that are recombined, from 0 to 1.
        generator: the source of chance.
    """
    step = clips.labels["step"]
    known = clips.there & (step != NONE)
    means, latents = prototypes[step[known]], clips.latents.clone()
    n, device = len(means), generator.device
    other = torch.randint(max(n, 1), (n,), generator=generator, device=device).to(means.device)
    which = (torch.rand(n, generator=generator, device=device) < share).to(means.device)
    own = latents[known]
    latents[known] = torch.where(which[:, None, None], means + (own - means)[other], own)
    return replace(clips, latents=latents)


def draw(
    clips: PaddedClips,
    task: Int[Tensor, " B"] | None,
    generator: torch.Generator,
    history: int,
    horizon: int,
    planned: Sequence[int],
) -> Problem:
    """A problem of each procedure: half are forecasts, half are plans, where a procedure is long enough for a plan.

    Args:
        clips: of whole procedures.
        task: of each; `None` where tasks are not known.
        generator: the source of chance.
        history: clips that a forecast sees at most.
        horizon: clips that a forecast asks for at most.
        planned: lengths of plans, the ends included; none for forecasts alone.
    """
    device, lengths = clips.latents.device, clips.there.sum(1)
    B = len(lengths)
    task = torch.full_like(lengths, NONE) if task is None else task
    chance = torch.rand(3, B, generator=generator, device=generator.device).to(device)
    seen = 1 + (chance[0] * (lengths - 1)).long()
    past, future = forecast(clips, seen.clamp_max(lengths), history, horizon)
    if not planned:
        return Problem(past, future, task, generator).trimmed()
    sizes = torch.tensor(planned, device=device)
    drawn = torch.randint(len(planned), (B,), generator=generator, device=generator.device).to(device)
    steps = sizes[drawn].minimum(lengths)
    start = (chance[1] * (lengths - steps + 1)).long().minimum(lengths - steps)
    ends, inner = between(clips, start, steps.clamp_min(2))
    plans = (chance[2] < 0.5) & (lengths >= 3)
    return Problem(_either(plans, ends, past), _either(plans, inner, future), task, generator).trimmed()


def _either(which: Bool[Tensor, " B"], first: PaddedClips, second: PaddedClips) -> PaddedClips:
    """Of each row those of the first where it is true, and of the second elsewhere."""
    n = max(first.latents.shape[1], second.latents.shape[1])
    first, second = _widened(first, n), _widened(second, n)

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(which.view(-1, *(1 for _ in a.shape[1:])), a, b)

    return PaddedClips(
        pick(first.latents, second.latents),
        pick(first.places, second.places),
        pick(first.there, second.there),
        {kind: pick(first.labels[kind], second.labels[kind]) for kind in first.labels},
    )


def _widened(clips: PaddedClips, n: int) -> PaddedClips:
    """With as many columns; in the new ones nothing is there."""
    more = n - clips.latents.shape[1]
    if not more:
        return clips
    pad = torch.nn.functional.pad
    return PaddedClips(
        pad(clips.latents, (0, 0, 0, 0, 0, more)),
        pad(clips.places, (0, more)),
        pad(clips.there, (0, more)),
        {kind: pad(some, (0, more), value=NONE) for kind, some in clips.labels.items()},
    )


def entropy(logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Cross-entropy over those that have a label; 0 where none has."""
    known = labels != NONE
    return F.cross_entropy(logits[known], labels[known]) if known.any() else logits.sum() * 0.0
