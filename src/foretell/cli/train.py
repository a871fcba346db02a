"""Train a world model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from foretell import registry
from foretell.cli.flags import ANY_DATA, MODEL, Usage, first, parse, summary
from foretell.errors import ForetellError
from foretell.methods import METHODS
from foretell.recipes import RECIPES, Recipe
from foretell.train.loop import TrainConfig


def train(args: list[str]) -> None:
    """Train a world model: foretell train METHOD --data DATA --out RUN [--steps N] [--seed S] [--resume]."""
    from foretell.train.run import run

    place = args[0] if args and registry.is_place(args[0]) else None
    name = registry.from_file(place) if place else first(args, "train", "METHOD", choices())
    make = RECIPES[name] if name in RECIPES and not place else recipe_of(name)
    recipe = make()
    resume = Annotated[bool, arg(help="continue the run in --out, with the same flags")]
    stands = Annotated[str, arg(help=f"trained model with the encoder to use, frozen: {MODEL}")]
    encoder = [("encoder", stands, field(default=recipe.encoder))] if recipe.encoder else []
    schema = make_dataclass(
        "Train",
        [
            ("data", Annotated[tuple[str, ...], arg(help=f"{ANY_DATA}. Several make one data set")]),
            ("out", Annotated[Path, arg(help="folder of the run: config, metrics, checkpoints and the model")]),
            ("model", type(recipe.model), field(default=recipe.model)),
            ("train", Annotated[TrainConfig, arg(name="")], field(default=recipe.train)),
            *encoder,
            ("resume", resume, field(default=False)),
        ],
    )
    flags = parse(schema, args[1:], f"train {args[0]}", inspect.getdoc(make))
    given = flags.encoder if encoder else None
    if given and flags.model.encoder != recipe.model.encoder:
        raise Usage("--model.encoder has no effect here: the encoder is that of --encoder")
    run(flags.model, flags.train, flags.data, flags.out, encoder=given, resume=flags.resume)


def choices() -> dict[str, str]:
    """The methods and their descriptions. Methods of installed packages are only named, because nothing is imported."""
    own = {name: summary(entry.kind) for name, entry in METHODS.items() if name not in RECIPES}
    packages = {name: f"a method of the package {point.module}" for name, point in registry.packaged().items()}
    file = {"FILE.py:NAME": "a method of your own: the class NAME in a file (see CONTRIBUTING.md)"}
    return {name: summary(recipe) for name, recipe in RECIPES.items()} | packages | own | file


def recipe_of(name: str) -> Callable[[], Recipe]:
    """The recipe that a method registered with. Without one: the defaults of its configuration and of the training.

    Raises:
        ForetellError: as `registry.find`.
    """
    entry = registry.find(name)
    if entry is None:
        raise ForetellError(registry.unknown(name))
    if own := registry.recipe_of(name):
        return own
    kind, config = entry

    def defaults() -> Recipe:
        return Recipe(config(), TrainConfig())

    defaults.__doc__ = kind.__doc__
    return defaults
