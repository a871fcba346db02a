"""Baselines that count and look up: repeat the last step, the most frequent next step, the nearest history.

They see what all others see: latents, not labels. A linear recogniser names the clips that were seen.

B procedures · P latents a clip · C their width · T steps of a plan · K futures · Z steps ahead · n train clips
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.evaluate.procedures.forecaster import Forecaster, Futures, after, joined
from foretell.nn.pooler import middle
from foretell.problems import KINDS, NONE, PaddedClips
from foretell.train.fit import fit


class SeenProcedures(NamedTuple):
    """What baselines learn from: train procedures in a model's numbers."""

    clips: PaddedClips
    task: Int[Tensor, " N"]
    steps: int
    """How many kinds of steps there are."""
    tasks: int
    mean: Float[Tensor, "P C"]
    std: Float[Tensor, "P C"]

    def vectors(self, latents: Float[Tensor, "*some P C"]) -> Float[Tensor, "*some PC"]:
        """Standardised latents, those of a clip side by side."""
        return ((latents - self.mean) / self.std).flatten(-2)

    @staticmethod
    def of(clips: PaddedClips, task: Int[Tensor, " N"], steps: int, tasks: int) -> SeenProcedures:
        """With mean and deviation of the clips that are there."""
        every = clips.latents[clips.there]
        return SeenProcedures(clips, task, steps, tasks, every.mean(0), every.std(0).clamp_min(1e-6))

    def words(self) -> dict[str, Int[Tensor, " steps"]]:
        """For verb and noun the one that goes with each step most often; `NONE` for a step without."""
        step, found = self.clips.labels["step"], {}
        for kind in KINDS[1:]:
            word = self.clips.labels[kind]
            both = (step != NONE) & (word != NONE)
            if both.any():
                table = torch.zeros(self.steps, int(word.max()) + 1)
                table.index_put_((step[both], word[both]), torch.ones(int(both.sum())), accumulate=True)
                found[kind] = torch.where(table.sum(1) > 0, table.argmax(1), NONE)
        return found

    def prototypes(self) -> Float[Tensor, "steps P C"]:
        """The mean clip of each step; of one that never occurs the mean of all."""
        there = self.clips.there & (self.clips.labels["step"] != NONE)
        step, latents = self.clips.labels["step"][there], self.clips.latents[there]
        sums = torch.zeros(self.steps, *latents.shape[1:]).index_add_(0, step, latents)
        counts = torch.bincount(step, minlength=self.steps)[:, None, None]
        return torch.where(counts > 0, sums / counts.clamp_min(1), self.mean)


class StepByStep(Forecaster):
    """A forecaster that only knows the next step: futures are chains of next steps, each shown by its mean clip."""

    def __init__(self, known: SeenProcedures) -> None:
        self.known, self.prototypes, self.words = known, known.prototypes(), known.words()

    def futures(self, seen: PaddedClips, ahead: int, samples: int, generator: torch.Generator) -> Futures:
        """The first future takes the likeliest step each time, the others draw it."""
        told, steps = seen.repeated(samples), []
        first = torch.arange(len(told)) % samples == 0
        for _ in range(ahead):
            logs = self.next(told)
            drawn = torch.multinomial(logs.exp(), 1, generator=generator)[:, 0]
            step = torch.where(first, logs.argmax(-1), drawn)
            steps.append(step)
            asked = after(told, 1)
            shown = PaddedClips(asked.latents, asked.places, asked.there, asked.labels | {"step": step.unsqueeze(1)})
            told = joined(told, shown, self.prototypes[step].unsqueeze(1))
        found = torch.stack(steps, 1).unflatten(0, (-1, samples))
        return {"step": found} | {kind: table[found] for kind, table in self.words.items()}


class Recogniser:
    """A linear layer that names clips, trained on the train clips."""

    def __init__(self, known: SeenProcedures, seed: int, steps: int = 600) -> None:
        there = known.clips.there & (known.clips.labels["step"] != NONE)
        x, y = known.vectors(known.clips.latents[there]), known.clips.labels["step"][there]
        self.known, self.layer = known, _linear(x, y, known.steps, seed, steps)

    @torch.no_grad()
    def __call__(self, latents: Float[Tensor, "*some P C"]) -> Float[Tensor, "*some steps"]:
        """Log-probabilities of each step."""
        return self.layer(self.known.vectors(latents)).log_softmax(-1)


class Copy(StepByStep):
    """The step that was seen last comes again."""

    name = "copy"

    def __init__(self, known: SeenProcedures, recogniser: Recogniser) -> None:
        super().__init__(known)
        self.recogniser = recogniser

    def next(self, seen: PaddedClips) -> Float[Tensor, "B steps"]:
        """What the last clip shows."""
        return self.recogniser(last(seen))

    def plan(self, ends: PaddedClips, steps: int) -> Int[Tensor, "B T"]:
        """The first step until the last one."""
        start, goal = self.recogniser(ends.latents).argmax(-1).T
        return torch.stack([start] * (steps - 1) + [goal], 1)


class Bigram(StepByStep):
    """The step that came most often after the one that was seen last."""

    name = "bigram"

    def __init__(self, known: SeenProcedures, recogniser: Recogniser) -> None:
        super().__init__(known)
        self.recogniser = recogniser
        step = known.clips.labels["step"]
        pair = (step[:, :-1] != NONE) & (step[:, 1:] != NONE)
        counts = torch.zeros(known.steps, known.steps)
        counts.index_put_((step[:, :-1][pair], step[:, 1:][pair]), torch.ones(int(pair.sum())), accumulate=True)
        overall = torch.bincount(step[step != NONE], minlength=known.steps) + 1.0
        counts += 0.01 * overall / overall.sum()  # where nothing was counted: the most frequent step
        self.logs = (counts / counts.sum(1, keepdim=True)).log()
        table = torch.ones(known.steps, max(known.tasks, 1))
        task = known.task.unsqueeze(1).expand_as(step)
        both = (step != NONE) & (task != NONE)
        table.index_put_((step[both], task[both]), torch.ones(int(both.sum())), accumulate=True)
        self.tasks = (table / table.sum(0)).log()

    def next(self, seen: PaddedClips) -> Float[Tensor, "B steps"]:
        """The table's row of the recognised step."""
        return self.logs[self.recogniser(last(seen)).argmax(-1)]

    def task(self, seen: PaddedClips) -> Float[Tensor, "B tasks"] | None:
        """The task whose procedures have the recognised steps most often (naive Bayes)."""
        if not self.known.tasks:
            return None
        each = self.tasks[self.recogniser(seen.latents).argmax(-1)]
        return each.masked_fill(~seen.there.unsqueeze(-1), 0.0).sum(1)

    def plan(self, ends: PaddedClips, steps: int) -> Int[Tensor, "B T"]:
        """The likeliest chain of pairs between the two recognised steps (Viterbi's algorithm)."""
        start, goal = self.recogniser(ends.latents).argmax(-1).T
        score, back = self.logs[start], []
        for _ in range(steps - 3):
            best, came = (score.unsqueeze(2) + self.logs).max(1)
            score, back = best, [came, *back]
        step = (score + self.logs[:, goal].T).argmax(1) if steps > 2 else goal
        path = [step]
        for came in back:
            path = [came.gather(1, path[0].unsqueeze(1))[:, 0], *path]
        return torch.stack([start, *path, goal] if steps > 2 else [start, goal], 1)


class Nearest(StepByStep):
    """What came after the most similar history of the train procedures: last clip and mean of all clips."""

    name = "nearest"

    def __init__(self, known: SeenProcedures) -> None:
        super().__init__(known)
        lengths = known.clips.there.sum(1)
        rows, place = (torch.arange(1, int(lengths.max())) < lengths.unsqueeze(1)).nonzero().T
        self.rows, self.seen = rows, place + 1
        latents = known.vectors(known.clips.latents)
        means = latents.cumsum(1) / torch.arange(1, latents.shape[1] + 1).view(1, -1, 1)
        self.histories = torch.cat([latents[rows, place], means[rows, place]], 1)
        whole = torch.arange(len(lengths))
        self.whole = torch.cat([latents[whole, lengths - 1], means[whole, lengths - 1]], 1)

    def next(self, seen: PaddedClips) -> Float[Tensor, "B steps"]:
        """The next step of the nearest history."""
        place = self._nearest(seen, 1)[:, 0]
        found = self.known.clips.labels["step"][self.rows[place], self.seen[place]]
        return (F.one_hot(found.clamp_min(0), self.known.steps).float() + 1e-6).log()

    def task(self, seen: PaddedClips) -> Float[Tensor, "B tasks"] | None:
        """That of the nearest whole procedure."""
        if not self.known.tasks:
            return None
        found = self.known.task[torch.cdist(self._history(seen), self.whole).argmin(1)]
        return F.one_hot(found.clamp_min(0), self.known.tasks).float()

    def plan(self, ends: PaddedClips, steps: int) -> Int[Tensor, "B T"]:
        """The train window of so many steps with the nearest ends."""
        labels, latents = self.known.clips.labels["step"], self.known.vectors(self.known.clips.latents)
        lengths = self.known.clips.there.sum(1, keepdim=True)
        rows, start = (torch.arange(labels.shape[1]) + steps <= lengths).nonzero().T
        if not len(rows):
            return torch.zeros(len(ends), steps, dtype=torch.int64)
        windows = torch.cat([latents[rows, start], latents[rows, start + steps - 1]], 1)
        best = torch.cdist(self.known.vectors(ends.latents).flatten(1), windows).argmin(1)
        return labels[rows[best].unsqueeze(1), start[best].unsqueeze(1) + torch.arange(steps)]

    def futures(self, seen: PaddedClips, ahead: int, samples: int, generator: torch.Generator) -> Futures:
        """What came after the K nearest histories; nothing after their ends."""
        place = self._nearest(seen, samples)
        columns = self.seen[place].unsqueeze(-1) + torch.arange(ahead)
        width = self.known.clips.there.shape[1]
        index = (self.rows[place].unsqueeze(-1), columns.clamp_max(width - 1))
        there = self.known.clips.there[index] & (columns < width)
        kinds = ("step", *self.words)
        return {kind: self.known.clips.labels[kind][index].masked_fill(~there, NONE) for kind in kinds}

    def _nearest(self, seen: PaddedClips, count: int) -> Int[Tensor, "B count"]:
        return torch.cdist(self._history(seen), self.histories).topk(count, largest=False).indices

    def _history(self, seen: PaddedClips) -> Float[Tensor, "B _"]:
        return torch.cat([self.known.vectors(last(seen)), mean(self.known, seen)], 1)


def last(seen: PaddedClips) -> Float[Tensor, "B P C"]:
    """The last clip that was seen."""
    return seen.latents[torch.arange(len(seen)), seen.there.sum(1) - 1]


def mean(known: SeenProcedures, seen: PaddedClips) -> Float[Tensor, "B PC"]:
    """The mean of the clips that were seen."""
    return middle((seen.latents - known.mean) / known.std, seen.there)


def _linear(x: Float[Tensor, "n D"], y: Int[Tensor, " n"], classes: int, seed: int, steps: int) -> nn.Module:
    return network(x, y, classes, seed, steps, hidden=None)


def network(
    x: Float[Tensor, "n D"], y: Int[Tensor, " n"], classes: int, seed: int, steps: int, hidden: int | None
) -> nn.Module:
    """A linear layer, or one with a hidden layer before it, trained to name y from x."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        out = nn.Linear(hidden or x.shape[1], classes)
        made = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.GELU(), out) if hidden else nn.Sequential(out)
    fit(
        lambda i: F.cross_entropy(made(x[i]), y[i]),
        [(made, 1.0)],
        len(x),
        steps=steps,
        batch=256,
        lr=1e-2 if hidden is None else 2e-3,
        seed=seed,
    )
    return made.eval()
