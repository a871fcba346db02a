"""Train a world model."""

from __future__ import annotations

import inspect
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from foretell.cli.flags import ANY_DATA, MODEL, Usage, first, parse, summary
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
