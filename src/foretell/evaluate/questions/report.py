"""How well a model answers questions about pictures: plain numbers for JSON, and a table for people.

n questions · S pixels a side
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from foretell.capabilities import Answers, require
from foretell.data import Records
from foretell.data.columns import Lists, tensor
from foretell.data.made.questions import TASKS
from foretell.data.made.questions.tasks import FINE
from foretell.errors import COUNT, ForetellError, check_range
from foretell.evaluate.encode import Device, evaluating
from foretell.evaluate.questions.blind import BlindBaseline
from foretell.evaluate.questions.metrics import SIDE, AnsweredTask, TaskNumbers, scores
from foretell.language.places import Places, Reply
from foretell.method import Method, parameters
from foretell.progress import watched

BATCH = 16
"""Questions that a model is asked at a time."""
LEARNED = 20_000
"""Questions of a task that the blind baseline learns from, at most."""
NUMBERS = {"cider": "{:.2f}"}
"""Metrics that are no shares, and their format."""


def evaluate(
    model: Method,
    train: Records,
    test: Records,
    *,
    most: int = 2000,
    side: int = SIDE,
    seed: int = 0,
    device: Device = None,
    trained_on: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Ask a model questions about pictures, and hold its replies against the answers.

    Args:
        model: one that answers questions.
        train: questions that the blind baseline learns from; the model is not asked them.
        test: questions to ask.
        most: questions of a task, at most: the first ones.
        side: pixels a side of the grid that outlines are filled on.
        seed: draws the intervals.
        device: to compute on; None for the model's.
        trained_on: fingerprint of the data that the model learned from.
        progress: show a bar.

    Returns:
        Plain numbers, ready for JSON.

        - `tasks`: by task and metric (see `foretell.evaluate.questions.metrics`) {`value`, `low`, `high`, `blind`}: the
            95 % interval over questions, and what the same metric is of replies without a look at the pictures. None
            where no question is of the kind that the metric counts.
        - `data`: questions in `train` and `test`, how many were `asked` by task, how many were `skipped`, the `side` of
            the grid, and whether the model has `seen` the test questions.
        - `model`: the method and its parameters.

    Raises:
        ForetellError: the model does not answer questions, or the data has no questions whose task is known.
    """
    check_range("questions", most, COUNT)
    answers = require(model, Answers, "asking")
    learn, asked = by_task(train), {task: rows[:most] for task, rows in by_task(test).items()}
    if not asked:
        raise ForetellError(f"the data has no question of a task that is known, expected some of {', '.join(TASKS)}")
    bar = "Asking" if progress else None
    with evaluating(model, device) as where:
        said = _replies(answers, test, [row for rows in asked.values() for row in rows], where, bar)
    tasks, start = {}, 0
    for task, rows in asked.items():
        replies, start = said[start : start + len(rows)], start + len(rows)
        tasks[task] = _scored(task, train, learn.get(task, [])[:LEARNED], test, rows, replies, side, seed)
    return {
        "tasks": tasks,
        "data": {
            "train": len(train),
            "test": len(test),
            "asked": {task: len(rows) for task, rows in asked.items()},
            "skipped": len({*train.skipped, *test.skipped}),
            "side": side,
            "seen": None if trained_on is None else trained_on in (test.fingerprint, test.whole),
        },
        "model": {"method": type(model).__name__, **{name: parameters(m) for name, m in model.trained().items()}},
    }


def by_task(data: Records) -> dict[str, list[int]]:
    """The rows of each task that the data has, in the order of the tasks."""
    if data.labels is None:
        return {}
    names = [data.classes[label] for label in data.labels.tolist()]
    found = {task: [row for row, name in enumerate(names) if name == task] for task in TASKS}
    return {task: rows for task, rows in found.items() if rows}


def _replies(model: Answers, data: Records, rows: Sequence[int], device: torch.device, bar: str | None) -> list[Reply]:
    """What a model says to questions."""
    places, found = Places(model.config.bins), list[Reply]()
    starts = range(0, len(rows), BATCH)
    for start in watched(starts, bar):
        batch = data.batch(rows[start : start + BATCH])
        pixels: Any = batch.ragged("pixels")
        pictures: list[Tensor] = [pixels[i].to(device) for i in range(len(batch))]
        said = model.answer(pictures, batch.ragged("question").texts())
        if len(said) != len(pictures):
            raise ForetellError(f"the model gave {len(said)} replies to {len(pictures)} questions, expected one each")
        found += map(places.read, said)
    return found


def _scored(
    task: str,
    train: Records,
    learn: Sequence[int],
    test: Records,
    rows: Sequence[int],
    replies: Sequence[Reply],
    side: int,
    seed: int,
) -> TaskNumbers:
    """The metrics of one task, each beside that of the blind baseline."""
    questions, answers = _texts(test, rows)
    kept = test.arrays["pixels"]
    assert isinstance(kept, Lists)  # a question may have several pictures
    pictures = np.diff(kept.offsets)[test.at(np.asarray(rows))].tolist()
    blind = BlindBaseline(task, *_texts(train, learn))
    unseen = [blind.answer(question, count) for question, count in zip(questions, pictures, strict=True)]
    own = scores(AnsweredTask(task, answers, replies, pictures, side, seed))
    other = scores(AnsweredTask(task, answers, unseen, pictures, side, seed))
    return {name: found and found | {"blind": other[name]} for name, found in own.items()}


def _texts(data: Records, rows: Sequence[int]) -> tuple[list[str], list[Reply]]:
    """Questions, and their answers, read."""
    if not rows:
        return [], []
    at = data.at(np.asarray(rows))
    questions: Any = tensor(data.arrays["question"].take(at, axis=0))
    answers: Any = tensor(data.arrays["answer"].take(at, axis=0))
    return questions.texts(), [FINE.read(text) for text in answers.texts()]


def table(report: dict[str, Any]) -> Table:
    """A report for people: a line a metric, with its interval, and the blind baseline's."""
    data, model = report["data"], report["model"]
    counts = ", ".join(f"{name} {n / 1e6:.1f} M" for name, n in model.items() if name != "method")
    said = [
        f"{sum(data['asked'].values()):,} questions asked, {data['skipped']:,} skipped; outlines on a grid of "
        f"{data['side']} × {data['side']}.",
        "blind: the commonest answer of the training, or its mean box, without a look at the pictures.",
    ]
    if data["seen"]:
        said.append("The model learned from the test questions, too.")
    made = Table(title=f"{model['method']}: {counts} parameters", caption="\n".join(said))
    made.add_column("task")
    made.add_column("metric")
    for heading in ("value", "95 % interval", "blind"):
        made.add_column(heading, justify="right")
    for task, metrics in report["tasks"].items():
        for number, (name, found) in enumerate(metrics.items()):
            shown = f"{task} ({data['asked'][task]})" if number == 0 else ""
            made.add_row(shown, name, *_cells(found, NUMBERS.get(name, "{:.1%}")))
        made.add_section()
    return made


def _cells(found: dict[str, Any] | None, form: str) -> list[str]:
    if found is None:
        return ["", "", ""]
    low, high, blind = (form.format(each) for each in (found["low"], found["high"], found["blind"]["value"]))
    return [form.format(found["value"]), f"{low} – {high}", blind]
