"""Train a classifier that does not fail on some groups, on a table of features, and say how each group fares.

    outcome = learn(train, validation, RobustConfig("groupdro"))
    accuracies(outcome.network, test)["worst_group"]

The worst group of the validation rows chooses settings and the step to stop at (XRM, §5; the released code). These
groups may be inferred: nobody has to annotate anything.

N rows · D width of a row · n classes · E environments
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from foretell.errors import COUNT, NOT_NEGATIVE, POSITIVE, SEED, SIZE, ForetellError, within
from foretell.evaluate.intervals import wilson
from foretell.method import seeded
from foretell.robust import algorithms
from foretell.robust.algorithms import ERM, IRM, JTT, RWG, SUBG, Algorithm, GroupDRO, Rows, generalised, harder
from foretell.robust.twins import Kind
from foretell.train.loop import batch_index, generator

Name = Literal["erm", "groupdro", "rwg", "subg", "irm", "jtt", "lff", "eiil", "dfr"]
PART = 8192
"""Rows that are asked about at a time."""
FIRST = 0.5
"""Share of the steps that the first network of JTT, EIIL and DFR learns for."""


@dataclass(frozen=True)
class Table:
    """Rows with labels and environments."""

    x: Float[Tensor, "N D"] = field(repr=False)
    y: Int[Tensor, " _"] = field(repr=False)
    """The label of each row, 0 to n − 1."""
    environment: Int[Tensor, " _"] = field(repr=False)
    """0 to E − 1; all 0 where a class is a group."""

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.y) == len(self.environment):
            raise ForetellError(
                f"found {len(self.x)} rows, {len(self.y)} labels and {len(self.environment)} environments; expected "
                "as many of each"
            )
        if not len(self.x):
            raise ForetellError("found no rows; expected one or more")

    def group(self, environments: int) -> Int[Tensor, " N"]:
        """E·class + environment."""
        return self.y * environments + self.environment


@dataclass(frozen=True)
class RobustConfig:
    """How a classifier is trained."""

    algorithm: Name = "groupdro"
    network: Kind = "linear"
    width: int = 390
    """Hidden width of `mlp`, which has two hidden layers."""
    steps: int = 1001
    every: int = 50
    """Steps between two looks at the validation groups: the best look is kept."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: float = 1e-3
    batch: int = 64
    weight_decay: float = 1e-4
    eta: float = 0.01
    """GroupDRO: how fast weights follow errors."""
    penalty: float = 100.0
    """IRM and EIIL: λ."""
    anneal: int = 500
    """IRM and EIIL: steps until λ counts in full."""
    times: float = 10.0
    """JTT: how often a row that was wrong counts."""
    seed: int = 0

    def __post_init__(self) -> None:
        within(self, width=SIZE, steps=COUNT, every=COUNT, batch=COUNT, seed=SEED, anneal=NOT_NEGATIVE)
        within(self, lr=POSITIVE, weight_decay=NOT_NEGATIVE, eta=NOT_NEGATIVE, penalty=NOT_NEGATIVE, times=POSITIVE)


def drawn(count: int, like: RobustConfig, seed: int = 0) -> list[RobustConfig]:
    """Settings as the released code draws them for ColorMNIST and images: see its table of ranges."""
    chance = np.random.default_rng([seed, 2])
    small = like.network == "mlp"
    return [
        replace(
            like,
            lr=float(10 ** chance.uniform(-5, -3)),
            batch=int(2 ** chance.uniform(*((3, 6) if small else (5, 7)))),
            weight_decay=float(10 ** chance.uniform(-6, -3)),
            eta=float(10 ** chance.uniform(-3, -1)),
            penalty=float(10 ** chance.uniform(-1, 5)),
            anneal=int(10 ** chance.uniform(0, 4)),
        )
        for _ in range(count)
    ]


@dataclass(frozen=True)
class Outcome:
    """A trained classifier."""

    network: nn.Module = field(repr=False)
    config: RobustConfig
    worst: float
    """Accuracy of the worst validation group at the step that was kept."""
    average: float
    """Accuracy over all validation rows at that step."""
    step: int
    """Which step was kept."""


def learn(train: Table, validation: Table, config: RobustConfig) -> Outcome:
    """Train by one algorithm; the returned network is that of the best look at the validation groups.

    Raises:
        ForetellError: validation rows without a class that training has, or a loss that is not finite.
    """
    E = 1 + int(max(train.environment.max(), validation.environment.max()))
    n = 1 + int(max(train.y.max(), validation.y.max()))
    if missing := set(train.y.unique().tolist()) - set(validation.y.unique().tolist()):
        raise ForetellError(
            f"no validation row is of class {min(missing)}: its groups cannot be watched, so hold some rows back"
        )
    if config.algorithm == "lff":
        return _fit_twice(train, validation, n, E, config)
    if config.algorithm == "dfr":
        return _last_layer(train, validation, n, E, config)
    algorithm, train = _algorithm(train, validation, n, E, config)
    network = built(train.x.shape[1], n, config)
    return _fit(network, algorithm, train, validation, E, config)


def choose(train: Table, validation: Table, settings: Sequence[RobustConfig]) -> Outcome:
    """The best of several settings by the worst validation group; the average breaks ties."""
    return max((learn(train, validation, one) for one in settings), key=lambda o: (o.worst, o.average))


def built(inputs: int, classes: int, config: RobustConfig) -> nn.Sequential:
    """The network, its last layer at zero."""
    sizes = [inputs, *([config.width] * 2 if config.network == "mlp" else []), classes]
    with seeded(config.seed):
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    nn.init.zeros_(layers[-1].weight)
    steps: list[nn.Module] = [layers[0]]
    for layer in layers[1:]:
        steps += [nn.ReLU(), layer]
    return nn.Sequential(*steps)


def _algorithm(train: Table, validation: Table, n: int, E: int, config: RobustConfig) -> tuple[Algorithm, Table]:
    """The algorithm, and the rows with the environments that it is told."""
    match config.algorithm:
        case "groupdro":
            return GroupDRO(n * E, config.eta), train
        case "rwg":
            return RWG(), train
        case "subg":
            return SUBG(), train
        case "irm":
            return IRM(config.penalty, config.anneal), train
        case "jtt" | "eiil":
            first = _first(train, n, config)
            logits = _logits(first, train.x)
            if config.algorithm == "jtt":
                return JTT(logits.argmax(1) != train.y, config.times), train
            found = algorithms.inferred(logits, train.y)
            return IRM(config.penalty, config.anneal), replace(train, environment=found)
        case _:
            return ERM(), train


def _first(train: Table, n: int, config: RobustConfig) -> nn.Module:
    """A network by ERM that stops early: what JTT and EIIL learn the mistakes of."""
    network = built(train.x.shape[1], n, config)
    early = replace(config, steps=max(int(FIRST * config.steps), 1))
    optimizer = _optimizer(network, early)
    for step in range(early.steps):
        _step(network, optimizer, ERM(), train, _index(train, None, step, early), 1, step)
    return network


def _fit(
    network: nn.Module, algorithm: Algorithm, train: Table, validation: Table, E: int, config: RobustConfig
) -> Outcome:
    """Steps of an algorithm, with a look at the validation groups now and then."""
    optimizer = _optimizer(network, config)
    weights = algorithm.weights(train.group(E), generator(config.seed, 0, 1, torch.device("cpu")))
    best: Outcome | None = None
    for step in range(config.steps):
        _step(network, optimizer, algorithm, train, _index(train, weights, step, config), E, step)
        best = _look(network, validation, E, config, step, best)
    assert best is not None  # there is a look at the last step
    return best


def _fit_twice(train: Table, validation: Table, n: int, E: int, config: RobustConfig) -> Outcome:
    """LfF: a biased network learns what is easy, and the other one what is harder for it."""
    biased, debiased = (built(train.x.shape[1], n, replace(config, seed=config.seed + k)) for k in (1, 0))
    optimizers = [_optimizer(network, config) for network in (biased, debiased)]
    best: Outcome | None = None
    for step in range(config.steps):
        index = _index(train, None, step, config)
        x, y = train.x[index].float(), train.y[index]
        z_b, z_d = biased(x), debiased(x)
        error = nn.functional.cross_entropy(z_d, y, reduction="none")
        cost = generalised(z_b, y) + (harder(z_b, z_d, y) * error).mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        cost.backward()
        for optimizer in optimizers:
            optimizer.step()
        best = _look(debiased, validation, E, config, step, best)
    assert best is not None
    return best


def _last_layer(train: Table, validation: Table, n: int, E: int, config: RobustConfig) -> Outcome:
    """DFR: ERM, then a new last layer from group-balanced validation rows (Kirichenko et al., arXiv:2204.02937)."""
    network = built(train.x.shape[1], n, config)
    optimizer = _optimizer(network, config)
    for step in range(config.steps):
        _step(network, optimizer, ERM(), train, _index(train, None, step, config), E, step)
    body = network[:-1]
    hidden = _logits(body, validation.x)
    head = built(hidden.shape[1], n, replace(config, network="linear"))
    balanced = replace(validation, x=hidden)
    found = _fit(head, SUBG(), balanced, balanced, E, config)
    return replace(found, network=nn.Sequential(*body, found.network))


def _index(train: Table, weights: Tensor | None, step: int, config: RobustConfig) -> Int[Tensor, " B"]:
    """Which rows a step sees: a function of the seed and the step."""
    B = min(config.batch, len(train.x))
    if weights is None:
        return batch_index(step, len(train.x), B, config.seed)
    return torch.multinomial(
        weights, B, replacement=True, generator=generator(config.seed, step, 0, torch.device("cpu"))
    )


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    algorithm: Algorithm,
    train: Table,
    index: Tensor,
    E: int,
    step: int,
) -> None:
    rows = Rows(train.y[index], train.environment[index], train.group(E)[index])
    loss = algorithm.loss(network(train.x[index].float()), rows, step)
    if not loss.isfinite():
        raise ForetellError(f"the training diverged at step {step}: its loss is {loss.item()}; learn at a lower rate")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _optimizer(network: nn.Module, config: RobustConfig) -> torch.optim.Optimizer:
    if config.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), config.lr, weight_decay=config.weight_decay)
    return torch.optim.SGD(network.parameters(), config.lr, momentum=0.9, weight_decay=config.weight_decay)


def _look(
    network: nn.Module, validation: Table, E: int, config: RobustConfig, step: int, best: Outcome | None
) -> Outcome | None:
    """Keep the network if no look before had a better worst validation group: of equal ones the last is kept."""
    if step % config.every and step != config.steps - 1:
        return best
    right = _logits(network, validation.x).argmax(1) == validation.y
    group = validation.group(E)
    by_group = torch.stack([right[group == g].float().mean() for g in group.unique()])
    worst, average = float(by_group.min()), float(right.float().mean())
    if best is not None and (worst, average) < (best.worst, best.average):
        return best
    return Outcome(deepcopy(network), config, worst, average, step)


@torch.no_grad()
def _logits(network: nn.Module, x: Float[Tensor, "N D"]) -> Float[Tensor, "N n"]:
    return torch.cat([network(some.float()) for some in x.split(PART)])


def accuracies(network: nn.Module, test: Table) -> dict[str, Any]:
    """How a classifier fares on average and in every group.

    Returns:
        `average` and `worst_group`, and `groups`: {"class/environment": …}, each {`value`, `low`, `high`, `rows`}: the
        accuracy in [0, 1], its 95 % interval (Wilson), and of how many rows.
    """
    right: Bool[Tensor, " N"] = _logits(network, test.x).argmax(1) == test.y
    groups = {
        f"{c}/{e}": _accuracy(right[(test.y == c) & (test.environment == e)])
        for c in test.y.unique().tolist()
        for e in test.environment.unique().tolist()
        if ((test.y == c) & (test.environment == e)).any()
    }
    worst = min(groups.values(), key=lambda found: found["value"])
    return {"worst_group": worst, "average": _accuracy(right), "groups": groups}


def _accuracy(right: Bool[Tensor, " N"]) -> dict[str, float]:
    low, high = wilson(int(right.sum()), len(right))
    return {"value": float(right.float().mean()), "low": low, "high": high, "rows": len(right)}
