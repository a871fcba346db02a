"""Draw where a model is unsure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from foretell.cli.flags import FIGURES, MODEL, at_least, output, parse


@dataclass(frozen=True)
class Uncertainty:
    """Draw where a model with stochastic positions is unsure of hidden patches, and where it is wrong."""

    model: Annotated[Positional[str], arg(help=MODEL, metavar="MODEL")]
    image: Annotated[Positional[Path], arg(help="a photograph", metavar="IMAGE")]
    out: Annotated[Path, arg(help="the picture to write (PNG)")]
    contexts: Annotated[int, arg(help="number of sets of visible patches")] = 4
    draws: Annotated[int, arg(help="predictions for each set, with other random places")] = 32
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, contexts=1, draws=2)  # one draw shows no difference


def uncertainty(args: list[str]) -> None:
    """Draw where a model is unsure: foretell uncertainty MODEL IMAGE --out unsure.png (stochastic positions)."""
    from foretell import hub
    from foretell import imagine as imagining

    flags = parse(Uncertainty, args, "uncertainty")
    output("--out", flags.out, FIGURES)
    model = hub.load(flags.model)
    imagining.unsure_of_places(model)  # before the picture is read
    image = imagining.read_image(flags.image, model.config.encoder.image_size)
    found = imagining.uncertainty(model, image, contexts=flags.contexts, draws=flags.draws, seed=flags.seed)
    imagining.draw_uncertainty(found).savefig(flags.out, dpi=150)
    print(f"wrote {flags.out}")
