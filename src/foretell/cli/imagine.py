"""Ask a model for a change, and draw its answer."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.flags import MODEL, PICTURES, Usage, output, parse


@dataclass(frozen=True)
class Imagine:
    """Ask a model for a change, and see the picture that is nearest to its prediction."""

    image: Annotated[Positional[Path], arg(help="a photograph", metavar="IMAGE")]
    out: Annotated[Path, arg(help="the picture to write (PNG)")]
    bank: Annotated[int, arg(help="versions of the photograph that the prediction is compared with")] = 256
    sweep: Annotated[
        tuple[str, ...], arg(help="parameters to draw a row for; by default the colours, if no change is given")
    ] = ()
    decoder: Annotated[
        Path | None, arg(help="decoder that draws the prediction, from `foretell decoder`; by default the model's own")
    ] = None
    seed: int = 0


def imagine(args: list[str]) -> None:
    """Ask a model for a change: foretell imagine MODEL IMAGE --out grid.png [--hue 0.1] [--blur 1.5] [...]."""
    from foretell import hub
    from foretell import imagine as imagining
    from foretell.capabilities import Forecasts
    from foretell.hub.decoders import check_decoder, decoder_of

    if not args:
        raise Usage("imagine needs a MODEL first, and none is given (see foretell imagine --help)")
    if args[0] in ("-h", "--help"):
        print("usage: foretell imagine MODEL IMAGE --out grid.png [--PARAMETER VALUE ...]\n")
        print(f"MODEL is a {MODEL}.\n`foretell imagine MODEL --help` lists the changes it knows.")
        print("A model of procedures imagines what comes next, as `foretell forecast MODEL CLIP... --out P.png` does.")
        sys.exit(0)
    model = hub.load(args[0])
    if isinstance(model, Forecasts):  # what it imagines is what comes next
        from foretell.cli.forecast import forecast

        forecast(args)
        return
    parameters = imagining.actions_of(model).parameters
    # flags come from the table of the model's actions: this file knows no parameter
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
    if flags.decoder is None:
        drawn_by = decoder_of(model, args[0])
    else:
        drawn_by = check_decoder(hub.load(flags.decoder), model, flags.decoder)
    image = imagining.read_image(flags.image, model.config.encoder.image_size)
    asked = imagining.imagine(model, image, values, bank=flags.bank, seed=flags.seed) if values else None
    swept = flags.sweep or (() if values else tuple(p.name for p in parameters if not p.destructive))
    rows = imagining.sweep(model, image, *swept, bank=flags.bank, seed=flags.seed) if swept else {}
    imagining.draw(asked, rows, drawn_by).save(flags.out)
    if asked:
        said = f"the picture that was asked for is number {asked.rank}"
    else:
        ranks = sorted(one.rank for row in rows.values() for one in row)
        said = f"the pictures of {len(ranks)} changes are number {ranks[len(ranks) // 2]} by the median"
    chance = f"1 is best, about {flags.bank // 2} is chance"
    print(f"wrote {flags.out}: by the model's prediction {said} of {flags.bank} ({chance})")
