"""Procedures made from task graphs, to see what branching does: `graphs:2000#branch=1`.

A task is ten steps, in five pairs.

| pair | what it is | what decides it |
|---|---|---|
| prepare | two steps in either order | chance |
| first way | one of three | chance |
| middle | the same for all ways | nothing |
| second way | one of three | chance |
| close | one of three | the first way, which lies four steps back and more |

So the whole history matters, and the last step alone does not tell the next one. The second and the third way of a pair
share their second step. Place by place the likeliest steps are those of no way: a plan needs both from one way.

`branch` is the dial: at 0 chance always takes the first order and the first ways. At 1 both orders are equally likely,
and the three ways come in 40, 30 and 30 % of all cases.

Steps' latents are simulated, see `foretell.data.annotations.simulate`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import product

import numpy as np

from foretell.data.annotations.annotated import Annotated, Segment
from foretell.errors import SHARE, ForetellError, Range, check_range

VERSION = 2  # raise it when the same place gives other procedures
TASKS, LENGTH, SECONDS = 3, 10, 4.0
WAYS = (("a", "x"), ("b", "y"), ("c", "y"))
SHARES = (0.4, 0.3, 0.3)
VERBS = ("wash", "cut", "heat", "mix", "fold", "press", "join", "cover")
Path = tuple[str, ...]


def make(count: int, branch: float, seed: int) -> list[Annotated]:
    """So many procedures to learn from, and a quarter as many to test on.

    Args:
        count: 4 or more.
        branch: 0 to 1, see above.
        seed: draws them.

    Raises:
        ForetellError: a number is out of range.
    """
    check_range("the number of procedures", count, Range(4))
    chance = np.random.default_rng([seed, count])
    known = paths(branch)
    shares = np.array([share for _, share in known])
    return [
        _procedure(
            f"{split}-{number}", split, known[chance.choice(len(known), p=shares)][0], int(chance.integers(TASKS))
        )
        for split, some in (("train", count), ("test", count // 4))
        for number in range(some)
    ]


def paths(branch: float) -> list[tuple[Path, float]]:
    """Every order of steps that a task has, and its probability.

    Raises:
        ForetellError: `branch` is out of range.
    """
    check_range("branch", branch, SHARE)
    ways = [branch * share + (1 - branch) * (way == 0) for way, share in enumerate(SHARES)]
    orders = (("tools", "parts"), 1 - branch / 2), (("parts", "tools"), branch / 2)
    return [
        (
            (
                *(f"prepare {name}" for name in order),
                *(f"begin {name}" for name in WAYS[first]),
                *(f"middle {name}" for name in "12"),
                *(f"end {name}" for name in WAYS[second]),
                *(f"close {WAYS[first][0]} {name}" for name in "12"),
            ),
            share * ways[first] * ways[second],
        )
        for (order, share), first, second in product(orders, range(len(WAYS)), range(len(WAYS)))
    ]


NAMES = tuple(sorted({name for path, _ in paths(1.0) for name in path}))


def optimum(branch: float, memory: int | None = None) -> dict[str, float]:
    """What the best forecaster scores that is told the true steps: no forecaster of these procedures can be better.

    Args:
        branch: 0 to 1, see above.
        memory: how many of the last steps it is told; None for all.

    Returns:
        `forecast`, top-1 of the next step; `sr 3` and `sr 4`, success of plans of which the first and the last step are
        told.
    """
    known = paths(branch)
    histories = [
        (path[max(place - (memory or LENGTH), 0) : place], path[place], share)
        for path, share in known
        for place in range(1, LENGTH)
    ]
    plans = {
        f"sr {steps}": [
            ((path[start], path[start + steps - 1]), path[start + 1 : start + steps - 1], share)
            for path, share in known
            for start in range(LENGTH - steps + 1)
        ]
        for steps in (3, 4)
    }
    return {name: _best(cases) for name, cases in ({"forecast": histories} | plans).items()}


def _best(cases: Iterable[tuple[Hashable, Hashable, float]]) -> float:
    """How often the likeliest answer is right, given what was told: of (told, answer, weight)."""
    answers: dict[Hashable, dict[Hashable, float]] = defaultdict(lambda: defaultdict(float))
    for told, answer, weight in cases:
        answers[told][answer] += weight
    right = sum(max(some.values()) for some in answers.values())
    return right / sum(sum(some.values()) for some in answers.values())


def _procedure(video: str, split: str, path: Path, task: int) -> Annotated:
    steps = []
    for place, name in enumerate(path):
        verb, noun = VERBS[(NAMES.index(name) + task) % len(VERBS)], f"part {task} {name}".replace(" ", "-")
        steps.append(Segment(f"{verb} {noun}", SECONDS * place, SECONDS * (place + 1), verb, noun))
    return Annotated(video, f"task {task}", split, tuple(steps), LENGTH * SECONDS)


def options(given: dict[str, str]) -> tuple[float, dict[str, str]]:
    """The dial of branching, and the other options. Raises ForetellError where the dial is not a number."""
    value = given.get("branch", "0.5")
    try:
        return float(value), {name: each for name, each in given.items() if name != "branch"}
    except ValueError:
        raise ForetellError(f"branch is {value!r}, expected a number from 0 to 1") from None
