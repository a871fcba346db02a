"""Measure a model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.flags import ANY_DATA, MODEL, at_least, output, parse

if TYPE_CHECKING:
    from foretell.data import Pictures
    from foretell.data.reads import Reads


@dataclass(frozen=True)
class Evaluate:
    """Measure a model: probes, collapse, and how well it knows the effect of a change (MRR). A model that answers
    questions is asked some, task by task.
    """

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    data: Annotated[tuple[str, ...], arg(help=f"{ANY_DATA}. Several make one data set")]
    json: Annotated[bool, arg(help="print JSON instead of a table")] = False
    out: Annotated[Path | None, arg(help="also write the JSON here")] = None
    bank: Annotated[int, arg(help="versions of an image that a prediction is ranked among")] = 256
    images: Annotated[int, arg(help="images whose predictions are ranked")] = 64
    queries: Annotated[int, arg(help="predictions for each image and parameter")] = 16
    controls: Annotated[
        bool, arg(help="also measure the same network untrained, and raw pixels: two to four times the time")
    ] = True
    seed: int = 0
    device: str = "auto"
    baselines: Annotated[
        tuple[str, ...], arg(help="of a model of procedures: what it is held against; `bigram` always is")
    ] = ("all",)
    questions: Annotated[
        int, arg(help="of a model of procedures, or one that answers questions: questions of a kind at most")
    ] = 2000
    budget: Annotated[
        int | None,
        arg(
            help="of a model of procedures: steps that transformers among the baselines are trained for; "
            "by default as many as the model was"
        ),
    ] = None

    def __post_init__(self) -> None:
        at_least(self, bank=1, images=1, queries=1, questions=1, budget=1)


def evaluate(args: list[str]) -> None:
    """Measure a model: foretell evaluate MODEL --data DATA [--json]."""
    from foretell import hub
    from foretell.capabilities import Answers, Forecasts, able
    from foretell.hub.files import write_json
    from foretell.train.world import enter

    flags = parse(Evaluate, args, "evaluate")
    output("--out", flags.out)
    device = enter(flags.device).device
    model = hub.load(flags.model, device)
    learn, test = _read(flags.data, model.reads, flags.seed)
    if able(model, Forecasts):
        report, shown = _procedures(flags, model, learn, test)
    elif able(model, Answers):
        report, shown = _questions(flags, model, learn, test, device)
    else:
        report, shown = _pictures(flags, model, learn, test, device)
    if flags.out:
        write_json(flags.out, report)
    if flags.json:
        print(json.dumps(report, indent=2))
    else:
        from rich.console import Console

        Console().print(shown)


def _pictures(flags: Evaluate, model: Any, learn: Any, test: Any, device: Any) -> tuple[dict[str, Any], Any]:
    """The report on a model of pictures or clips, and its table."""
    from foretell import evaluate, hub

    report = evaluate.evaluate(
        model,
        learn,
        test,
        seed=flags.seed,
        device=device,
        measures=evaluate.chosen(evaluate.MRR(flags.bank, flags.images, flags.queries)),
        controls=flags.controls,
        trained_on=hub.trained_on(flags.model),
    )
    return report, evaluate.table(report)


def _procedures(flags: Evaluate, model: Any, learn: Any, test: Any) -> tuple[dict[str, Any], Any]:
    """The report on a model of procedures, and its table."""
    from foretell import hub
    from foretell.evaluate import procedures
    from foretell.hub.files import parse as parse_json
    from foretell.train.loop import TrainConfig

    trained = hub.training(flags.model)
    budget = procedures.BUDGET if trained is None else parse_json(TrainConfig, trained, flags.model, "train")
    report = procedures.evaluate(
        model,
        learn,
        test,
        baselines=procedures.BASELINES if flags.baselines == ("all",) else flags.baselines,
        budget=replace(budget, steps=flags.budget or budget.steps),
        most=flags.questions,
        seed=flags.seed,
        trained_on=hub.trained_on(flags.model),
    )
    return report, procedures.table(report)


def _questions(flags: Evaluate, model: Any, learn: Any, test: Any, device: Any) -> tuple[dict[str, Any], Any]:
    """The report on a model that answers questions, and its table."""
    from foretell import hub
    from foretell.evaluate import questions

    report = questions.evaluate(
        model,
        learn,
        test,
        most=flags.questions,
        seed=flags.seed,
        device=device,
        trained_on=hub.trained_on(flags.model),
    )
    return report, questions.table(report)


def _read(data: tuple[str, ...], reads: Reads[Any], seed: int) -> tuple[Pictures, Pictures]:
    """What to learn from and what to test on. A model of words is also measured on pictures without captions."""
    import warnings

    from foretell.data import Captions, Photographs, train_test
    from foretell.errors import ForetellError, ForetellWarning

    sides: Any = train_test
    try:
        return sides(data, reads, seed=seed)
    except ForetellError as reason:
        if not isinstance(reads, Captions):
            raise
        try:
            found = sides(data, Photographs(reads.size), seed=seed)
        except ForetellError:
            raise reason from None
        warnings.warn(f"measured without captions: {reason}", ForetellWarning, stacklevel=2)
        return found
