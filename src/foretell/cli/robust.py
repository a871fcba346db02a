"""Train a classifier that does not fail on some groups."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.discover import TABLE
from foretell.cli.flags import DATA, MODEL, Usage, at_least, empty, parse
from foretell.finetune.classifier import Mode
from foretell.robust.config import RobustConfig


@dataclass(frozen=True)
class Robust:
    """Train a classifier by a group-robust algorithm, and measure every group of the test set."""

    data: Annotated[Positional[str], arg(help=f"{TABLE}; or, with --features: {DATA}", metavar="DATA")]
    groups: Annotated[
        str,
        arg(
            help="environments.parquet of `foretell discover`; or a column of the data, such as `group`; or `label`: "
            "a class is a group"
        ),
    ]
    out: Annotated[Path, arg(help="folder for report.json and the classifier")]
    test: Annotated[str | None, arg(help="data to test on. None: the test split of DATA")] = None
    by: Annotated[
        str | None,
        arg(
            help="column of the test set whose groups are measured. None: that of --groups, else `group`, else `label`"
        ),
    ] = None
    features: Annotated[str | None, arg(help=f"makes vectors of pictures: {MODEL}")] = None
    mode: Annotated[
        Mode | None, arg(help="finetune these parts of --features on the pictures. None: its vectors stay as they are")
    ] = None
    draws: Annotated[
        int, arg(help="settings to draw; the best by the worst validation group is taken. 0: the flags'")
    ] = 10
    robust: Annotated[RobustConfig, arg(name="")] = field(default_factory=RobustConfig)
    json: Annotated[bool, arg(help="print JSON instead of a summary")] = False

    def __post_init__(self) -> None:
        at_least(self, draws=0)
        if self.mode and not self.features:
            raise Usage("--mode finetunes a model: name one by --features")


def robust(args: list[str]) -> None:
    """Train a group-robust classifier: foretell robust DATA --groups environments.parquet --out DIR."""
    from foretell import finetune as tuning
    from foretell import hub
    from foretell.data import GroupedPhotographs, Images, Vectors, load
    from foretell.hub.files import write_json
    from foretell.robust import files
    from foretell.robust.config import drawn
    from foretell.robust.groups import column, groups, labels, measured
    from foretell.robust.learn import choose
    from foretell.robust.networks import Finetuned
    from foretell.robust.rows import labelled
    from foretell.robust.table import Table, accuracies

    flags = parse(Robust, args, "robust")
    empty(flags.out)
    config, mode = flags.robust, flags.mode
    model = hub.load(flags.features) if flags.features else None
    if model and mode:
        tuning.parts(model, mode)  # refuses before the data is read, which can take minutes
    reads = GroupedPhotographs(model.config.reads.size) if model else Vectors()
    data = load(flags.data, reads, seed=config.seed)
    test = load(flags.test or flags.data, reads, split=None if flags.test else "test", seed=config.seed)
    y, y_test = labels(data, flags.data), labels(test, flags.test or f"the test split of {flags.data}", data.classes)
    known, validation = groups(flags.groups, data, y, data.classes, config.seed)
    asked = column(test, flags.by or measured(flags.groups, test))
    x, x_test = (
        each if mode and isinstance(each, Images) else labelled(each, model, progress="Encoding the pictures").x
        for each in (data, test)
    )
    table = Table(x, y, known.of)
    networks = Finetuned(model, data.classes, tuning.FinetuneConfig(mode)) if model and mode else None
    settings = drawn(flags.draws, config, config.seed) if flags.draws else [config]
    best = choose(table.some(~validation), table.some(validation), settings, networks, progress="Training")
    found = accuracies(best.network, Table(x_test, y_test, asked.of), data.classes, asked.names)
    watched = {"worst_group": best.worst, "average": best.average, "step": best.step}
    report: dict[str, Any] = {**found, "validation": watched, "settings": vars(best.config)}
    files.save(best, data.classes, flags.out)
    write_json(flags.out / "report.json", report)
    if flags.json:
        print(json.dumps(report, indent=2))
        return
    for name, each in report["groups"].items():
        print(line(name, each))
    print(line(f"worst group ({report['worst_group']['name']})", report["worst_group"]))
    print(line("average", report["average"]))


def line(name: str, found: dict[str, Any]) -> str:
    """An accuracy for people."""
    return f"{name}: {found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%}) of {found['rows']:,} rows"
