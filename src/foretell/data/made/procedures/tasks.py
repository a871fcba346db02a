"""What can be done at the bench: tasks as graphs of steps, and how a procedure is drawn from one.

A graph says which steps must come before which. Steps whose needs are met are open, and any of them may come next. Some
steps are optional, some are repeated, and of some only one is done.

    b = branching, 0 to 1: each decision is left to chance with probability b, and else it is the usual one

At 0 a task has one order of steps, and no two tasks begin alike: the steps so far tell the next one. At 1 every
decision is drawn: the order of open steps, what is optional, how often, and which of several.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

HELD_OUT = 4
"""Of the orders of steps, one in so many is kept for testing."""
TRIES = 20  # orders drawn until one may be trained on; else the usual one is taken


@dataclass(frozen=True)
class Node:
    """A step of a task."""

    step: str
    """`VERB NOUN`."""
    after: tuple[str, ...] = ()
    """Steps that must be done before, each as often as it is done at all; those that are left out do not count."""
    least: int = 1
    most: int = 1
    """How often it is done; 0 at least: it is optional."""
    usual: int = 1
    """How often it is done, as a rule."""
    one_of: str = ""
    """Of the nodes with this name one is done: the first, as a rule."""
    only_with: str = ""
    """It is done only in procedures that have this step, too, an earlier one in the usual order."""


@dataclass(frozen=True)
class Task:
    """A task: where it is done, and its steps in their usual order."""

    name: str
    station: str
    """What stands on the bench: see `bench.STATIONS`."""
    nodes: tuple[Node, ...]


def _do(step: str, *after: str, **more: Any) -> Node:
    return Node(step, after, **more)


TASKS = (
    Task(
        "boil eggs",
        "pot",
        (
            _do("pour water"),
            _do("put egg", most=3, usual=2),
            _do("cover pot", "pour water", "put egg", least=0),
            _do("heat pot", "pour water", "cover pot"),
            _do("uncover pot", "heat pot", only_with="cover pot"),
            _do("take egg", "heat pot", "put egg", "uncover pot"),
        ),
    ),
    Task(
        "cook soup",
        "pot",
        (
            _do("cut carrot"),
            _do("put carrot", "cut carrot"),
            _do("pour water"),
            _do("put tomato", least=0),
            _do("heat pot", "pour water"),
            _do("stir pot", "heat pot", "put carrot", "put tomato", most=2),
            _do("put leaf", "stir pot", least=0),
        ),
    ),
    Task(
        "cook sauce",
        "pot",
        (
            _do("pour oil"),
            _do("put tomato", "pour oil", most=3, usual=2),
            _do("stir pot", "put tomato", most=2),
            _do("cover pot", "stir pot", least=0),
            _do("heat pot", "stir pot", "cover pot"),
        ),
    ),
    Task(
        "fry egg",
        "pan",
        (
            _do("heat pan"),
            _do("pour oil"),
            _do("put egg", "heat pan", "pour oil"),
            _do("flip egg", "put egg", least=0),
            _do("take egg", "put egg", "flip egg"),
        ),
    ),
    Task(
        "grill meat",
        "pan",
        (
            _do("put meat"),
            _do("pour oil", least=0),
            _do("heat pan"),
            _do("flip meat", "put meat", "heat pan", most=3),
            _do("take meat", "flip meat", "pour oil"),
        ),
    ),
    Task(
        "mix batter",
        "bowl",
        (
            _do("pour milk"),
            _do("put egg", most=2),
            _do("put flour"),
            _do("pour oil", least=0),
            _do("stir bowl", "pour milk", "put egg", "put flour", "pour oil", most=3, usual=2),
        ),
    ),
    Task(
        "toss salad",
        "bowl",
        (
            _do("wash leaf"),
            _do("put leaf", "wash leaf"),
            _do("cut tomato"),
            _do("put tomato", "cut tomato"),
            _do("put cheese", least=0),
            _do("pour oil", "put leaf", "put tomato", one_of="dressing"),
            _do("pour sauce", "put leaf", "put tomato", one_of="dressing"),
            _do("shake bowl", "pour oil", "pour sauce", "put cheese", one_of="mixing"),
            _do("stir bowl", "pour oil", "pour sauce", "put cheese", one_of="mixing"),
        ),
    ),
    Task(
        "build sandwich",
        "plate",
        (
            _do("stack bread"),
            _do("stack cheese", "stack bread"),
            _do("stack meat", "stack bread", one_of="filling"),
            _do("stack tomato", "stack bread", one_of="filling"),
            _do("stack leaf", "stack bread", least=0),
            _do("pour sauce", "stack cheese", "stack meat", "stack tomato", "stack leaf", least=0),
            _do("cover plate", "stack cheese", "stack meat", "stack tomato", "stack leaf", "pour sauce"),
        ),
    ),
    Task(
        "shake drink",
        "cup",
        (
            _do("put cheese", one_of="first"),
            _do("put leaf", one_of="first"),
            _do("pour milk"),
            _do("pour sauce", least=0),
            _do("cover cup", "put cheese", "put leaf", "pour milk", "pour sauce"),
            _do("shake cup", "cover cup", most=3, usual=2),
            _do("uncover cup", "shake cup"),
        ),
    ),
    Task(
        "brew tea",
        "cup",
        (
            _do("heat cup"),
            _do("pour water"),
            _do("put leaf", "pour water", most=2),
            _do("stir cup", "heat cup", "put leaf", most=2),
            _do("pour milk", "put leaf", least=0),
            _do("take leaf", "stir cup", "pour milk"),
        ),
    ),
    Task(
        "bake pizza",
        "board",
        (
            _do("put dough"),
            _do("roll dough", "put dough", most=2),
            _do("pour sauce", "roll dough"),
            _do("stack tomato", "pour sauce"),
            _do("stack cheese", "pour sauce", most=2),
            _do("stack leaf", "pour sauce", least=0),
            _do("heat board", "stack tomato", "stack cheese", "stack leaf"),
        ),
    ),
    Task(
        "prepare meat",
        "board",
        (
            _do("wash meat"),
            _do("cut meat", "wash meat", most=2),
            _do("put meat", "cut meat"),
            _do("pour oil", "put meat", one_of="coat"),
            _do("pour milk", "put meat", one_of="coat"),
            _do("flip meat", "pour oil", "pour milk", least=0, most=2),
        ),
    ),
    Task(
        "raise tower",
        "bench",
        (
            _do("stack brick", least=2, most=4, usual=3),
            _do("stack plank", "stack brick", least=0),
            _do("hammer nail", "stack plank", most=2, only_with="stack plank"),
            _do("paint brick", "stack brick", "hammer nail", most=2),
        ),
    ),
    Task(
        "build cart",
        "bench",
        (
            _do("put box"),
            _do("join wheel", "put box", usual=2, most=2),
            _do("join plank", "put box", least=0),
            _do("paint box", "put box", most=2),
            _do("turn wheel", "join wheel"),
        ),
    ),
    Task(
        "close crate",
        "bench",
        (
            _do("wash box"),
            _do("put box", "wash box"),
            _do("put brick", "put box", one_of="load", most=2),
            _do("put wheel", "put box", one_of="load", most=2),
            _do("cover box", "put brick", "put wheel"),
            _do("hammer nail", "cover box", most=3, usual=2),
            _do("paint box", "hammer nail", least=0),
        ),
    ),
    Task(
        "mend table",
        "bench",
        (
            _do("cut plank"),
            _do("stack plank", "cut plank"),
            _do("join brick", "stack plank", most=2, usual=2),
            _do("hammer nail", "join brick", most=2),
            _do("wash plank", "join brick", least=0),
            _do("paint plank", "hammer nail", "wash plank"),
        ),
    ),
)
"""All tasks."""

STEPS = tuple(sorted({node.step for task in TASKS for node in task.nodes}))
"""All labels of steps: `VERB NOUN`."""
VERBS = tuple(sorted({step.split()[0] for step in STEPS}))
NOUNS = tuple(sorted({step.split()[1] for step in STEPS}))


def usual(task: Task) -> list[str]:
    """The steps of a task as a rule."""
    return draw(task, np.random.default_rng(0), 0.0)


def draw(task: Task, chance: np.random.Generator, branching: float) -> list[str]:
    """The steps of a procedure, drawn from its graph.

    Args:
        task: one of `TASKS`.
        chance: the only source of chance.
        branching: 0 to 1, the share of decisions that are left to chance.
    """
    waiting = _counts(task, chance, branching)
    needs = {node.step: node.after for node in task.nodes}
    done: list[str] = []
    while waiting:
        ready = [step for step in waiting if not any(need in waiting for need in needs[step])]
        step = ready[int(chance.integers(len(ready)))] if chance.random() < branching else ready[0]
        done.append(step)
        waiting[step] -= 1
        if not waiting[step]:
            del waiting[step]
    return done


def train_draw(task: Task, chance: np.random.Generator, branching: float) -> list[str]:
    """As `draw`, but never an order that is held out."""
    for _ in range(TRIES):
        steps = draw(task, chance, branching)
        if not held_out(task, steps):
            return steps
    return usual(task)


def held_out(task: Task, steps: Sequence[str]) -> bool:
    """Whether an order of a task's steps is kept for testing: one in `HELD_OUT`, never the usual one."""
    mark = hashlib.sha256("; ".join([task.name, *steps]).encode()).digest()[0]
    return mark % HELD_OUT == 0 and list(steps) != usual(task)


def _counts(task: Task, chance: np.random.Generator, branching: float) -> dict[str, int]:
    """Which steps are done in a procedure, in their usual order, and how often."""
    counts: dict[str, int] = {}
    chosen: dict[str, str] = {}
    for node in task.nodes:
        several = [each.step for each in task.nodes if node.one_of and each.one_of == node.one_of]
        if several and node.one_of not in chosen:
            free = chance.random() < branching
            chosen[node.one_of] = several[int(chance.integers(len(several))) if free else 0]
        if several and chosen[node.one_of] != node.step:
            continue
        if node.only_with and node.only_with not in counts:
            continue
        times = node.usual
        if chance.random() < branching:
            times = int(chance.integers(node.least, node.most + 1))
        if times:
            counts[node.step] = times
    return counts
