"""All that is asked of a VEDIT and of every baseline: plain numbers for JSON, and a table for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from rich.table import Table

from foretell.data import Procedures
from foretell.data.procedures import check_shape
from foretell.errors import COUNT, ForetellError, check_range
from foretell.evaluate.encode import evaluating
from foretell.evaluate.procedures.counts import Bigram, Copy, Nearest, Recogniser, SeenProcedures
from foretell.evaluate.procedures.forecaster import Denoised, Forecaster
from foretell.evaluate.procedures.means import OnMean
from foretell.evaluate.procedures.questions import (
    AHEAD,
    PLANS,
    Exam,
    anticipation,
    exam,
    numbered,
    planning,
    renumbering,
    step_forecasting,
    task_classification,
)
from foretell.evaluate.procedures.sequences import causal, direct, discrete
from foretell.method import parameters
from foretell.methods.vedit import VEDIT
from foretell.problems import NONE
from foretell.progress import say
from foretell.train.loop import TrainConfig

BUDGET = TrainConfig(steps=1000, batch=128, lr=2e-3, weight_decay_end=0.04)
"""How transformers among the baselines are trained where a run does not say how the model was."""
BASELINES = ("copy", "bigram", "nearest", "linear", "mlp", "causal", "discrete", "direct")
PROBING = 600
"""Steps of networks without attention: they have converged by then."""
Made = dict[str, Callable[[], Forecaster]]


def evaluate(
    model: VEDIT,
    train: Procedures,
    test: Procedures,
    *,
    baselines: Sequence[str] = BASELINES,
    budget: TrainConfig = BUDGET,
    most: int = 2000,
    seed: int = 0,
    trained_on: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Ask a VEDIT and its baselines the same questions.

    Args:
        model: a trained VEDIT.
        train: what baselines learn from: what the model learned from.
        test: what is asked about.
        baselines: which; `bigram` is always among them.
        budget: how transformers among the baselines are trained: as the model was.
        most: questions of a kind at most.
        seed: draws questions, noise and the weights of baselines.
        trained_on: fingerprint of the data that the model learned from.
        progress: say what is being done.

    Returns:
        Plain numbers, ready for JSON. What does not apply is None.

        - `forecast`, `task`: {`value`, `low`, `high`}: top-1, its 95 % interval over procedures.
        - `planning`: {`3`, `4`: {`sr`, `macc`, `miou`, `miou_batch`, `batch`, `intervals`}}.
        - `anticipation`: {`ed@20`, and for `step`, `verb`, `noun` {`ed@20`: {`value`, `low`, `high`}}}: low is good.
        - `baselines`: by name the same four.
        - `data`: procedures in `train` and `test`, how many were `skipped`, how many kinds of steps of the test set are
            `unknown` to the model, whether the model has `seen` the test set, and a `note` on the data.
        - `model`: the method and its parameters.

    Raises:
        ForetellError: no test procedure has two steps, a baseline is not known, or the data has other latents.
    """
    if foreign := [name for name in baselines if name not in BASELINES]:
        raise ForetellError(f"{foreign[0]!r} is not a baseline, expected some of {', '.join(BASELINES)}")
    check_range("questions", most, COUNT)
    c = model.config
    for data in (train, test):
        check_shape(data.shape, (c.latents, c.channels))
    if int(test.lengths.max()) < 2:
        raise ForetellError("every test procedure has one step alone: there is no next step to forecast")
    names = {"step": c.steps, "verb": c.verbs, "noun": c.nouns}
    asked = exam(test, names, c.tasks, seed, most)
    unknown = int((renumbering(test.steps, c.steps) == NONE).sum())
    with evaluating(model, "cpu"):
        known = known_of(model, train)
        found = questioned(Denoised(model, torch.Generator().manual_seed(seed)), asked)
        against = {}
        for name, forecaster in _baselines(model, known, {*baselines, "bigram"}, replace(budget, seed=seed), progress):
            against[name] = questioned(forecaster, asked)
    return found | {
        "baselines": against,
        "data": {
            "train": len(train),
            "test": len(test),
            "skipped": len({*train.skipped, *test.skipped}),
            "unknown": unknown,
            "seen": None if trained_on is None else trained_on in (test.fingerprint, test.whole),
            "note": test.note,
        },
        "model": {"method": type(model).__name__, **{n: parameters(m) for n, m in model.trained().items()}},
    }


@torch.no_grad()
def questioned(forecaster: Forecaster, asked: Exam) -> dict[str, Any]:
    """What a forecaster scores in all four tasks."""
    return {
        "forecast": step_forecasting(forecaster, asked),
        "task": task_classification(forecaster, asked),
        "planning": planning(forecaster, asked),
        "anticipation": anticipation(forecaster, asked),
    }


def known_of(model: VEDIT, train: Procedures) -> SeenProcedures:
    """What baselines learn from, in the numbers of the model's names."""
    c = model.config
    names = {"step": c.steps, "verb": c.verbs, "noun": c.nouns}
    task = torch.full((len(train),), NONE)
    if train.labels is not None:
        task = renumbering(train.classes, c.tasks)[train.labels]
    return SeenProcedures.of(numbered(train, names), task, len(c.steps), len(c.tasks))


def _baselines(
    model: VEDIT, known: SeenProcedures, chosen: set[str], budget: TrainConfig, progress: bool
) -> Iterator[tuple[str, Forecaster]]:
    """One after the other: each is made, asked and forgotten."""
    probing = min(PROBING, budget.steps)
    with torch.enable_grad():
        recogniser = Recogniser(known, budget.seed, probing)
    made: Made = {
        "copy": lambda: Copy(known, recogniser),
        "bigram": lambda: Bigram(known, recogniser),
        "nearest": lambda: Nearest(known),
        "linear": lambda: OnMean(known, budget.seed, None, PLANS, probing),
        "mlp": lambda: OnMean(known, budget.seed, 256, PLANS, probing),
        **{
            kind.__name__: lambda kind=kind: kind(
                model, known, budget, f"Training {kind.__name__}" if progress else None
            )
            for kind in (causal, discrete, direct)
        },
    }
    for name in BASELINES:
        if name in chosen:
            if progress:
                say(f"baseline: {name}")
            with torch.enable_grad():
                forecaster = made[name]()
            yield name, forecaster


def table(report: dict[str, Any]) -> Table:
    """A report for people: a row a forecaster, a column a metric; the model first, the bigram next."""
    data = report["data"]
    said = [f"{data['train']:,} procedures to learn from and {data['test']:,} to test on, {data['skipped']:,} skipped."]
    said += [data["note"]] if data["note"] else []
    if count := data["unknown"]:
        said.append(f"{count} kinds of steps in the test set are unknown to the model, and always count as wrong.")
    if data["seen"]:
        said.append("The model learned from the test procedures, too.")
    said.append(
        f"forecast and task: top-1 with its 95 % interval. Plans of 3, 4 steps: SR, mAcc, mIoU a sample. ED@{AHEAD}: "
        "the best of 5 futures, lower is better."
    )
    made = Table(title=f"{report['model']['method']} and its baselines", caption="\n".join(said))
    made.add_column("")
    for heading in (
        "forecast",
        "task",
        "SR 3",
        "mAcc 3",
        "mIoU 3",
        "SR 4",
        "mAcc 4",
        "mIoU 4",
        "ED step",
        "verb",
        "noun",
    ):
        made.add_column(heading, justify="right")
    others = dict(report["baselines"])
    made.add_row(report["model"]["method"], *_cells(report))
    made.add_section()
    made.add_row("bigram", *_cells(others.pop("bigram")))
    for name, numbers in others.items():
        made.add_row(name, *_cells(numbers))
    return made


def _cells(numbers: dict[str, Any]) -> list[str]:
    cells = []
    for name in ("forecast", "task"):
        found = numbers[name]
        cells.append("" if found is None else f"{found['value']:.1%} ({found['low']:.1%}–{found['high']:.1%})")
    for steps in PLANS:
        found = numbers["planning"].get(str(steps))
        cells += ["" if found is None else f"{found[name]:.1%}" for name in ("sr", "macc", "miou")]
    for kind in ("step", "verb", "noun"):
        found = (numbers["anticipation"] or {}).get(kind)
        cells.append("" if found is None else f"{found[f'ed@{AHEAD}']['value']:.3f}")
    return cells
