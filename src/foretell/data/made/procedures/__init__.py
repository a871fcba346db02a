"""Procedures, filmed: at a bench things are moved, heated, stacked, joined, covered, poured, step by step.

    found = procedure(seed=0, index=7, branching=0.5)
    found.task, found.steps                    # "cook soup", ("cut carrot", "put carrot", ...)
    films = film(found, size=32, frames=16)    # a clip a step, uint8 [steps, T, 3, size, size]

Procedure i is a function of (seed, i, branching) alone, bit for bit on the same machine and versions. What is done at a
step stays done: its clip begins with the bench as the step before left it, and shows only what the step changes.

Read on in this order: tasks (the graphs), bench (what stands there), play, actions (the verbs), sprites (the pixels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretell.data.made.scenes.stage import Stage, Variety
from foretell.data.made.splits import HELD_OUT as FIRST_TEST
from foretell.errors import SHARE, Range, check_range

from . import tasks
from .actions import VERBS
from .bench import bench
from .play import Play
from .sprites import render
from .tasks import STEPS, TASKS

__all__ = ["STEPS", "TASKS", "ProcedureScript", "film", "procedure"]

VERSION = 1  # raise it when the same seed gives other pixels
SECONDS = 2.0
"""A step lasts, from its first frame to the end of its last."""


@dataclass(frozen=True)
class ProcedureScript:
    """A procedure before it is filmed."""

    seed: int
    index: int
    task: str
    steps: tuple[str, ...]
    """What is done, in order: a label of `STEPS` each, `VERB NOUN`."""


def procedure(seed: int, index: int, branching: float = 1.0) -> ProcedureScript:
    """Procedure number `index` of a seed.

    Those to train on are numbered from 0, and never have an order of steps that is held out. Those from 10⁹ on are for
    testing, and have any order.

    Args:
        seed: of the data set.
        index: of the procedure.
        branching: 0 to 1: how often a decision is left to chance (see `tasks`).

    Raises:
        ForetellError: a number is out of range.
    """
    check_range("seed", seed, Range(0, whole=True))
    check_range("index", index, Range(0, whole=True))
    check_range("branching", branching, SHARE)
    chance = np.random.default_rng([VERSION, seed, index])
    task = TASKS[int(chance.integers(len(TASKS)))]
    draw = tasks.draw if index >= FIRST_TEST else tasks.train_draw
    return ProcedureScript(seed, index, task.name, tuple(draw(task, chance, branching)))


def film(found: ProcedureScript, size: int = 32, frames: int = 16) -> np.ndarray:
    """The clips of a procedure: uint8 [steps, T, 3, size, size].

    Raises:
        ForetellError: a number is out of range.
    """
    check_range("size", size, Range(16, whole=True))
    check_range("frames", frames, Range(8, whole=True))
    task = next(each for each in TASKS if each.name == found.task)
    stage = Stage(np.random.default_rng([VERSION, found.seed, found.index, 1]), Variety())
    place = bench(stage, task.station)
    clips = []
    for step in found.steps:
        verb, noun = step.split()
        VERBS[verb](Play(place, frames), noun)
        clips.append(render(place.sprites, place.wall, place.camera, place.light, frames, size))
        place.settle()
    return np.stack(clips)
