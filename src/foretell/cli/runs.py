"""List runs, or compare two."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.flags import FIGURES, Usage, output, parse


@dataclass(frozen=True)
class Runs:
    """List the runs in a folder, with their steps, loss, probe and verdict; or compare two."""

    what: Annotated[
        Positional[tuple[Path, ...]],
        arg(help="folder of runs, by default `runs`; or: compare RUN RUN", metavar="[DIR]"),
    ] = ()
    plot: Annotated[Path | None, arg(help="with compare: draw both curves here (PNG)")] = None
    json: Annotated[bool, arg(help="print JSON")] = False


def runs(args: list[str]) -> None:
    """List runs, or compare two: foretell runs [DIR] [--json] | foretell runs compare A B [--plot curves.png]."""
    flags = parse(Runs, args, "runs")
    words = [str(path) for path in flags.what]
    if words[:1] == ["compare"]:
        if len(words) != 3:
            raise Usage(f"compare takes two runs, found {len(words) - 1}")
        _compare(flags, *flags.what[1:])
        return
    if len(words) > 1 or flags.plot:
        raise Usage("runs takes one folder; --plot is for foretell runs compare RUN RUN")
    _list(flags, flags.what[0] if flags.what else Path("runs"))


def _list(flags: Runs, folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from foretell.progress import escaped
    from foretell.train.runs import find_runs

    found = find_runs(folder)
    if flags.json:
        print(json.dumps([run.told() for run in found], indent=2))
        return
    if not found:
        print(f"{folder} holds no run yet: foretell train METHOD --data DATA --out {folder}/NAME makes one")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("run", "method", "data", "steps", "loss", "kNN", "state", "verdict"):
        table.add_column(name, justify="right" if name in ("steps", "loss", "kNN") else "left", overflow="fold")
    for run in found:
        loss, knn = ("–" if value is None else f"{value:.3f}" for value in (run.loss, run.knn))
        steps = f"{run.step:,} / {run.steps:,}"
        cells = (str(run.path), run.method, run.data, steps, loss, knn, run.state, run.verdict)
        table.add_row(*map(escaped, cells))
    Console().print(table)


def _compare(flags: Runs, one: Path, other: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from foretell.progress import escaped
    from foretell.train import runs as found

    output("--plot", flags.plot, FIGURES)
    differ, curve = found.differences(one, other), found.curves(one, other)
    if flags.plot:
        found.draw(one, other).savefig(flags.plot, dpi=120)
    if flags.json:
        told = {"runs": [found.summary(run).told() for run in (one, other)], "settings": differ, "loss": curve}
        print(json.dumps(told, indent=2))
        return
    first, second = escaped(one.name), escaped(other.name)
    table = Table("setting", first, second, box=None, pad_edge=False)
    for name, values in differ.items():
        table.add_row(name, *("–" if value is None else escaped(str(value)) for value in values))
    losses = Table("step", f"loss of {first}", f"loss of {second}", box=None, pad_edge=False)
    for step, *values in curve:
        losses.add_row(f"{step:,}", *("–" if value is None else f"{value:.4f}" for value in values))
    console = Console()
    console.print(table if differ else "the settings are the same")
    console.print()
    console.print(losses)
    if flags.plot:
        print(f"wrote {flags.plot}")
