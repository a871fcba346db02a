"""Find hidden environments in labelled data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from foretell.cli.flags import DATA, MODEL, at_least, empty, parse

TABLE = "table of vectors with labels (.npz, .parquet, .csv), `colormnist:PATH` and its variants"


@dataclass(frozen=True)
class Discover:
    """Find the rows that a classifier fails on because they lack a shortcut (XRM); nobody has to annotate them."""

    data: Annotated[Positional[str], arg(help=f"{TABLE}; or, with --features: {DATA}", metavar="DATA")]
    out: Annotated[Path, arg(help="folder for environments.parquet, report.json and report.html")]
    features: Annotated[str | None, arg(help=f"makes vectors of pictures: {MODEL}")] = None
    network: Annotated[Literal["linear", "mlp"], arg(help="of the twins: linear for features, mlp for pixels")] = (
        "linear"
    )
    steps: Annotated[int, arg(help="optimiser steps of the twins")] = 1000
    draws: Annotated[int, arg(help="settings to draw; the one with most flips is taken")] = 10
    seeds: Annotated[int, arg(help="runs with the settings that were taken")] = 10
    json: Annotated[bool, arg(help="print JSON instead of a summary")] = False
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, steps=1, draws=1, seeds=1)


def discover(args: list[str]) -> None:
    """Find hidden environments in labelled data: foretell discover DATA --out DIR [--features MODEL]."""
    from foretell import hub
    from foretell.data import GroupedPhotographs, Vectors, load
    from foretell.extras import needed
    from foretell.hub.files import write_atomically, write_json
    from foretell.robust import discovery
    from foretell.robust.report import render
    from foretell.robust.twins import TwinConfig

    flags = parse(Discover, args, "discover")
    for module in ("pyarrow.parquet", "jinja2"):
        needed(module, "foretell discover")
    pyarrow, parquet = needed("pyarrow"), needed("pyarrow.parquet")
    empty(flags.out)
    model = hub.load(flags.features) if flags.features else None
    reads = GroupedPhotographs(model.config.reads.size) if model else Vectors()
    rows = discovery.labelled(load(flags.data, reads, seed=flags.seed), model, progress="Encoding the pictures")
    config = TwinConfig(flags.network, steps=flags.steps, optimizer="adam" if flags.network == "mlp" else "sgd")
    found = discovery.discovery(rows, draws=flags.draws, seeds=flags.seeds, seed=flags.seed, config=config)
    flags.out.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(discovery.table(found, rows)), flags.out / "environments.parquet")
    write_json(flags.out / "report.json", found.report)
    page = render(found, rows, data=flags.data, out=flags.out, seed=flags.seed)
    write_atomically(flags.out / "report.html", page)
    print(json.dumps(found.report, indent=2) if flags.json else summary(found.report, flags.out))


def summary(report: dict[str, Any], out: Path) -> str:
    """The report in lines."""
    lines = []
    if not report["flip_rate"]:
        lines.append("No shortcut was found: in some class the twins err on all rows or on none.")
    for name, sizes in report["environments"].items():
        each = ", ".join(f"{size:,} rows in environment {e}" for e, size in enumerate(sizes))
        lines.append(f"{name}: {each}")
    if agree := report["stability"]:
        lines.append(
            f"two seeds agree on {agree['value']:.1%} of the rows ({agree['low']:.1%} to {agree['high']:.1%}); "
            f"by chance {agree['chance']:.1%}"
        )
    if pure := report.get("purity"):
        lines.append(f"purity by the known groups: {pure['value']:.1%}; without environments {pure['without']:.1%}")
    lines.append(f"{out / 'environments.parquet'} has the environment of every row, {out / 'report.html'} shows them")
    return "\n".join(lines)
