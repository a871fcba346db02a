"""Commands that train and measure."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, field, make_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.words import ANY_DATA, DATA, MODEL, Usage, at_least, empty, first, output, parse, summary
from foretell.leverage import FinetuneConfig
from foretell.recipes import RECIPES
from foretell.train.loop import TrainConfig


def train(args: list[str]) -> None:
    """Train a world model: foretell train METHOD --data DATA --out RUN [--steps N] [--seed S] [--resume]."""
    from foretell.train.run import run

    method = first(args, "train", "METHOD", {name: summary(recipe) for name, recipe in RECIPES.items()})
    recipe = RECIPES[method]()
    resume = Annotated[bool, arg(help="go on with the run in --out, with the same flags")]
    stands = Annotated[str, arg(help=f"trained model whose encoder is taken and kept frozen: {MODEL}")]
    encoder = [("encoder", stands, field(default=recipe.encoder))] if recipe.encoder else []
    schema = make_dataclass(
        "Train",
        [
            ("data", Annotated[tuple[str, ...], arg(help=f"{ANY_DATA}. Several are one set")]),
            ("out", Annotated[Path, arg(help="folder of the run: config, metrics, checkpoints and the model")]),
            ("model", type(recipe.model), field(default=recipe.model)),
            ("train", Annotated[TrainConfig, arg(name="")], field(default=recipe.train)),
            *encoder,
            ("resume", resume, field(default=False)),
        ],
    )
    flags = parse(schema, args[1:], f"train {method}", inspect.getdoc(RECIPES[method]))
    given = flags.encoder if encoder else None
    if given and flags.model.encoder != recipe.model.encoder:
        raise Usage("--model.encoder has no use here: the encoder is as large as that of --encoder")
    run(flags.model, flags.train, flags.data, flags.out, encoder=given, resume=flags.resume)


@dataclass(frozen=True)
class Evaluate:
    """Measure a model: probes, collapse, and how well it knows what a change does (MRR)."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    data: Annotated[str, arg(help=ANY_DATA)]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False
    out: Annotated[Path | None, arg(help="also write the JSON here")] = None
    bank: Annotated[int, arg(help="augmented targets an image that a prediction is ranked among")] = 256
    images: Annotated[int, arg(help="images whose predictions are ranked")] = 64
    queries: Annotated[int, arg(help="predictions an image and parameter")] = 16
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        at_least(self, bank=1, images=1, queries=1)


def evaluate(args: list[str]) -> None:
    """Measure a model: foretell evaluate MODEL --data DATA [--json]."""
    from foretell import evaluate, hub
    from foretell.hub.files import write_json
    from foretell.train.world import enter

    flags = parse(Evaluate, args, "evaluate")
    output("--out", flags.out)
    device = enter(flags.device).device
    model = hub.load(flags.model, device)
    learn, test = model.train_test(flags.data, seed=flags.seed)
    report = evaluate.evaluate(
        model,
        learn,
        test,
        seed=flags.seed,
        device=device,
        bank=flags.bank,
        images=flags.images,
        queries=flags.queries,
        trained_on=hub.trained_on(flags.model),
    )
    if flags.out:
        write_json(flags.out, report)
    if flags.json:
        print(json.dumps(report, indent=2))
    else:
        from rich.console import Console

        Console().print(evaluate.table(report))


@dataclass(frozen=True)
class Finetune:
    """Make a classifier of a world model by finetuning its predictor, its encoder, or both."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    data: Annotated[tuple[str, ...], arg(help=f"labelled images: {DATA}. Several tune one predictor for all")]
    out: Annotated[Path, arg(help="folder for the classifier")]
    finetune: Annotated[FinetuneConfig, arg(name="")] = field(default_factory=FinetuneConfig)
    compare: Annotated[bool, arg(help="with several data sets: also tune a predictor for each alone")] = False
    json: Annotated[bool, arg(help="print JSON instead of a summary")] = False
    device: str = "auto"


def finetune(args: list[str]) -> None:
    """Make a classifier of a model: foretell finetune MODEL --data DATA --out OUT [--mode predictor|encoder|...]."""
    from foretell import hub, leverage
    from foretell.data import train_test
    from foretell.hub.files import write_json
    from foretell.train.world import enter

    flags = parse(Finetune, args, "finetune")
    empty(flags.out)
    device = enter(flags.device).device
    model = hub.load(flags.model, device)
    leverage.require_trained(model, flags.finetune.mode)  # before the data is read, which can take minutes
    size, seed = model.config.encoder.image_size, flags.finetune.seed
    tasks = {spec: train_test(spec, size, seed=seed) for spec in flags.data}
    if len(tasks) == 1:
        classifier, report = leverage.finetune(model, *tasks[flags.data[0]], flags.finetune)
        results = {flags.data[0]: report}
    else:
        classifier, report = leverage.multitask(model, tasks, flags.finetune, compare=flags.compare)
        results = report["tasks"]
    leverage.save_classifier(classifier, flags.out)
    write_json(flags.out / "report.json", report)
    if flags.json:
        print(json.dumps(report, indent=2))
        return
    for name, result in results.items():
        for label, a in (("", result["accuracy"]), (" with a predictor of its own", result.get("separate"))):
            if a:
                interval = f"({a['low']:.3f} to {a['high']:.3f})"
                print(f"{name}: accuracy {a['value']:.3f} {interval}{label}; chance {a['chance']:.3f}")


@dataclass(frozen=True)
class Claims:
    """List the papers' findings and whether they hold here, or show one."""

    name: Annotated[Positional[str | None], arg(help="show this one with all its numbers", metavar="[NAME]")] = None


@dataclass(frozen=True)
class RunClaims:
    """Try findings again: train what they compare, measure it, and say whether they hold."""

    names: Annotated[Positional[tuple[str, ...]], arg(help="claims to run, or `all`", metavar="NAME")]
    data: Annotated[str | None, arg(help=f"labelled images, for all claims but V-JEPA's: {DATA}")] = None
    other: Annotated[str | None, arg(help="another labelled data set, for claims about transfer or two tasks")] = None
    out: Annotated[
        Path, arg(help="folder for trainings and results; the same one again goes on, and processes share it")
    ] = Path("runs/claims")
    seeds: Annotated[int, arg(help="trainings of each arm: their spread gives the intervals")] = 3
    add: Annotated[bool, arg(help="take the recorded seeds as they are, and train only those they lack")] = False

    def __post_init__(self) -> None:
        at_least(self, seeds=1)


def claims(args: list[str]) -> None:
    """Try the papers' findings again: foretell claims [NAME] | foretell claims run NAME... --data DATA [--seeds N]."""
    from rich.console import Console
    from rich.markdown import Markdown

    from foretell.claims import CLAIMS, Claim, Data, details, overview, recorded, run
    from foretell.methods import begin

    def find(name: str) -> Claim:
        if name not in CLAIMS:
            raise Usage(f"{name!r} is not a claim; there are {', '.join(CLAIMS)}")
        return CLAIMS[name]

    def show(text: str) -> None:
        Console().print(Markdown(text))

    if args[:1] != ["run"]:
        name = parse(Claims, args, "claims").name
        show(details(find(name), recorded(find(name))) if name else overview(CLAIMS.values()))
        return
    flags = parse(RunClaims, args[1:], "claims run")

    chosen = [find(name) for name in (CLAIMS if flags.names == ("all",) else flags.names)]
    if asking := [claim.name for claim in chosen if not (claim.data or flags.data)]:
        raise Usage(f"{asking[0]} needs labelled images: name them by --data")

    @lru_cache
    def data(model: Any, spec: str | None) -> Data[Any]:
        load = begin(model).train_test
        other = Data(*load(flags.other)) if flags.other and not spec else None
        return Data(*load(spec or flags.data or ""), other)

    for claim in chosen:
        show(details(claim, run(claim, data, flags.out, range(flags.seeds), add=flags.add)))
