"""A claim: a finding of a paper, the runs that repeat it, and the rule by which it holds.

S seeds
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

from foretell import hub
from foretell.data import Pictures
from foretell.data.reads import Reads
from foretell.evaluate.statistics import student_t
from foretell.hub.files import dump
from foretell.recipes import Recipe
from foretell.train.loop import TrainConfig
from foretell.train.run import is_run
from foretell.train.run import run as train

Verdict = Literal["holds", "fails", "undecided"]
Values = dict[str, float]
"""Measures of one trained model by name."""
Results = dict[str, dict[int, Values]]
"""arm -> seed -> measures."""


P = TypeVar("P", bound=Pictures)


@dataclass(frozen=True)
class Data(Generic[P]):
    """What models are trained and measured on: photographs or clips."""

    train: P
    test: P
    other: Data[P] | None = None
    """Another labelled data set, for claims of transfer and of several tasks."""


@runtime_checkable
class Side(Protocol):
    """One side of a comparison: anything that gives measures for a seed."""

    @property
    def reads(self) -> Reads[Any]:
        """What data it wants, as `foretell.data.load` takes it."""
        ...

    def names(self, data: Any, seed: int) -> tuple[str, str]:
        """Names of files: for what it makes, which sides with the same name share, and for what it measures."""
        ...

    def values(self, data: Any, seed: int, folder: Path) -> Values:
        """Its measures; what it makes goes into the folder, and is taken from there if it is there already."""
        ...


@dataclass(frozen=True)
class Arm:
    """A training, and what is measured of the model it leaves."""

    recipe: Recipe
    measure: Callable[[Any, Any, int], Values]
    """From a trained model (of a kind that the recipe makes), its `Data` and the seed."""
    asks: Reads[Any] | None = None
    """What the measure needs to know of the data, where that is more than the model reads."""

    @property
    def reads(self) -> Reads[Any]:
        """What the model reads, or the measure."""
        return self.asks or self.recipe.model.reads

    def names(self, data: Data[Any], seed: int) -> tuple[str, str]:
        """The training's name comes from everything that defines it; the measurement's, also from the other data."""
        model = self.recipe.model
        made_of = {
            "model": dump(model),
            "train": asdict(self._train(seed)),
            "data": data.train.fingerprint,
        } | ({"encoder": self.recipe.encoder} if self.recipe.encoder else {})
        key = f"{type(model).__name__}-{digest(made_of)}"
        beside = f"-{data.other.train.fingerprint[:12]}" if data.other else ""
        return key, f"{name_of(self.measure)}-{key}{beside}"

    def values(self, data: Data[Any], seed: int, folder: Path) -> Values:
        """Train, if no model is there, and measure."""
        if not (folder / "model.safetensors").is_file():
            given: dict[str, Any] = {"resume": is_run(folder), "images": data.train, "encoder": self.recipe.encoder}
            train(self.recipe.model, self._train(seed), "claim", folder, **given)
            for checkpoint in (folder / "checkpoints").iterdir():  # with the optimiser's state; the model stays
                checkpoint.unlink()
        return self.measure(hub.load(folder), data, seed)

    def _train(self, seed: int) -> TrainConfig:
        return replace(self.recipe.train, seed=seed)


@dataclass(frozen=True)
class Experiment:
    """Something that needs no model of a recipe: all that it does is in its measure."""

    reads: Reads[Any]
    measure: Callable[[Any, int], Values]
    """From `Data` and the seed."""

    def names(self, data: Data[Any], seed: int) -> tuple[str, str]:
        """By the measure, the data and the seed: nothing is shared."""
        name = f"{name_of(self.measure)}-{digest([data.train.fingerprint, data.test.fingerprint, seed])}"
        return name, name

    def values(self, data: Data[Any], seed: int, folder: Path) -> Values:
        """Measure."""
        return self.measure(data, seed)


def digest(value: Any) -> str:
    """Twelve letters that stand for JSON types."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def name_of(measure: Callable[..., Values]) -> str:
    """What tells a measure from others: a function's name, and what was fixed of its arguments."""
    if isinstance(measure, partial):
        return "-".join([measure.func.__name__, *(f"{key}={value}" for key, value in measure.keywords.items())])
    return measure.__name__


@dataclass(frozen=True)
class Expect:
    """Part of a finding: a measure is larger in one arm than in another."""

    measure: str
    larger: str
    smaller: str
    by: float = 0.0
    """At least so much larger. Below 0: at most so much smaller, for findings that say "as good as"."""

    @property
    def text(self) -> str:
        """What is expected, in short."""
        return f"{self.measure}: {self.larger} > {self.smaller}" + (f" by {self.by:+g}" if self.by else "")

    def judge(self, results: Results) -> tuple[Estimate, Verdict]:
        """The difference over the seeds of both arms, and the verdict."""
        larger, smaller = results[self.larger], results[self.smaller]
        difference = estimate(
            [larger[s][self.measure] - smaller[s][self.measure] for s in sorted(larger) if s in smaller]
        )
        if difference.low > self.by:
            return difference, "holds"
        return difference, "fails" if difference.high < self.by else "undecided"


@dataclass(frozen=True)
class Claim:
    """A finding of a paper, at a scale that one processor can train."""

    name: str
    finding: str
    """The paper's finding, in a sentence."""
    source: str
    """Paper and place."""
    paper: str
    """The paper's own numbers."""
    scale: str
    """Ours: model, images, steps."""
    arms: Mapping[str, Side]
    expects: tuple[Expect, ...]
    """All must hold for the claim to hold."""
    remark: str = ""
    """A remark for readers of the result."""
    data: str | None = None
    """The data, if it is not the reader's choice: scenes that are made here, for instance."""
    panels: tuple[str, ...] = ()
    """Measures to draw, arm by arm; none for no figure."""

    def verdict(self, results: Results) -> Verdict:
        """The verdict of all expectations: one that fails decides; otherwise all must hold."""
        found = {expect.judge(results)[1] for expect in self.expects}
        return "fails" if "fails" in found else "undecided" if "undecided" in found else "holds"


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and its 95 % interval (Student's t, because seeds are few and their spread is uncertain)."""

    value: float
    low: float
    high: float
    seeds: int


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of S independent values and its interval, which is infinite with fewer than two values."""
    S = len(values)
    if S < 2:
        return Estimate(values[0] if values else float("nan"), float("-inf"), float("inf"), S)
    half = student_t(0.95, S - 1) * stdev(values) / sqrt(S)
    return Estimate(mean(values), mean(values) - half, mean(values) + half, S)
