"""Measure a model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.flags import ANY_DATA, MODEL, at_least, output, parse

if TYPE_CHECKING:
    from foretell.data import Pictures
    from foretell.data.reads import Reads


@dataclass(frozen=True)
class Evaluate:
    """Measure a model: probes, collapse, and how well it knows the effect of a change (MRR)."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    data: Annotated[str, arg(help=ANY_DATA)]
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
    learn, test = _read(flags.data, model.config.reads, flags.seed)
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
    if flags.out:
        write_json(flags.out, report)
    if flags.json:
        print(json.dumps(report, indent=2))
    else:
        from rich.console import Console

        Console().print(evaluate.table(report))


def _read(data: str, reads: Reads[Any], seed: int) -> tuple[Pictures, Pictures]:
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
