"""Train a classifier that does not fail on some groups."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.discover import GROUPED, RAW, TABLE, coloured
from foretell.cli.flags import DATA, MODEL, Usage, at_least, empty, parse
from foretell.errors import ForetellError
from foretell.finetune.classifier import Mode
from foretell.robust.config import RobustConfig

if TYPE_CHECKING:
    from torch import Tensor

    from foretell.data import Columns, Images
    from foretell.robust.networks import Networks

USUAL = ("group", "groups")
"""These name the column of groups, however the data calls it."""


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
    test: Annotated[str | None, arg(help="data to test on: its test split, or all of it. None: that of DATA")] = None
    by: Annotated[
        str | None,
        arg(
            help="column of the test set whose groups are measured. None: that of --groups, else `group`, else `label`"
        ),
    ] = None
    features: Annotated[
        str | None,
        arg(
            help=f"makes vectors of pictures: efficientnet-lite0, or {MODEL}; of texts: bge-small-en-v1.5 or another "
            "text model"
        ),
    ] = None
    raw: Annotated[bool, arg(help=RAW)] = False
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
    from foretell.hub.files import write_json
    from foretell.robust import files
    from foretell.robust.config import drawn
    from foretell.robust.files import digest
    from foretell.robust.groups import column, groups, labels, measured
    from foretell.robust.learn import choose
    from foretell.robust.rows import enough
    from foretell.robust.table import Table, accuracies

    flags = parse(Robust, args, "robust")
    empty(flags.out)
    config = _config(flags)
    model = _model(flags)
    data, test = _read(flags, flags.data, None, model), _read(flags, flags.test or flags.data, "test", model)
    y, y_test = labels(data, flags.data), labels(test, flags.test or f"the test split of {flags.data}", data.classes)
    enough(y, data.classes)
    spec = "group" if own(flags.groups, flags.data) else flags.groups
    by = "group" if own(flags.by, flags.data) else flags.by
    known, validation = groups(spec, data, y, data.classes, config.seed)
    asked = column(test, by or measured(spec, test))
    x, x_test = (_seen(flags, each, model) for each in (data, test))
    table = Table(x, y, known.of)
    settings = drawn(flags.draws, config, config.seed) if flags.draws else [config]
    networks = _networks(flags, model, data.classes, x, validation)
    best = choose(table.some(~validation), table.some(validation), settings, networks, progress="Training")
    found = accuracies(best.network, Table(x_test, y_test, asked.of), data.classes, asked.names)
    watched = {"worst_group": best.worst, "average": best.average, "step": best.step}
    told = {"data": flags.data, "told": {"groups": flags.groups, "file": digest(flags.groups)}}
    report: dict[str, Any] = {**told, **found, "validation": watched, "settings": vars(best.config)}
    files.save(best, data.classes, flags.out)
    write_json(flags.out / "report.json", report)
    if flags.json:
        print(json.dumps(report, indent=2))
        return
    for name, each in report["groups"].items():
        print(line(name, each))
    print(line(f"worst group ({report['worst_group']['name']})", report["worst_group"]))
    print(line("average", report["average"]))


def _config(flags: Robust) -> RobustConfig:
    """The flags' settings, with a network and a rule for it."""
    network = flags.robust.network or ("mlp" if coloured(flags.data) else "linear")
    config = replace(flags.robust, network=network)
    return replace(config, optimizer=config.rule)


def _model(flags: Robust) -> Any:
    """A model that makes features of pictures or of texts, or is finetuned."""
    from foretell import finetune
    from foretell.cli.sentences import text_model
    from foretell.data.kinds import holds
    from foretell.robust import encoders

    name, mode = flags.features, flags.mode
    if holds(flags.data) == "texts":
        if mode:
            raise Usage(f"--mode finetunes a model of pictures, and {flags.data} holds texts: leave --mode out")
        return text_model(name, Path(flags.data))
    if name is None:
        return None
    if mode and name in encoders.NAMES:
        raise Usage(f"--mode finetunes a model of ours, and {name} is not one: leave --mode out")
    model = encoders.load(name)
    if mode:
        finetune.parts(model, mode)  # refuses before the data is read, which can take minutes
    return model


def _read(flags: Robust, place: str, split: str | None, model: Any) -> Columns:
    """The data, or with `test` its test split; of what --test names all, where it has no test split."""
    from foretell.cli.sentences import labelled_texts
    from foretell.data import GroupedPhotographs, Vectors, load
    from foretell.data.kinds import holds

    kind, group = holds(place), _group(flags, place, split)
    if kind != holds(flags.data):
        raise Usage(f"{flags.data} holds {holds(flags.data)} and {place} holds {kind}, expected the same in both")
    if kind == "texts":
        return labelled_texts(Path(place).expanduser(), model, flags.label, group, split, whole=flags.test is not None)
    if kind == "pictures" and model is None:
        raise Usage(f"{place} holds pictures: name a model that makes vectors of them by --features")
    reads = Vectors(flags.label, group) if kind == "vectors" else None
    reads = reads or GroupedPhotographs(model.config.reads.size, flags.label, group)
    if split == "test" and "test" not in reads.find(place, flags.robust.seed):
        if flags.test:
            return load(place, reads, seed=flags.robust.seed)
        raise ForetellError(
            f"{place}: names no test split, expected train and test among its folders or files: name data to test on "
            "by --test"
        )
    return load(place, reads, split=split, seed=flags.robust.seed)


def _seen(flags: Robust, data: Columns, model: Any) -> Tensor | Images:
    """What a classifier learns from: vectors, or pictures to finetune on."""
    from foretell.data import Images
    from foretell.data.kinds import holds
    from foretell.robust.rows import labelled

    if flags.mode and isinstance(data, Images):
        return data
    if holds(flags.data) == "texts":
        model = None  # they are vectors already
    return labelled(data, model, progress="Encoding the pictures").x


def _networks(
    flags: Robust, model: Any, classes: tuple[str, ...], x: Tensor | Images, validation: Tensor
) -> Networks | None:
    """What learns; None for layers on vectors as they come."""
    from torch import Tensor

    from foretell.finetune import FinetuneConfig
    from foretell.robust.networks import Finetuned, Layers
    from foretell.robust.scaling import Scaling

    if flags.mode:
        return Finetuned(model, classes, FinetuneConfig(flags.mode))
    if flags.raw or coloured(flags.data) or not isinstance(x, Tensor):
        return None
    return Layers(x.shape[1], len(classes), _config(flags), Scaling.of(x, ~validation))


def _group(flags: Robust, place: str, split: str | None) -> str | None:
    """The column that is read as the groups of a place; None for one of the usual names."""
    from foretell.data.kinds import holds

    of = [name for name in (flags.groups, flags.by) if name in USUAL or own(name, place)]
    if len(set(of)) > 1 and holds(place) == "vectors":
        raise Usage(f"--groups {of[0]} and --by {of[1]} are two columns of a table of vectors, expected one")
    name = of[-1 if split == "test" else 0] if of else None
    return None if name in USUAL else name


def own(name: str | None, place: str) -> bool:
    """Whether --groups or --by names a column by a name that data on disk gave it."""
    if name is None or name == "label" or name in USUAL or name.endswith(".parquet") or Path(name).is_file():
        return False
    return Path(place).expanduser().exists()


def line(name: str, found: dict[str, Any]) -> str:
    """An accuracy for people."""
    return f"{name}: {found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%}) of {found['rows']:,} rows"
