"""Find hidden environments in labelled data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from foretell.cli.flags import DATA, MODEL, at_least, empty, parse

if TYPE_CHECKING:
    from foretell.robust.rows import Labelled

TABLE = "table of vectors with labels (.npz, .npy, .parquet, .csv), `colormnist:PATH` and its variants"
GROUPED = (
    "`backgrounds:N`; a table (.csv, .parquet) of paths or of texts; a folder of Waterbirds, CelebA, MetaShift or "
    "ImageNet-9"
)

RAW = (
    "take vectors as they come. Otherwise each column is brought to mean 0 and deviation 1 over the rows that are "
    "learned from; pixels, and colormnist as it was published, never are"
)


@dataclass(frozen=True)
class Discover:
    """Find the rows that a classifier fails on because they lack a shortcut (XRM); nobody has to annotate them."""

    data: Annotated[Positional[str], arg(help=f"{TABLE}; {GROUPED}; {DATA}", metavar="DATA")]
    out: Annotated[Path, arg(help="folder for environments.parquet, report.json, report.html and examples.parquet")]
    features: Annotated[
        str | None,
        arg(
            help=f"makes vectors of pictures: efficientnet-lite0, or {MODEL}; of texts: bge-small-en-v1.5 or another "
            "text model. None: pictures are learned from their pixels"
        ),
    ] = None
    label: Annotated[str | None, arg(help="column of the class. None: one of the usual names")] = None
    group: Annotated[
        str | None, arg(help="column of groups that are known, to compare with. None: one of the usual names, if any")
    ] = None
    environments: Annotated[Literal[2, 3], arg(help="3, which is not the paper's: both twins right, one, none")] = 2
    network: Annotated[
        Literal["linear", "mlp", "conv"] | None,
        arg(help="of the twins. None: linear for features, mlp for colormnist, conv for pixels"),
    ] = None
    size: Annotated[int, arg(help="pixels a side of pictures that are learned from their pixels")] = 32
    raw: Annotated[bool, arg(help=RAW)] = False
    steps: Annotated[int, arg(help="optimiser steps of the twins")] = 1000
    draws: Annotated[int, arg(help="settings to draw; the one with most flips is taken")] = 10
    seeds: Annotated[int, arg(help="runs with the settings that were taken")] = 10
    json: Annotated[bool, arg(help="print JSON instead of a summary")] = False
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, steps=1, draws=1, seeds=1, size=8)


def discover(args: list[str]) -> None:
    """Find hidden environments in labelled data: foretell discover DATA --out DIR [--features MODEL]."""
    from foretell.data.kinds import holds
    from foretell.extras import needed
    from foretell.hub.files import write_atomically, write_json
    from foretell.robust import discovery
    from foretell.robust.report import described, examples, render
    from foretell.robust.twins import TwinConfig

    flags = parse(Discover, args, "discover")
    for module in ("pyarrow.parquet", "jinja2"):
        needed(module, "foretell discover")
    pyarrow, parquet = needed("pyarrow", "the environments"), needed("pyarrow.parquet", "the environments")
    empty(flags.out)
    kind = holds(flags.data)
    rows = _rows(flags, kind)
    pixels = kind == "pictures" and not flags.features
    network = flags.network or ("conv" if pixels else "mlp" if coloured(flags.data) else "linear")
    config = TwinConfig(network, steps=flags.steps, optimizer="sgd" if network == "linear" else "adam")
    found = discovery.discovery(
        rows,
        draws=flags.draws,
        seeds=flags.seeds,
        seed=flags.seed,
        config=config,
        environments=flags.environments,
        scaled=not (flags.raw or coloured(flags.data)),
    )
    flags.out.mkdir(parents=True, exist_ok=True)
    parts = map(pyarrow.table, discovery.tables(found, rows))
    first = next(parts)
    with parquet.ParquetWriter(flags.out / "environments.parquet", first.schema) as file:
        for part in chain([first], parts):
            file.write_table(part)
    report = {"data": flags.data, **found.report}
    write_json(flags.out / "report.json", report)
    classes, options = described(found, rows, flags.seed), _options(flags, kind)
    page = render(found, rows, data=flags.data, out=flags.out, options=options, classes=classes)
    write_atomically(flags.out / "report.html", page)
    if rows.pictures is not None:
        parquet.write_table(pyarrow.table(examples(classes)), flags.out / "examples.parquet")
    print(json.dumps(report, indent=2) if flags.json else summary(report, flags.out))


def _rows(flags: Discover, kind: str) -> Labelled:
    """What is learned from."""
    from foretell.data import GroupedPhotographs, Vectors, load
    from foretell.robust import encoders
    from foretell.robust.rows import labelled

    if kind == "texts":
        from foretell.cli.sentences import labelled_texts, text_model

        path = Path(flags.data).expanduser()
        return labelled(labelled_texts(path, text_model(flags.features, path), flags.label, flags.group))
    model = None if flags.features is None else encoders.load(flags.features)
    if kind == "vectors":
        return labelled(load(flags.data, Vectors(flags.label, flags.group), seed=flags.seed), model)
    reads = GroupedPhotographs(model.config.reads.size if model else flags.size, flags.label, flags.group)
    return labelled(load(flags.data, reads, seed=flags.seed), model, progress="Encoding the pictures")


def _options(flags: Discover, kind: str) -> list[str]:
    """What `foretell robust` must be told of the same data."""
    features = flags.features or ("iwm-mini" if kind == "pictures" else None)  # pixels alone are not for it
    told = {"--features": features, "--label": flags.label, "--by": flags.group}
    return [word for name, value in told.items() if value for word in (name, value)] + ["--raw"] * flags.raw


def coloured(spec: str) -> bool:
    """Whether data is ColorMNIST or a variant of it."""
    from foretell.data.made.colormnist import VARIANTS

    return spec.partition(":")[0] in VARIANTS


def summary(report: dict[str, Any], out: Path) -> str:
    """The report in lines."""
    from foretell.robust.report.shares import agreement, percent, places

    lines = []
    if report["skipped"]:
        n = report["skipped"]
        lost = "1 row could not be used and is" if n == 1 else f"{n:,} rows could not be used and are"
        lines.append(f"{lost} left out; {out / 'report.html'} says why")
    if not report["flip_rate"]:
        lines.append(
            "No shortcut was found: in some class, the twins err on all or on none of the rows that are learned from, "
            "or of those for validation. The rows may be too few."
        )
    for name, sizes in report["environments"].items():
        each = ", ".join(f"{size:,} rows in environment {e}" for e, size in enumerate(sizes))
        lines.append(f"{name}: {each}")
    if agree := report["stability"]:
        lines.append(f"two seeds agree on {agreement(agree)}; by chance on {percent(agree['chance'])}")
    if pure := report.get("purity"):
        n = places(pure["value"], pure["without"])
        told, chance = percent(pure["value"], n), percent(pure["without"], n)
        lines.append(f"purity by the known groups: {told}; without environments {chance}")
    lines.append(f"{out / 'environments.parquet'} has the environment of every row, {out / 'report.html'} shows them")
    return "\n".join(lines)
