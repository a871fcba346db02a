"""Digits whose colour goes with the label: ColorMNIST and its variants."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from foretell.claims.claim import Claim, Data, Expect, Experiment, Values
from foretell.claims.measures import some
from foretell.claims.robust.saved import PAPER, Groups, Known, Setting, saved
from foretell.data import Images, Photographs
from foretell.data.made.colormnist import VARIANTS, Noise, coloured, digits
from foretell.robust.config import Name, RobustConfig
from foretell.robust.table import Table
from foretell.robust.twins import TwinConfig

ROWS, DRAWS = 20_000, 4
COLOURS = Setting(RobustConfig(network="mlp", optimizer="adam"), TwinConfig("mlp", steps=1001, optimizer="adam"), DRAWS)
DIGITS = (
    f"{ROWS:,} digits of MNIST, a fifth of them for validation, as 14 × 14 in two colours; MLP 392-390-390-2, Adam, "
    f"1,001 steps in each phase; {DRAWS} draws in each phase, of the seed itself"
)


def on_colours(
    data: Data[Images], seed: int, *, variant: str = "colormnist", groups: Groups = "xrm", algorithm: Name = "groupdro"
) -> Values:
    """`saved` on coloured digits. Human groups are even and odd rows, in training and in the test set; the test set is
    also measured by colour, where a classifier by colour is wrong on all rows of some group.
    """
    even, odd, test = VARIANTS[variant]
    train, colour = _digits(some(data.train, ROWS, seed), (even, odd), 2 * seed)
    asked, asked_colour = _digits(data.test, (test, test), 2 * seed + 1)
    tests = {"worst group": asked, "worst by colour": replace(asked, environment=asked_colour)}
    return saved(Known(train, colour, tests), COLOURS, seed, groups, algorithm)


def _digits(images: Images, noise: tuple[Noise, Noise], seed: int) -> tuple[Table, Int[Tensor, " N"]]:
    """Coloured digits with even and odd rows as environments, and their colours."""
    made = coloured(*digits(images, "this claim colours digits"), noise, seed)
    x, y, half, colour = (torch.from_numpy(made[name]) for name in ("features", "labels", "half", "groups"))
    return Table(x, y, half), colour


def colours(**how: Any) -> Experiment:
    """A way to train on coloured digits."""
    return Experiment(Photographs(28), partial(on_colours, **how))


COLORMNIST = Claim(
    name="xrm-colormnist",
    finding="Environments that nobody annotated save the worst group where those that people gave do not.",
    source=f"{PAPER}, table of ColorMNIST",
    paper="ColorMNIST, worst group by GroupDRO: XRM 69.7, human environments 10.1",
    scale=DIGITS,
    arms={
        "XRM": colours(),
        "human": colours(groups="human"),
        "classes": colours(groups="label"),
    },
    expects=(
        Expect("worst group", "XRM", "human", by=0.4),
        Expect("worst group", "XRM", "classes", by=0.4),
        Expect("worst by colour", "XRM", "human", by=0.4),
    ),
    remark="Human groups are even and odd rows, whose colours go with the label in 80 % and in 90 % of the rows. A "
    "quarter of the labels is wrong: who knows the digit scores 0.75.",
)

INVERSE = Claim(
    name="xrm-inverse",
    finding="XRM fails where the cause is easier to learn than the shortcut: it finds rows that contradict the cause.",
    source=f"{PAPER}, InverseColorMNIST, MColor and ColorMNIST_V3",
    paper="built to fail; their numbers are not known to us",
    scale=DIGITS,
    arms={variant: colours(variant=variant) for variant in VARIANTS},
    expects=tuple(
        Expect("worst group", "colormnist", variant, by=0.1) for variant in VARIANTS if variant != "colormnist"
    ),
    remark="Each arm is XRM and GroupDRO on one data set. A classifier by the cause alone would score 0.75, 0.85, 0.85 "
    "and 0.75, in their order.",
)

CLAIMS = (COLORMNIST, INVERSE)
