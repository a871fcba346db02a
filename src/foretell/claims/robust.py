"""Whether environments that nobody annotated save the worst group (XRM, arXiv:2309.16748), at a small scale.

N rows
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from foretell import hub
from foretell.claims.claim import Arm, Claim, Data, Expect, Experiment, Values
from foretell.claims.measures import some
from foretell.claims.scale import ENCODER, LEARNER, TRAIN, ijepa, iwm
from foretell.data import GroupedPhotographs, Images, Photographs
from foretell.data.images.grouped import GroupedImages
from foretell.data.made.colormnist import VARIANTS, Noise, coloured, digits
from foretell.evaluate import features
from foretell.method import Method, fresh
from foretell.methods import SimCLRConfig
from foretell.recipes import Recipe
from foretell.robust import xrm
from foretell.robust.config import Name, RobustConfig, drawn
from foretell.robust.discovery import purity
from foretell.robust.groups import column, labels
from foretell.robust.learn import choose
from foretell.robust.rows import held_out
from foretell.robust.table import Table, accuracies
from foretell.robust.twins import Settings, TwinConfig

PAPER = "Pezeshki et al. 2024, arXiv:2309.16748"
Groups = Literal["xrm", "human", "label"]
"""What an algorithm is told, and what chooses its settings: environments that XRM found, those that people gave, or the
class alone.
"""


@dataclass(frozen=True)
class Setting:
    """How classifiers and twins are trained: the networks, and how many settings are drawn for each."""

    config: RobustConfig
    twins: TwinConfig
    draws: int
    """0 for the rate, the batch and the decay of `config`, in both phases."""

    def of_twins(self, seed: int) -> list[Settings]:
        """What twins are trained with."""
        config = self.config
        drawn_by = xrm.drawn(self.draws, seed, self.twins.network)
        return drawn_by or [Settings(config.lr, config.batch, config.weight_decay)]

    def of_classifiers(self, algorithm: Name, seed: int) -> list[RobustConfig]:
        """What classifiers are trained with."""
        config = replace(self.config, algorithm=algorithm, seed=seed)
        return drawn(self.draws, config, seed) or [config]


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
        As `trained`; of XRM also the `flip rate`.
    """
    train = known.train
    held, values = held_out(train.y, seed), {}
    environment = train.environment if groups == "human" else torch.zeros_like(train.y)
    if groups == "xrm":
        best = max(draws(known, setting, seed, held), key=lambda run: run.flip_rate)
        environment, values = best.environment, {"flip rate": best.flip_rate}
    return trained(known, setting, seed, held, environment, algorithm) | values


def draws(known: Known, setting: Setting, seed: int, held: Bool[Tensor, " N"]) -> list[xrm.Run]:
    """Twins of every draw."""
    x, y = known.train.x, known.train.y
    assert isinstance(x, Tensor)
    settings = setting.of_twins(seed)
    return xrm.train(x, y, settings, [seed] * len(settings), setting.twins, validation=held, progress="Discovering")


def trained(
    known: Known,
    setting: Setting,
    seed: int,
    held: Bool[Tensor, " N"],
    environment: Int[Tensor, " N"],
    algorithm: Name,
) -> Values:
    """Train with these environments; the worst of their validation groups chooses among draws.

    Returns:
        The worst group's accuracy by each of the test set's groups, the `average`, and the environments' `purity`.
    """
    table = replace(known.train, environment=environment)
    settings = setting.of_classifiers(algorithm, seed)
    best = choose(table.some(~held), table.some(held), settings, progress="Training")
    reports = {name: accuracies(best.network, test) for name, test in known.tests.items()}
    worst = {name: report["worst_group"]["value"] for name, report in reports.items()}
    average = reports["worst group"]["average"]["value"]
    return worst | {"average": average, "purity": purity(table.y, environment, known.group)["value"]}


# --- ColorMNIST

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

# --- our Waterbirds

BACKGROUNDS, MODEL, SIDE = "backgrounds:6000", "iwm-mini", 32
FEATURES = Setting(RobustConfig(), TwinConfig(steps=1001), draws=4)
GROUNDS = (
    f"animals before grounds ({BACKGROUNDS}), which go together in 95 % of the pictures to learn from and in half of "
    "those to test on"
)
LINEAR = f"one linear layer, SGD, 1,001 steps in each phase; {FEATURES.draws} draws in each phase, of the seed itself"


SMOKE = Setting(
    RobustConfig(bias=False, steps=3000, every=50, lr=1e-2, batch=100_000, weight_decay=0.0, momentum=0.0, eta=0.1),
    TwinConfig(bias=False, steps=3000, momentum=0.0),
    draws=0,
)


def on_features(
    model: Method,
    data: Data[GroupedImages],
    seed: int,
    *,
    groups: Groups = "xrm",
    algorithm: Name = "groupdro",
    learned: bool = True,
    setting: Setting = FEATURES,
) -> Values:
    """`saved` on a model's features; `learned=False`: of a model of its kind before training."""
    return saved(vectors(model if learned else fresh(model, seed).eval(), data), setting, seed, groups, algorithm)


def vectors(model: Method, data: Data[GroupedImages]) -> Known:
    """Features, to mean 0 and deviation 1 over the training rows."""
    train, test = (_features(model, images) for images in (data.train, data.test))
    mean, deviation = train.mean(0), train.std(0).clamp(min=1e-6)
    known, asked = (
        Table((x - mean) / deviation, labels(images, "this data"), column(images, "group").of)
        for x, images in ((train, data.train), (test, data.test))
    )
    return Known(known, known.environment, {"worst group": asked})


@lru_cache(maxsize=4)
def _features(model: Method, images: GroupedImages) -> Tensor:
    return features(model, images, progress="Encoding")


@lru_cache(maxsize=1)
def _shipped() -> Method:
    return hub.load(MODEL)


def on_backgrounds(
    data: Data[GroupedImages], seed: int, *, groups: Groups = "xrm", algorithm: Name = "groupdro"
) -> Values:
    """`saved` on features of a shipped model."""
    return on_features(_shipped(), data, seed, groups=groups, algorithm=algorithm)


def whole_batches(data: Data[GroupedImages], seed: int, *, groups: Groups = "xrm") -> Values:
    """The same with settings of the released code's shortest script."""
    return on_features(_shipped(), data, seed, groups=groups, setting=SMOKE)


def best_draw(data: Data[GroupedImages], seed: int) -> Values:
    """Of all draws of twins, the one whose environments give the best worst group of the test set."""
    known = vectors(_shipped(), data)
    held = held_out(known.train.y, seed)
    tried = (
        trained(known, FEATURES, seed, held, run.environment, "groupdro") | {"flip rate": run.flip_rate}
        for run in draws(known, FEATURES, seed, held)
    )
    return max(tried, key=lambda values: values["worst group"])


def grounds(**how: Any) -> Experiment:
    """A way to train on animals before grounds."""
    return Experiment(GroupedPhotographs(SIDE), partial(on_backgrounds, **how))


WATERBIRDS = Claim(
    name="xrm-backgrounds",
    finding="XRM's environments save the worst group as well as people's, where ERM, JTT and LfF lose it.",
    source=f"{PAPER}, table of Waterbirds",
    paper="Waterbirds, worst group: XRM and GroupDRO 88.1; published by others: human groups 91.4, JTT 86.7, ERM 74.9",
    scale=f"{GROUNDS}; features of {MODEL}; {LINEAR}",
    arms={
        "XRM": grounds(),
        "human": grounds(groups="human"),
        "ERM": grounds(groups="label", algorithm="erm"),
        "JTT": grounds(groups="label", algorithm="jtt"),
        "LfF": grounds(groups="label", algorithm="lff"),
    },
    expects=(
        Expect("worst group", "XRM", "human", by=-0.03),
        *(Expect("worst group", "XRM", other, by=0.1) for other in ("ERM", "JTT", "LfF")),
        Expect("purity", "XRM", "ERM", by=0.03),
    ),
    remark="ERM, JTT and LfF know no groups: the worst class chooses their settings. Purity is the share of rows whose "
    "ground is the commonest of their class and environment; without environments it is 0.957, of XRM at most 1.",
    data=BACKGROUNDS,
)

WHOLE = Claim(
    name="xrm-smoke",
    finding="One linear layer and whole batches suffice: XRM's environments do as well as people's.",
    source=f"{PAPER}; the released code, quick_run.py",
    paper="Waterbirds, features of a ResNet-50, seed 0, worst group by GroupDRO: classes 0.62, human 0.86, XRM 0.86",
    scale=f"{GROUNDS}; features of {MODEL}; one linear layer without bias, from zero; SGD at 0.01 without momentum, "
    "3,000 steps of all rows in each phase; η = 0.1",
    arms={
        name: Experiment(GroupedPhotographs(SIDE), partial(whole_batches, groups=groups))
        for name, groups in (("XRM", "xrm"), ("human", "human"), ("classes", "label"))
    },
    expects=(
        Expect("worst group", "XRM", "human", by=-0.03),
        Expect("worst group", "XRM", "classes", by=0.1),
    ),
    remark="Waterbirds and its features cannot be had here: this is the script's shape on our own pictures, and no "
    "test of its three numbers.",
    data=BACKGROUNDS,
)

FLIPS = Claim(
    name="xrm-flips",
    finding="The flip rate, which asks for no annotation, picks environments as good as the best that were drawn.",
    source=f"{PAPER}, §4",
    paper="the flip rate and the worst group go together over draws",
    scale=WATERBIRDS.scale,
    arms={"most flips": grounds(), "best draw": Experiment(GroupedPhotographs(SIDE), best_draw)},
    expects=(Expect("worst group", "most flips", "best draw", by=-0.03),),
    data=BACKGROUNDS,
)

# --- do self-supervised features inherit the shortcut?

FAST = replace(TRAIN, optimizer="muon", lr=3e-3, momentum=0.99)
LEARNERS = {
    "IWM equivariant": iwm(FAST),
    "IWM invariant": iwm(FAST, conditioning="none"),
    "I-JEPA": replace(ijepa(), train=FAST),
    "SimCLR": Recipe(SimCLRConfig(encoder=LEARNER, temperature=0.5), FAST),
}
"""One encoder, four ways to learn it."""
WAYS: dict[str, dict[str, Any]] = {
    "ERM": {"groups": "label", "algorithm": "erm"},
    "XRM": {},
    "human": {"groups": "human"},
    "untrained, human": {"groups": "human", "learned": False},
}


def learner(recipe: Recipe, **how: Any) -> Arm:
    """A classifier on a model of a recipe."""
    return Arm(recipe, partial(on_features, **how), GroupedPhotographs(ENCODER.image_size))


INHERITED = Claim(
    name="xrm-features",
    finding="Self-supervised features hold the shortcut and the cause: ERM loses the worst group, and XRM saves it.",
    source="ours",
    paper="none",
    scale=f"{GROUNDS}; 24 pixels; encoder 128 × 4, {FAST.steps:,} steps of {FAST.batch} of these pictures by Muon; "
    f"{LINEAR}",
    arms={f"{name}, {way}": learner(recipe, **how) for name, recipe in LEARNERS.items() for way, how in WAYS.items()},
    expects=(
        *(Expect("worst group", f"{name}, human", f"{name}, untrained, human") for name in LEARNERS),
        *(Expect("worst group", f"{name}, XRM", f"{name}, ERM", by=0.1) for name in LEARNERS),
        *(Expect("worst group", f"{name}, XRM", f"{name}, human", by=-0.03) for name in LEARNERS),
    ),
    remark="A model that is no better than an untrained one has learned nothing of use here, whatever else it shows.",
    data=BACKGROUNDS,
)

CLAIMS = (COLORMNIST, INVERSE, WATERBIRDS, WHOLE, FLIPS, INHERITED)
