"""What all of these claims measure: the worst group after training with some environments.

N rows
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from foretell.claims.claim import Values
from foretell.robust import xrm
from foretell.robust.config import Name, RobustConfig, drawn
from foretell.robust.discovery import purity
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
