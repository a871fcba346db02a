"""Make a classifier of a world model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.flags import DATA, MODEL, empty, parse
from foretell.finetune import FinetuneConfig


@dataclass(frozen=True)
class Finetune:
    """Make a classifier of a world model by finetuning its predictor, its encoder, or both."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    data: Annotated[
        tuple[str, ...], arg(help=f"labelled images: {DATA}. Several data sets finetune one predictor for all")
    ]
    out: Annotated[Path, arg(help="folder for the classifier")]
    finetune: Annotated[FinetuneConfig, arg(name="")] = field(default_factory=FinetuneConfig)
    compare: Annotated[bool, arg(help="with several data sets: also finetune a separate predictor for each")] = False
    json: Annotated[bool, arg(help="print JSON instead of a summary")] = False
    device: str = "auto"


def finetune(args: list[str]) -> None:
    """Make a classifier of a model: foretell finetune MODEL --data DATA --out OUT [--mode predictor|encoder|...]."""
    from foretell import finetune as tuning
    from foretell import hub
    from foretell.data import Photographs, train_test
    from foretell.hub.files import write_json
    from foretell.train.world import enter

    flags = parse(Finetune, args, "finetune")
    empty(flags.out)
    device = enter(flags.device).device
    model = hub.load(flags.model, device)
    tuning.parts(model, flags.finetune.mode)  # refuse before reading the data, which can take minutes
    reads, seed = Photographs(model.config.encoder.image_size), flags.finetune.seed
    tasks = {spec: train_test(spec, reads, seed=seed) for spec in flags.data}
    if len(tasks) == 1:
        classifier, report = tuning.finetune(model, *tasks[flags.data[0]], flags.finetune)
        results = {flags.data[0]: report}
    else:
        classifier, report = tuning.multitask(model, tasks, flags.finetune, compare=flags.compare)
        results = report["tasks"]
    tuning.save_classifier(classifier, flags.out)
    write_json(flags.out / "report.json", report)
    if flags.json:
        print(json.dumps(report, indent=2))
        return
    for name, result in results.items():
        for label, a in (("", result["accuracy"]), (" with a predictor of its own", result.get("separate"))):
            if a:
                interval = f"({a['low']:.3f} to {a['high']:.3f})"
                print(f"{name}: accuracy {a['value']:.3f} {interval}{label}; chance {a['chance']:.3f}")
