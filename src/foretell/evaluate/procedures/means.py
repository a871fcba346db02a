"""Baselines on the mean of what was seen: a linear layer, and one with a hidden layer.

B procedures · T steps of a plan
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell.evaluate.procedures.counts import SeenProcedures, StepByStep, mean, network
from foretell.problems import NONE, PaddedClips


class OnMean(StepByStep):
    """One network names the next step from the mean of the clips so far, another the task; for each inner place of a
    plan, one names its step from both ends.

    Args:
        known: train procedures.
        seed: draws weights and order.
        hidden: width of the hidden layer; None for a linear layer.
        plans: lengths of plans.
        steps: training steps of each network.
    """

    def __init__(
        self, known: SeenProcedures, seed: int, hidden: int | None, plans: tuple[int, ...], steps: int = 600
    ) -> None:
        super().__init__(known)
        self.name = "linear" if hidden is None else "mlp"
        clips, label = known.clips, known.clips.labels["step"]
        latents, lengths = known.vectors(clips.latents), clips.there.sum(1)
        means = latents.cumsum(1) / torch.arange(1, latents.shape[1] + 1).view(1, -1, 1)
        rows, place = ((torch.arange(1, label.shape[1]) < lengths.unsqueeze(1)) & (label[:, 1:] != NONE)).nonzero().T
        fitted = {"seed": seed, "steps": steps, "hidden": hidden}
        self._next = network(means[rows, place], label[rows, place + 1], known.steps, **fitted)
        named = (known.task != NONE).nonzero()[:, 0]
        whole = means[named, lengths[named] - 1]
        self._task = network(whole, known.task[named], known.tasks, **fitted) if known.tasks else None
        self._inner = {}
        for size in plans:
            rows, start = (torch.arange(label.shape[1]) + size <= lengths.unsqueeze(1)).nonzero().T
            ends = torch.cat([latents[rows, start], latents[rows, start + size - 1]], 1)
            for place in range(size if len(rows) else 0):
                y = label[rows, start + place]
                self._inner[size, place] = network(ends[y != NONE], y[y != NONE], known.steps, **fitted)

    @torch.no_grad()
    def next(self, seen: PaddedClips) -> Float[Tensor, "B steps"]:
        """From the mean."""
        return self._next(mean(self.known, seen)).log_softmax(-1)

    @torch.no_grad()
    def task(self, seen: PaddedClips) -> Float[Tensor, "B tasks"] | None:
        """From the mean."""
        return None if self._task is None else self._task(mean(self.known, seen))

    @torch.no_grad()
    def plan(self, ends: PaddedClips, steps: int) -> Int[Tensor, "B T"]:
        """Place by place, each from both ends."""
        x = self.known.vectors(ends.latents).flatten(1)
        if (steps, 0) not in self._inner:
            return torch.zeros(len(x), steps, dtype=torch.int64)
        return torch.stack([self._inner[steps, place](x).argmax(-1) for place in range(steps)], 1)
