"""Whether environments that nobody annotated save the worst group (XRM, arXiv:2309.16748), at a small scale.

N rows
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from foretell.claims.claim import Claim, Data, Expect, Procedure, Values
from foretell.claims.measures import some
from foretell.data import Images, Photographs
from foretell.data.made.colormnist import VARIANTS, Noise, coloured
from foretell.errors import ForetellError
from foretell.robust import xrm
from foretell.robust.config import Name, RobustConfig, drawn
from foretell.robust.discovery import held_out, purity
from foretell.robust.learn import choose
from foretell.robust.table import Table, accuracies
from foretell.robust.twins import TwinConfig

PAPER = "Pezeshki et al. 2024, arXiv:2309.16748"
Groups = Literal["xrm", "human", "label"]
"""What an algorithm is told, and what chooses its settings: environments that XRM found, those that people gave, or the
class alone.
"""


@dataclass(frozen=True)
class Setting:
    """How many draws, and of what."""

    config: RobustConfig
    twins: TwinConfig
    draws: int
    """Settings to draw, of twins and of classifiers alike."""


@dataclass(frozen=True)
class Known:
    """Rows to learn from, and what people say of them."""

    train: Table
    """With the environments that people gave."""
    group: Int[Tensor, " N"]
    """Whether the shortcut goes with the label, for purity."""
    tests: dict[str, Table]
    """The test set with groups that are measured, by the measure's name; `worst group` is among them."""


def saved(known: Known, setting: Setting, seed: int, groups: Groups, algorithm: Name) -> Values:
    """Train with some groups, and measure the worst group of the test set.

    Returns:
        The worst group's accuracy by each of `tests`, and the `average`; of XRM also `flip rate`, the `purity` of its
        environments, and `purity without` them.
    """
    train = known.train
    held = held_out(train.y, seed)
    environment, values = train.environment, {}
    if groups == "label":
        environment = torch.zeros_like(train.y)
    if groups == "xrm":
        environment, values = found(known, setting, seed, held)
    table = replace(train, environment=environment)
    settings = drawn(setting.draws, replace(setting.config, algorithm=algorithm, seed=seed), seed)
    best = choose(table.some(~held), table.some(held), settings, progress="Training")
    reports = {name: accuracies(best.network, test) for name, test in known.tests.items()}
    worst = {name: report["worst_group"]["value"] for name, report in reports.items()}
    return worst | {"average": reports["worst group"]["average"]["value"]} | values


def found(known: Known, setting: Setting, seed: int, held: Bool[Tensor, " N"]) -> tuple[Int[Tensor, " N"], Values]:
    """The environments of the draw with the most flips, and what is to be said of them."""
    x, y = known.train.x, known.train.y
    assert isinstance(x, Tensor)
    settings = xrm.drawn(setting.draws, seed, setting.twins.network)
    runs = xrm.train(x, y, settings, [seed] * len(settings), setting.twins, validation=held, progress="Discovering")
    best = max(runs, key=lambda run: run.flip_rate)
    pure = purity(y, best.environment, known.group)
    values = {"flip rate": best.flip_rate, "purity": pure["value"], "purity without": pure["without"]}
    return best.environment, values


# --- ColorMNIST

ROWS, DRAWS = 20_000, 5
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
    if images.labels is None or not set(images.classes) <= set("0123456789"):
        raise ForetellError("this claim colours digits: expected MNIST, with the classes 0 to 9")
    digit = np.array([int(name) for name in images.classes])[images.labels.numpy()]
    made = coloured(images.take(range(len(images)))[:, 0].numpy(), digit, noise, seed)
    x, y, colour = (torch.from_numpy(made[name]) for name in ("features", "labels", "groups"))
    return Table(x, y, torch.arange(len(y)) % 2), colour


def colours(**how: Any) -> Procedure:
    """A way to train on coloured digits."""
    return Procedure(Photographs(28), partial(on_colours, **how))


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
        "ERM": colours(groups="label", algorithm="erm"),
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
