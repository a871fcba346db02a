"""Train a world model."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import field, make_dataclass, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from foretell import registry
from foretell.cli.flags import ANY_DATA, MODEL, Usage, first, parse, summary, table
from foretell.errors import ForetellError
from foretell.hub.files import parse as read_config
from foretell.hub.files import read_json
from foretell.methods import METHODS
from foretell.recipes import RECIPES, Recipe
from foretell.train.loop import TrainConfig


def train(args: list[str]) -> None:
    """Train a world model: foretell train METHOD --data DATA --out RUN [--steps N] [--seed S] [--resume]."""
    from foretell.train.run import run

    make, recipe = asked(args, "train")
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
            (
                "init",
                Annotated[str | None, arg(help=f"begin with the weights of this model: {MODEL}")],
                field(default=None),
            ),
            (
                "config",
                Annotated[Path | None, arg(help="config.json of a run: its settings are the defaults of all flags")],
                field(default=None),
            ),
            ("resume", resume, field(default=False)),
        ],
    )
    if not {"-h", "--help"}.isdisjoint(args[1:]):
        _help(args[0], recipe, inspect.getdoc(make) or "")
        sys.exit(0)
    flags = parse(
        schema,
        ["--help" if word == "--help-all" else word for word in args[1:]],
        f"train {args[0]}",
        inspect.getdoc(make),
    )
    given = flags.encoder if encoder else None
    if given and flags.model.encoder != recipe.model.encoder:
        raise Usage("--model.encoder has no effect here: the encoder is that of --encoder")
    run(flags.model, flags.train, flags.data, flags.out, encoder=given, init=flags.init, resume=flags.resume)


def asked(args: list[str], command: str) -> tuple[Callable[[], Recipe], Recipe]:
    """The recipe that a command's first word names: its function, and what it gives, changed by --config.

    Raises:
        ForetellError: there is none of that name, or as `_configured`.
    """
    place = args[0] if args and registry.is_place(args[0]) else None
    name = registry.from_file(place) if place else first(args, command, "METHOD", choices())
    make = RECIPES[name] if name in RECIPES and not place else recipe_of(name)
    return make, _configured(make(), args)


def _help(name: str, recipe: Recipe, text: str) -> None:
    """The flags to begin with; `--help-all` lists the others, most of which are the method's."""
    shown = dict(SHOWN)
    if recipe.encoder:
        shown["encoder"] = f"trained model with the encoder to use, frozen ({recipe.encoder})"
    shown |= {name: f"{said} ({getattr(recipe.train, name)})" for name, said in SAID.items()}
    print(f"usage: foretell train {name} --data DATA --out RUN [flags]\n\n{text}\n")
    print(table({f"--{flag.replace('_', '-')}": said for flag, said in shown.items()}))
    print(f"\nThese are enough to begin. `foretell train {name} --help-all` lists every setting.")


SHOWN = {
    "data": "what to learn from: a folder, several, or made data such as `photographs` (see docs/training.md)",
    "out": "folder of the run: config, metrics, checkpoints and the model",
    "init": "begin with the weights of this model",
    "config": "config.json of a run: its settings become the defaults",
    "resume": "continue the run in --out, with the same flags",
}
SAID = {
    "steps": "optimiser steps",
    "batch": "samples a step",
    "lr": "peak learning rate",
    "seed": "draws weights, order, crops and masks",
    "device": "auto, cpu, cuda, …",
    "checkpoint_every": "steps between two checkpoints",
    "monitor_every": "steps between two measurements of collapse and of a probe; 0 never measures",
}
"""Fields of `TrainConfig` to begin with, and what they say."""


def _configured(recipe: Recipe, args: list[str]) -> Recipe:
    """A recipe with the settings of the file behind --config, if there is one.

    Raises:
        ForetellError: the file is no configuration of the recipe's method.
    """
    flags = [word.partition("=") for word in args]
    given = [
        value if equals else (args[place + 1] if place + 1 < len(args) else "")
        for place, (flag, equals, value) in enumerate(flags)
        if flag == "--config"
    ]
    if not given or not given[-1]:
        return recipe
    path = Path(given[-1])
    path = path / "config.json" if path.is_dir() else path
    said = read_json(path)
    method = next(name for name, entry in METHODS.items() if entry.config is type(recipe.model))
    if said.get("method") != method:
        raise ForetellError(f"{path}: method is {said.get('method')!r}, expected {method!r}: name that method to train")
    model = read_config(type(recipe.model), said.get("model"), path, "model")
    train = read_config(TrainConfig, said["train"], path, "train") if "train" in said else recipe.train
    return replace(recipe, model=model, train=train, encoder=said.get("encoder", recipe.encoder))


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
