"""Train a classifier that does not fail on some groups."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.discover import GROUPED, TABLE
from foretell.cli.flags import DATA, MODEL, Usage, at_least, empty, parse
from foretell.finetune.classifier import Mode
from foretell.robust.config import RobustConfig

if TYPE_CHECKING:
    from foretell.data import Columns


@dataclass(frozen=True)
class Robust:
    """Train a classifier by a group-robust algorithm, and measure every group of the test set."""

    data: Annotated[Positional[str], arg(help=f"{TABLE}; or, with --features: {GROUPED}; {DATA}", metavar="DATA")]
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
    features: Annotated[str | None, arg(help=f"makes vectors of pictures: efficientnet-lite0, or {MODEL}")] = None
    label: Annotated[str | None, arg(help="column of the class. None: one of the usual names")] = None
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
    from foretell.data import Images
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
    model = _model(flags.features, mode)
    data, test = _read(flags, flags.data, None, model), _read(flags, flags.test or flags.data, "test", model)
    y, y_test = labels(data, flags.data), labels(test, flags.test or f"the test split of {flags.data}", data.classes)
    spec = "group" if own(flags.groups, flags.data) else flags.groups
    known, validation = groups(spec, data, y, data.classes, config.seed)
    asked = column(test, flags.by or measured(spec, test))
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


def _model(name: str | None, mode: Mode | None) -> Any:
    """A model that makes features, or is finetuned."""
    from foretell import finetune
    from foretell.robust import encoders

    if name is None:
        return None
    if mode and name in encoders.NAMES:
        raise Usage(f"--mode finetunes a model of ours, and {name} is not one: leave --mode out")
    model = encoders.load(name)
    if mode:
        finetune.parts(model, mode)  # refuses before the data is read, which can take minutes
    return model


def _read(flags: Robust, place: str, split: str | None, model: Any) -> Columns:
    """The data, or with `test` its test split; what --test names is taken whole."""
    from foretell.data import GroupedPhotographs, Vectors, load
    from foretell.data.kinds import holds

    kind, group = holds(place), own(flags.groups, place)
    if kind == "texts":
        raise Usage(f"{place} holds texts: make a table of vectors of them, and of their labels")
    if kind == "pictures" and model is None:
        raise Usage(f"{place} holds pictures: name a model that makes vectors of them by --features")
    reads = Vectors(flags.label, group) if kind == "vectors" else None
    reads = reads or GroupedPhotographs(model.config.reads.size, flags.label, group)
    return load(place, reads, split=None if flags.test else split, seed=flags.robust.seed)


def own(groups: str, place: str) -> str | None:
    """The column of a table that --groups names by a name of its own; None where it is none."""
    usual = groups in ("label", "group", "groups") or groups.endswith(".parquet") or Path(groups).is_file()
    return None if usual or not Path(place).expanduser().is_file() else groups


def line(name: str, found: dict[str, Any]) -> str:
    """An accuracy for people."""
    return f"{name}: {found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%}) of {found['rows']:,} rows"
