"""Procedures made from task graphs, to see what branching does: `graphs:2000#branch=1`.

A task is eight steps: two at the beginning, two of one of three branches, two that all branches share, and two of one
of three branches again. `branch` is the dial: at 0 the first branch is always taken, at 1 all are equally likely. A
branch is two steps long, so a good forecast of both steps takes both from one branch.

Steps' latents are simulated, see `foretell.data.annotations.simulate`.
"""

from __future__ import annotations

import numpy as np

from foretell.data.annotations.annotated import Annotated, Segment
from foretell.errors import SHARE, ForetellError, Range, check_range

TASKS, BRANCHES, SECONDS = 3, 3, 4.0
VERBS = ("wash", "cut", "heat", "mix", "fold", "press", "join", "cover")


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
    check_range("branch", branch, SHARE)
    chance = np.random.default_rng([seed, count])
    return [
        _procedure(f"{split}-{number}", split, branch, chance)
        for split, some in (("train", count), ("test", count // 4))
        for number in range(some)
    ]


def _procedure(video: str, split: str, branch: float, chance: np.random.Generator) -> Annotated:
    task = int(chance.integers(TASKS))
    shares = np.full(BRANCHES, branch / BRANCHES)
    shares[0] += 1 - branch
    first, second = chance.choice(BRANCHES, 2, p=shares)
    parts = ("start", f"way {first}", "middle", f"way {second} of the end")
    steps = []
    for place in range(8):
        verb, noun = VERBS[(place + task) % len(VERBS)], f"part {task} {parts[place // 2]}".replace(" ", "-")
        steps.append(Segment(f"{verb} {noun}", SECONDS * place, SECONDS * (place + 1), verb, noun))
    return Annotated(video, f"task {task}", split, tuple(steps), 8 * SECONDS)


def options(given: dict[str, str]) -> tuple[float, dict[str, str]]:
    """The dial of branching, and the other options. Raises ForetellError where the dial is not a number."""
    value = given.get("branch", "0.5")
    try:
        return float(value), {name: each for name, each in given.items() if name != "branch"}
    except ValueError:
        raise ForetellError(f"branch is {value!r}, expected a number from 0 to 1") from None
