"""How well a world model acts. It plans tasks on a table with a pusher (`foretell.data.made.pusher`) from pictures.

In each task the model is shown a picture of the table and one of the goal. It plans, does its first action, looks
again, and plans anew. Two controls stand beside it: random actions, and the same search by a predictor that expects no
change.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from foretell.capabilities import Rolls, require
from foretell.errors import COUNT, ForetellError, check_range
from foretell.evaluate.intervals import bootstrap, wilson
from foretell.method import Method
from foretell.plan.cem import CEM, bounded
from foretell.plan.planner import Rollout, copied, largest, plan
from foretell.progress import watched

if TYPE_CHECKING:
    from rich.table import Table as Grid

    from foretell.data.made.pusher import PushTask

SEARCH = CEM(samples=128, iterations=4, horizon=2, along=True, bound="box")
"""Fewer samples than the paper's, and more steps ahead. Goals are farther than a step, and latents hardly show the
distance of the pusher from a goal that it does not touch.
"""
PLANNED = 16
"""Tasks whose plans are made side by side."""


def benchmark(
    model: Method,
    task: str = "reach",
    *,
    episodes: int = 50,
    steps: int = 8,
    search: CEM = SEARCH,
    seed: int = 0,
    progress: str | None = None,
) -> dict[str, Any]:
    """Let a model act, and its baselines.

    Args:
        model: trained on episodes of `pusher`.
        task: `reach`, the pusher should get to a place, or `push`, a thing should.
        episodes: tables; the same for all.
        steps: actions done in each.
        search: the settings of its search.
        seed: draws tasks and samples.
        progress: the name of the work on a progress bar.

    Returns:
        JSON types. `model`, `copy` and `random` each have

        - `success`: the share of tables where the body to move ends within a pusher's radius of the goal; `value`,
          `low` and `high` (Wilson).
        - `distance`: how far from the goal it ends, in sides of the table; `value`, `low` and `high` (bootstrap).
        - `seconds`: the time to plan an action.

        `start` is the mean distance at the beginning.

    Raises:
        ForetellError: no such task, or as `plan`.
    """
    from foretell.data.made import pusher

    if task not in pusher.TASKS:
        raise ForetellError(f"task is {task!r}, expected one of {', '.join(pusher.TASKS)}")
    check_range("episodes", episodes, COUNT)
    check_range("steps", steps, COUNT)
    _check_pushes(model)
    tasks = [pusher.TASKS[task](seed, index) for index in range(episodes)]
    parts = [tasks[i : i + PLANNED] for i in range(0, episodes, PLANNED)]
    contestants: dict[str, Rollout | str | None] = {"model": None, "copy": copied, "random": "random"}
    found: dict[str, list[tuple[np.ndarray, float]]] = {name: [] for name in contestants}
    for number, name in watched([(i, name) for name in contestants for i in range(len(parts))], progress):
        found[name].append(act(model, parts[number], steps, search, seed + number, contestants[name]))
    results = {}
    for name, runs in found.items():
        ends = np.concatenate([ends for ends, _ in runs])
        results[name] = scored(ends, pusher.RADIUS) | {"seconds": sum(s for _, s in runs) / (episodes * steps)}
    return {
        "task": task,
        "episodes": episodes,
        "steps": steps,
        "seed": seed,
        "search": asdict(search),
        "start": float(np.mean([one.distance(pusher.Tabletop(one.scene)) for one in tasks])),
        **results,
    }


def _check_pushes(model: Method) -> None:
    """Refuse a model that was trained on the actions of another world."""
    require(model, Rolls, "planning")
    if model.config.actions != 2 or model.config.states not in (0, 2):
        raise ForetellError(
            f"the pusher takes 2 actions and has 2 states, but this model has {model.config.actions} and "
            f"{model.config.states}: train one with --data pusher"
        )


def act(
    model: Method, tasks: list[PushTask], steps: int, search: CEM, seed: int, by: Rollout | str | None = None
) -> tuple[np.ndarray, float]:
    """Do some tasks side by side: look, plan, do the first action, and again.

    Args:
        model: the model that plans.
        tasks: the tables and their goals.
        steps: actions.
        search: the settings of the search.
        seed: draws the samples.
        by: gives the predictions; None for the model, `random` for actions drawn evenly.

    Returns:
        The distance of each end from its goal, and the seconds of planning.
    """
    from foretell.data.made.pusher import Tabletop

    size = model.config.encoder.image_size
    tables = [Tabletop(one.scene) for one in tasks]
    goals = torch.from_numpy(np.stack([one.picture(size) for one in tasks]))
    generator, spent = torch.Generator().manual_seed(seed), 0.0
    limit = search.limits(largest(require(model, Rolls, "planning")))
    for step in range(steps):
        began = time.perf_counter()
        if isinstance(by, str):
            drawn = 2 * torch.rand(len(tasks), model.config.actions, generator=generator) - 1
            actions = bounded(search.bound, drawn) * limit
        else:
            seen = torch.from_numpy(np.stack([table.picture(size) for table in tables]))
            states = torch.from_numpy(np.stack([table.state for table in tables])).float()
            known = states if model.config.states else None
            actions = plan(model, seen, goals, known, search, seed=1000 * seed + step, rollout=by).actions[:, 0]
        spent += time.perf_counter() - began
        for table, action in zip(tables, actions.tolist(), strict=True):
            table.step(action)
    return np.array([one.distance(table) for one, table in zip(tasks, tables, strict=True)]), spent


def scored(ends: Float[np.ndarray, " n"], near: float) -> dict[str, Any]:
    """Success and distance with their 95 % intervals."""
    arrived = int((ends <= near).sum())
    low, high = wilson(arrived, len(ends))
    column: Tensor = torch.from_numpy(ends).unsqueeze(1)
    nearest, farthest = bootstrap(column, torch.Generator().manual_seed(0))
    return {
        "success": {"value": arrived / len(ends), "low": low, "high": high},
        "distance": {"value": float(ends.mean()), "low": nearest.item(), "high": farthest.item()},
    }


def table(report: dict[str, Any]) -> Grid:
    """A report of `benchmark` for people."""
    from rich.table import Table as Grid

    made = Grid(
        title=f"{report['task']}: {report['episodes']} tables, {report['steps']} actions each",
        caption=f"distances in sides of the table; {report['start']:.2f} at first",
    )
    made.add_column("planned by")
    for heading in ("success", "95 % interval", "distance", "95 % interval", "s an action"):
        made.add_column(heading, justify="right")
    names = {"model": "the model", "copy": "copying", "random": "chance"}
    for key, name in names.items():
        s, d = report[key]["success"], report[key]["distance"]
        made.add_row(
            name,
            f"{s['value']:.0%}",
            f"{s['low']:.0%} – {s['high']:.0%}",
            f"{d['value']:.3f}",
            f"{d['low']:.3f} – {d['high']:.3f}",
            f"{report[key]['seconds']:.2f}",
        )
    return made
