"""Commands that put a model to work."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.words import FIGURES, MODEL, PICTURES, Usage, at_least, empty, output, parse
from foretell.hub.formats import Encoder, Format, Precision


@dataclass(frozen=True)
class Imagine:
    """Ask a model for a change, and see the picture its prediction comes nearest to."""

    image: Annotated[Positional[Path], arg(help="a photograph", metavar="IMAGE")]
    out: Annotated[Path, arg(help="the picture to write (PNG)")]
    bank: Annotated[int, arg(help="versions of the photograph the prediction is held against")] = 256
    sweep: Annotated[
        tuple[str, ...], arg(help="parameters to draw a row of; without any change asked for: colours")
    ] = ()
    seed: int = 0


def imagine(args: list[str]) -> None:
    """Draw what a model imagines: foretell imagine MODEL IMAGE --out grid.png [--hue 0.1] [--blur 1.5] [...]."""
    from foretell import hub, leverage

    if not args:
        raise Usage("imagine needs a MODEL first, and none is given (see foretell imagine --help)")
    if args[0] in ("-h", "--help"):
        print("usage: foretell imagine MODEL IMAGE --out grid.png [--PARAMETER VALUE ...]\n")
        print(f"MODEL is a {MODEL}.\n`foretell imagine MODEL --help` lists the changes it knows.")
        sys.exit(0)
    model = hub.load(args[0])
    parameters = leverage.actions_of(model).parameters
    # the model's own action space becomes flags: nothing here knows what the parameters mean
    changes = [
        (
            p.name,
            Annotated[bool if p.switch else float | None, arg(help=f"{p.help}; {p.low:g} to {p.high:g} {p.unit}")],
            False if p.switch else None,
        )
        for p in parameters
    ]
    schema = make_dataclass("Imagine", changes, bases=(Imagine,), frozen=True)
    flags = parse(schema, args[1:], f"imagine {args[0]}", inspect.getdoc(Imagine))
    output("--out", flags.out, PICTURES)
    values = {p.name: float(value) for p in parameters if (value := getattr(flags, p.name)) not in (None, False)}
    image = leverage.read_image(flags.image, model.config.encoder.image_size)
    asked = leverage.imagine(model, image, values, bank=flags.bank, seed=flags.seed) if values else None
    swept = flags.sweep or (() if values else tuple(p.name for p in parameters if not p.destructive))
    rows = leverage.sweep(model, image, *swept, bank=flags.bank, seed=flags.seed) if swept else {}
    leverage.draw(asked, rows).save(flags.out)


@dataclass(frozen=True)
class Uncertainty:
    """Draw where a model with stochastic positions is unsure of what it does not see, and where it is wrong."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    image: Annotated[Positional[Path], arg(help="a photograph", metavar="IMAGE")]
    out: Annotated[Path, arg(help="the picture to write (PNG)")]
    contexts: Annotated[int, arg(help="how many sets of visible patches to draw")] = 4
    draws: Annotated[int, arg(help="how often each is answered, with other draws of the places")] = 32
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, contexts=1, draws=2)  # one draw differs from nothing


def uncertainty(args: list[str]) -> None:
    """Draw where a model is unsure: foretell uncertainty MODEL IMAGE --out unsure.png (stochastic positions)."""
    from foretell import hub, leverage

    flags = parse(Uncertainty, args, "uncertainty")
    output("--out", flags.out, FIGURES)
    model = hub.load(flags.model)
    image = leverage.read_image(flags.image, model.config.encoder.image_size)
    found = leverage.uncertainty(model, image, contexts=flags.contexts, draws=flags.draws, seed=flags.seed)
    leverage.draw_uncertainty(found).savefig(flags.out, dpi=150)


def models(args: list[str]) -> None:
    """List the models that ship with foretell, or print one's card: foretell models [NAME]."""
    from foretell import hub

    @dataclass(frozen=True)
    class Models:
        """List the shipped models, or print one's card."""

        name: Annotated[Positional[str | None], arg(help="print this model's card", metavar="[NAME]")] = None

    flags = parse(Models, args, "models")
    print(hub.card(flags.name) if flags.name else "\n".join(hub.models()))


@dataclass(frozen=True)
class Export:
    """Write a model in another library's form, or official weights in foretell's."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    out: Annotated[Path, arg(help="folder to write")]
    format: Annotated[
        Format,
        arg(help="huggingface: for transformers' IJepaModel or VJEPA2Model; foretell: config.json and safetensors"),
    ] = "huggingface"
    encoder: Annotated[Encoder, arg(help="which encoder, for forms that hold one")] = "target"
    dtype: Annotated[Precision, arg(help="type to store numbers in")] = "float32"


def export(args: list[str]) -> None:
    """Write a model in another library's form: foretell export MODEL --out OUT [--format huggingface]."""
    from foretell import hub
    from foretell.hub import formats

    flags = parse(Export, args, "export")
    empty(flags.out)
    model = hub.load(flags.model)
    print(formats.export(model, flags.out, flags.format, flags.encoder, flags.dtype))


@dataclass(frozen=True)
class Demo:
    """Train a small image world model on bundled photographs, measure it, and write a report that explains it all."""

    out: Annotated[Path, arg(help="folder for the run and report.html")] = Path("demo")
    minutes: Annotated[float, arg(help="how long to train")] = 2.0
    seed: int = 0
    device: str = "auto"


def demo(args: list[str]) -> None:
    """See what a world model is: train one for two minutes, and open the report: foretell demo [--out demo]."""
    from foretell.demo import demo as show

    flags = parse(Demo, args, "demo")
    show(flags.out, flags.minutes, flags.seed, flags.device)
