"""A claim: a finding of a paper, the runs that repeat it, and the rule by which it holds.

S seeds
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any, Generic, Literal, TypeVar

from foretell.data import Pictures
from foretell.evaluate.statistics import student_t
from foretell.recipes import Recipe

Verdict = Literal["holds", "fails", "undecided"]
Values = dict[str, float]
"""Measures of one trained model by name."""
Results = dict[str, dict[int, Values]]
"""arm -> seed -> measures."""


Kind = TypeVar("Kind", bound=Pictures)


@dataclass(frozen=True)
class Data(Generic[Kind]):
    """What models are trained and measured on: photographs or clips."""

    train: Kind
    test: Kind
    other: Data[Kind] | None = None
    """Another labelled data set, for claims of transfer and of several tasks."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: a training, and what is measured of the model it leaves."""

    recipe: Recipe
    measure: Callable[[Any, Any, int], Values]
    """From a trained model (of a kind that the recipe makes), its `Data` and the seed."""


@dataclass(frozen=True)
class Expect:
    """Part of a finding: a measure is larger in one arm than in another."""

    measure: str
    larger: str
    smaller: str
    by: float = 0.0
    """At least so much larger. Below 0: at most so much smaller, for findings that say "as good as"."""

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
    arms: dict[str, Arm]
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
