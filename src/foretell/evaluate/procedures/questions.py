"""What is asked of forecasters, all made of the same test procedures.

n questions · Z steps ahead · T steps of a plan
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from foretell.data import Procedures
from foretell.evaluate.procedures.forecaster import Forecaster, Futures
from foretell.evaluate.procedures.metrics import (
    NONE,
    batch_overlap,
    clustered,
    edit_distance_at,
    overlap,
    position_accuracy,
    success,
)
from foretell.problems import KINDS, PaddedClips, forecast, whole

CHUNK = 256
"""Questions at a time."""
PLANS = (3, 4)
AHEAD, SAMPLES = 20, 5
"""Z and K of long-term anticipation (Ego4D)."""
BATCH = 256
"""Plans that the batch variant of mIoU takes as one set."""


@dataclass(frozen=True, eq=False)
class Exam:
    """Test procedures, and which questions are asked of them."""

    clips: PaddedClips
    task: Int[Tensor, " N"]
    """Of each procedure, in the model's numbers; `NONE` for one that the model does not know."""
    seed: int
    most: int
    """Questions of a kind at most, drawn at random."""

    def drawn(self, questions: Int[Tensor, "n 2"]) -> Int[Tensor, "some 2"]:
        """At most `most` of the questions, those of like length beside each other."""
        order = torch.randperm(len(questions), generator=torch.Generator().manual_seed(self.seed))[: self.most]
        some = questions[order.sort().values]
        return some[some[:, 1].argsort(stable=True)]

    @property
    def lengths(self) -> Int[Tensor, " N"]:
        """Steps of each procedure."""
        return self.clips.there.sum(1)

    def forecasts(self) -> Int[Tensor, "n 2"]:
        """(procedure, steps seen): each place after which a step follows."""
        return self.drawn(
            (torch.arange(1, int(self.lengths.max())) < self.lengths.unsqueeze(1)).nonzero() + torch.tensor([0, 1])
        )

    def plans(self, steps: int) -> Int[Tensor, "n 2"]:
        """(procedure, start): every window of so many steps."""
        starts = torch.arange(max(int(self.lengths.max()) - steps + 1, 0))
        return self.drawn((starts + steps <= self.lengths.unsqueeze(1)).nonzero())

    def tasks(self) -> Int[Tensor, "n 2"]:
        """(procedure, its length), of procedures whose task is known."""
        rows = (self.task != NONE).nonzero()[:, 0]
        return self.drawn(torch.stack([rows, self.lengths[rows]], 1))

    def halves(self) -> Int[Tensor, "n 2"]:
        """(procedure, steps seen): its first half, of each procedure of two steps or more."""
        rows = (self.lengths > 1).nonzero()[:, 0]
        return self.drawn(torch.stack([rows, self.lengths[rows] // 2], 1))

    def measured(self, values: Tensor, questions: Int[Tensor, "n 2"]) -> dict[str, float]:
        """The mean, and its 95 % interval over procedures."""
        return clustered(values, questions[:, 0], torch.Generator().manual_seed(self.seed))


def exam(data: Procedures, names: Mapping[str, tuple[str, ...]], tasks: tuple[str, ...], seed: int, most: int) -> Exam:
    """Questions about test procedures, in the numbers of a model's names.

    Args:
        data: test procedures.
        names: what the model calls steps, verbs and nouns.
        tasks: what it calls tasks.
        seed: draws the questions.
        most: questions of a kind at most.
    """
    clips = numbered(data, names)
    task = torch.full((len(data),), NONE)
    if data.labels is not None:
        task = renumbering(data.classes, tasks)[data.labels]
    return Exam(clips, task, seed, most)


def numbered(data: Procedures, names: Mapping[str, tuple[str, ...]]) -> PaddedClips:
    """All clips of some data, its labels in the numbers of other names."""
    batch = data.batch(range(len(data)))
    tables: dict[str, Sequence[int]] = {k: renumbering(data.names[k], names[k]).tolist() for k in KINDS}
    return whole({name: batch.ragged(name) for name in ("latents", *KINDS)}, tables)


def renumbering(names: tuple[str, ...], known: tuple[str, ...]) -> Int[Tensor, " names"]:
    """The number of each name among others; `NONE` where it is not there."""
    number = {name: place for place, name in enumerate(known)}
    return torch.tensor([number.get(name, NONE) for name in names], dtype=torch.int64)


def step_forecasting(forecaster: Forecaster, exam: Exam) -> dict[str, float] | None:
    """Top-1 of the next step, from all clips so far."""
    questions = exam.forecasts()
    if not len(questions):
        return None
    found = answers(questions, lambda q: forecaster.next(_seen(exam, q)).argmax(-1))
    truth = exam.clips.labels["step"][questions[:, 0], questions[:, 1]]
    return exam.measured(((found == truth) & (truth != NONE)).double(), questions)


def task_classification(forecaster: Forecaster, exam: Exam) -> dict[str, float] | None:
    """Top-1 of the task, from all clips of a procedure; None where tasks are not known."""
    questions = exam.tasks()
    if not len(questions) or forecaster.task(_seen(exam, questions[:1])) is None:
        return None

    def best(some: Tensor) -> Tensor:
        scores = forecaster.task(_seen(exam, some))
        assert scores is not None
        return scores.argmax(-1)

    found = answers(questions, best)
    return exam.measured((found == exam.task[questions[:, 0]]).double(), questions)


def planning(forecaster: Forecaster, exam: Exam) -> dict[str, dict[str, Any]]:
    """SR, mAcc and mIoU of plans of which the first and the last clip were seen, by length."""
    found: dict[str, dict[str, Any]] = {}
    for steps in PLANS:
        questions = exam.plans(steps)
        if not len(questions):
            continue
        window = questions[:, 1:] + torch.arange(steps)
        truth = exam.clips.labels["step"][questions[:, :1], window]
        plans = answers(questions, lambda q, steps=steps: forecaster.plan(_ends(exam, q, steps), steps))
        values = {"sr": success(plans, truth), "macc": position_accuracy(plans, truth), "miou": overlap(plans, truth)}
        measured = {name: exam.measured(each, questions) for name, each in values.items()}
        found[str(steps)] = {name: each["value"] for name, each in measured.items()} | {
            "miou_batch": batch_overlap(plans, truth, BATCH),
            "batch": BATCH,
            "intervals": {name: [each["low"], each["high"]] for name, each in measured.items()},
        }
    return found


def anticipation(forecaster: Forecaster, exam: Exam) -> dict[str, Any] | None:
    """ED@20 of what comes after a procedure's first half, the best of 5 futures: of steps, their verbs and nouns."""
    questions = exam.halves()
    if not len(questions):
        return None
    generator = torch.Generator().manual_seed(exam.seed)
    columns = questions[:, 1:] + torch.arange(AHEAD)
    there = columns < exam.lengths[questions[:, :1]]
    left = there.sum(1)
    chunks: list[Futures] = []
    for some, ahead in zip(questions.split(CHUNK), left.split(CHUNK), strict=True):  # no further than any truth goes
        futures = forecaster.futures(_seen(exam, some), int(ahead.max()), SAMPLES, generator)
        chunks.append({kind: F.pad(each, (0, AHEAD - each.shape[-1]), value=NONE) for kind, each in futures.items()})
    found = {}
    for kind in KINDS:
        labels = exam.clips.labels[kind]
        truth = labels[questions[:, :1], columns.clamp_max(labels.shape[1] - 1)].masked_fill(~there, NONE)
        known = (truth != NONE).any(1)
        if kind in chunks[0] and bool(known.any()):
            # a step that the model has no name for is never right, and counts
            truth = torch.where(there & (truth == NONE), -2, truth)
            futures = torch.cat([chunk[kind] for chunk in chunks])
            found[kind] = {f"ed@{AHEAD}": exam.measured(edit_distance_at(futures, truth), questions)}
    return {f"ed@{AHEAD}": found["step"][f"ed@{AHEAD}"]["value"], "samples": SAMPLES, **found}


def answers(questions: Int[Tensor, "n 2"], ask: Callable[[Tensor], Tensor]) -> Tensor:
    """What is answered, some questions at a time."""
    return torch.cat([ask(some) for some in questions.split(CHUNK)])


def _seen(exam: Exam, questions: Int[Tensor, "n 2"]) -> PaddedClips:
    rows, seen = questions.T
    return forecast(exam.clips.rows(rows), seen, int(seen.max()), 1)[0].trimmed()


def _ends(exam: Exam, questions: Int[Tensor, "n 2"], steps: int) -> PaddedClips:
    rows, start = questions.T
    ends = torch.stack([start, start + steps - 1], 1)
    return PaddedClips.take(exam.clips.rows(rows), ends, torch.ones_like(ends, dtype=torch.bool))
