"""Train a classifier that does not fail on some groups."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.discover import TABLE
from foretell.cli.flags import DATA, MODEL, Usage, at_least, empty, parse
from foretell.robust.learn import RobustConfig


@dataclass(frozen=True)
class Robust:
    """Train a classifier by a group-robust algorithm, and measure every group of the test set."""

    data: Annotated[Positional[str], arg(help=f"{TABLE}; or, with --features: {DATA}", metavar="DATA")]
    groups: Annotated[str, arg(help="environments.parquet of `foretell discover`; `label`: a class is a group")]
    out: Annotated[Path, arg(help="folder for report.json")]
    features: Annotated[str | None, arg(help=f"makes vectors of pictures: {MODEL}")] = None
    draws: Annotated[
        int, arg(help="settings to draw; the best by the worst validation group is taken. 0: the flags'")
    ] = 10
    robust: Annotated[RobustConfig, arg(name="")] = field(default_factory=RobustConfig)
    json: Annotated[bool, arg(help="print JSON instead of a summary")] = False

    def __post_init__(self) -> None:
        at_least(self, draws=0)


def robust(args: list[str]) -> None:
    """Train a group-robust classifier: foretell robust DATA --groups environments.parquet --out DIR."""
    from foretell import hub
    from foretell.data import Vectors, load
    from foretell.hub.files import write_json
    from foretell.robust import discovery, learn

    flags = parse(Robust, args, "robust")
    empty(flags.out)
    model = hub.load(flags.features) if flags.features else None
    reads = model.config.reads if model else Vectors()
    rows, asked = (
        discovery.labelled(load(flags.data, reads, split=split, seed=flags.robust.seed), model, progress="Encoding")
        for split in ("train", "test")
    )
    if asked.classes != rows.classes:
        raise Usage(f"the test set has the classes {', '.join(asked.classes)}, expected {', '.join(rows.classes)}")
    environment, validation = discovery.environments(flags.groups, rows, flags.robust.seed)
    train, held = (learn.Table(rows.x[some], rows.y[some], environment[some]) for some in (~validation, validation))
    settings = learn.drawn(flags.draws, flags.robust, flags.robust.seed) if flags.draws else [flags.robust]
    best = learn.choose(train, held, settings)
    known = asked.group if asked.group is not None else 0 * asked.y
    report = learn.accuracies(best.network, learn.Table(asked.x, asked.y, known)) | {"settings": vars(best.config)}
    flags.out.mkdir(parents=True, exist_ok=True)
    write_json(flags.out / "report.json", report)
    if flags.json:
        print(json.dumps(report, indent=2))
        return
    for name, found in (
        ("worst group", report["worst_group"]),
        ("average", report["average"]),
        *report["groups"].items(),
    ):
        print(f"{name}: {found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%}) of {found['rows']:,} rows")
