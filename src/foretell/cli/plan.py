"""Plan with a world model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from foretell.cli.flags import FIGURES, MODEL, Usage, output, parse
from foretell.plan.benchmark import SEARCH
from foretell.plan.cem import CEM

if TYPE_CHECKING:
    from foretell.method import Method


@dataclass(frozen=True)
class Plan:
    """Find the actions that lead from one picture to another, or measure how well a model acts (--benchmark)."""

    what: Annotated[
        Positional[tuple[str, ...]],
        arg(
            help=f"{MODEL}; then a picture of the present and one of the goal. With --benchmark, only the model",
            metavar="MODEL",
        ),
    ] = ()
    state: Annotated[
        tuple[float, ...], arg(help="present state of the actor, for a model that learned with states")
    ] = ()
    plot: Annotated[Path | None, arg(help="draw the energy of one action over two of its numbers here (PNG)")] = None
    axes: Annotated[tuple[int, int], arg(help="with --plot: the two numbers")] = (0, 1)
    benchmark: Annotated[
        Literal["reach", "push"] | None, arg(help="act on tables made here: bring the pusher, or an object, to a goal")
    ] = None
    episodes: Annotated[int, arg(help="with --benchmark: number of tables")] = 50
    steps: Annotated[int, arg(help="with --benchmark: actions on each table")] = 8
    search: Annotated[CEM, arg(name="")] = field(default_factory=CEM)
    json: Annotated[bool, arg(help="print JSON")] = False
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Benchmark(Plan):
    """Measure how well a model acts, beside two controls: a prediction of no change, and random actions."""

    search: Annotated[CEM, arg(name="")] = SEARCH


def plan(args: list[str]) -> None:
    """Plan with a world model: foretell plan MODEL now.png goal.png [--plot energy.png] | MODEL --benchmark reach."""
    from foretell import hub
    from foretell.capabilities import Rolls, require
    from foretell.train.world import enter

    benchmark = any(word.startswith("--benchmark") for word in args)  # it looks further ahead, with fewer samples
    flags = parse(Benchmark if benchmark else Plan, args, "plan")
    name, *pictures = flags.what or ("",)
    if not name or len(pictures) != (0 if flags.benchmark else 2):
        raise Usage("plan needs a MODEL and two pictures (the present, the goal), or a MODEL and --benchmark")
    output("--plot", flags.plot, FIGURES)
    model = hub.load(name, enter(flags.device).device)
    require(model, Rolls, "planning")  # before pictures are read
    if flags.benchmark:
        _benchmark(flags, model, flags.benchmark)
    else:
        _pictures(flags, model, *pictures)


def _pictures(flags: Plan, model: Method, now: str, goal: str) -> None:
    import torch

    from foretell import plan as planning
    from foretell.imagine import read_image
    from foretell.progress import say

    size = model.config.encoder.image_size
    image, wanted = read_image(now, size), read_image(goal, size)
    state = torch.tensor(flags.state) if flags.state or model.config.states == 0 else None
    found = planning.plan(model, image, wanted, state, flags.search, seed=flags.seed)
    actions = found.actions[0].tolist()
    if flags.plot:
        grid = planning.landscape(model, image, wanted, state, axes=flags.axes, limit=flags.search.limit)
        first = actions[0][flags.axes[0]], actions[0][flags.axes[1]]
        planning.draw(image, wanted, grid, first).savefig(flags.plot, dpi=120)
        say(f"wrote {flags.plot}")
    worse = bool(found.worse[0])
    report = {"actions": actions, "energy": found.energy.item(), "now": found.now.item(), "worse_than_nothing": worse}
    if flags.json:
        print(json.dumps(report, indent=2))
        return
    for number, action in enumerate(actions, 1):
        print(f"action {number}: {' '.join(f'{value:.4f}' for value in action)}")
    print(f"energy {found.energy.item():.4f} foreseen, {found.now.item():.4f} now")
    if worse:
        print(
            "This plan is foreseen to be worse than doing nothing: the goal may be reached already, or it is farther "
            f"than the model sees; look further ahead (--horizon {flags.search.horizon + 1}), or give a nearer goal"
        )


def _benchmark(flags: Plan, model: Method, task: str) -> None:
    from rich.console import Console

    from foretell import plan as planning

    report = planning.benchmark(
        model,
        task,
        episodes=flags.episodes,
        steps=flags.steps,
        search=flags.search,
        seed=flags.seed,
        progress="Acting",
    )
    if flags.json:
        print(json.dumps(report, indent=2))
    else:
        Console().print(planning.table(report))
