"""The papers' own sizes, counted without a weight in memory, beside published numbers; the table of docs/scale.md.

python -m benchmarks.sizes
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import table
from foretell.method import parameters
from foretell.methods.decoder import blank
from foretell.recipes import RECIPES
from foretell.train.cost import META, skeleton, step_cost


class Published(NamedTuple):
    """What others say of an encoder."""

    parameters: float | None
    """In millions."""
    products: float | None
    """Multiplications, each with an addition, of all patches of one picture or clip: thousands of millions."""
    source: str


PUBLISHED = {
    "ijepa-vitb16": Published(86.6, 17.56, "torchvision, vit_b_16 with class token and head"),
    "ijepa-vitl16": Published(304.3, 61.55, "torchvision, vit_l_16 with class token and head"),
    "ijepa-vith14": Published(632.0, 167.29, "torchvision, vit_h_14 with class token and head"),
    "vjepa-vitl16": Published(305, 597, "VideoMAE (arXiv:2203.12602), of the same ViT-L with a head"),
    "vjepa-vith16": Published(633, 1192, "VideoMAE, of the same ViT-H with a head"),
    "vjepa2-vitg": Published(1012, None, "the released file has 1,034.6, with the predictor's 22.4"),
    "vjepa2-vitg-384": Published(1012, None, "the same"),
}


class Size(NamedTuple):
    """What is counted here."""

    parameters: float
    """Of the encoder, in millions."""
    products: float
    """As of `Published`."""
    step: float
    """PFLOP of a training step, forward and backward."""


def counted(name: str) -> Size:
    """The numbers of a recipe."""
    recipe = RECIPES[name]()
    model = skeleton(recipe.model)
    encoder = model.context_encoder
    x = torch.empty(1, 3, *blank(encoder.config), device=META)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder(x)
    step = step_cost(model, recipe.train)
    return Size(parameters(encoder) / 1e6, counter.get_total_flops() / 2e9, step.flops / 1e15)


def row(name: str) -> list[str]:
    """A row of the table."""
    size, said = counted(name), PUBLISHED[name]
    pairs = ((size.parameters, said.parameters, 1), (size.products, said.products, 1))
    cells = [
        text for own, other, digits in pairs for text in (f"{own:,.{digits}f}", "–" if other is None else f"{other:,}")
    ]
    return [f"`{name}`", *cells, f"{size.step:.3g}", said.source]


def main() -> None:
    """Print the table."""
    table(
        ["recipe", "encoder, M", "published", "10⁹ products", "published", "PFLOP a step", "source"],
        [row(name) for name in PUBLISHED],
    )


if __name__ == "__main__":
    main()
