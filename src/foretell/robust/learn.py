"""Train a classifier that does not fail on some groups.

    outcome = learn(train, validation, RobustConfig("groupdro"))
    accuracies(outcome.network, test)["worst_group"]

The worst group of the validation rows chooses settings and the step to stop at (XRM, §5; the released code). These
groups may be inferred: nobody has to annotate anything.

N rows · B rows of a batch · n classes · E environments
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.errors import ForetellError
from foretell.progress import watched
from foretell.robust.algorithms import (
    ERM,
    IRM,
    JTT,
    RWG,
    SUBG,
    Algorithm,
    GroupDRO,
    Rows,
    generalised,
    harder,
    inferred,
)
from foretell.robust.config import RobustConfig
from foretell.robust.networks import Layers, Networks, last_layer
from foretell.robust.table import Table, logits
from foretell.train.loop import batch_index, generator

FIRST = 0.5
"""Share of the steps that the first network of JTT and EIIL learns for."""


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


def learn(train: Table, validation: Table, config: RobustConfig, networks: Networks | None = None) -> Outcome:
    """Train by one algorithm; the returned network is that of the best look at the validation groups.

    Args:
        train: rows to learn from.
        validation: rows to watch.
        config: how.
        networks: what learns; None for layers on vectors, as `config` says.

    Raises:
        ForetellError: validation rows without a class that training has, or a loss that is not finite.
    """
    if missing := set(train.y.unique().tolist()) - set(validation.y.unique().tolist()):
        raise ForetellError(
            f"no validation row is of class {min(missing)}: its groups cannot be watched, so hold some rows back"
        )
    E = 1 + int(max(train.environment.max(), validation.environment.max()))
    n = 1 + int(max(train.y.max(), validation.y.max()))
    if networks is None:
        assert isinstance(train.x, Tensor), "pictures need networks that take them"
        networks = Layers(train.x[0].numel(), n, config)
    training = Training(train, validation, config, networks, E)
    match config.algorithm:
        case "groupdro":
            return training.fit(GroupDRO(n * E, config.eta))
        case "rwg":
            return training.fit(RWG())
        case "subg":
            return training.fit(SUBG())
        case "irm":
            return training.fit(IRM(config.penalty, config.anneal))
        case "jtt":
            return training.fit(JTT(training.first().argmax(1) != train.y, config.times))
        case "eiil":
            found = replace(train, environment=inferred(training.first(), train.y))
            return replace(training, train=found, E=max(E, 2)).fit(IRM(config.penalty, config.anneal))
        case "lff":
            return training.fit_twice()
        case "dfr":
            return training.last_layer(n)
        case "erm":
            return training.fit(ERM())


def choose(
    train: Table,
    validation: Table,
    settings: Sequence[RobustConfig],
    networks: Networks | None = None,
    *,
    progress: str | None = None,
) -> Outcome:
    """The best of several settings by the worst validation group; the average breaks ties.

    Args:
        train: rows to learn from.
        validation: rows to watch.
        settings: to try, one after the other.
        networks: as of `learn`.
        progress: what to call the work on a progress bar; None for no bar.

    Raises:
        ForetellError: as `learn`.
    """
    tried = (learn(train, validation, one, networks) for one in watched(settings, progress))
    return max(tried, key=lambda outcome: (outcome.worst, outcome.average))


class Best:
    """The weights at the best look at the validation groups: of equal looks the last.

    Args:
        network: what is looked at.
        validation: the rows to look at.
        environments: E.
    """

    def __init__(self, network: nn.Module, validation: Table, environments: int) -> None:
        self.network, self.validation, self.group = network, validation, validation.group(environments)
        self.score, self.step, self.weights = (-1.0, -1.0), 0, network.state_dict()

    def look(self, step: int) -> None:
        """Keep the weights if no look before had a better worst group, or as good a one and a better average."""
        right = (logits(self.network, self.validation).argmax(1) == self.validation.y).float()
        worst = min(right[self.group == g].mean().item() for g in self.group.unique())
        if (score := (worst, right.mean().item())) >= self.score:
            weights = {name: weight.clone() for name, weight in self.network.state_dict().items()}
            self.score, self.step, self.weights = score, step, weights

    def outcome(self, config: RobustConfig) -> Outcome:
        """The network with these weights."""
        self.network.load_state_dict(self.weights)
        return Outcome(self.network.eval(), config, *self.score, self.step)


@dataclass(frozen=True)
class Training:
    """One training: of what, on what, how."""

    train: Table
    validation: Table
    config: RobustConfig
    networks: Networks
    E: int

    def fit(self, algorithm: Algorithm) -> Outcome:
        """Steps of an algorithm, with a look at the validation groups now and then."""
        network = self.networks.make(self.config.seed)
        best = Best(network, self.validation, self.E)
        self._steps(network, algorithm, self.config.steps, best)
        return best.outcome(self.config)

    def first(self) -> Float[Tensor, "N n"]:
        """What a network by ERM that stops early says of the training rows: JTT and EIIL learn from its mistakes."""
        network = self.networks.make(self.config.seed)
        self._steps(network, ERM(), max(int(FIRST * self.config.steps), 1))
        return logits(network, self.train)

    def fit_twice(self) -> Outcome:
        """LfF: a biased network learns what is easy, and the other one what is harder for it."""
        biased, debiased = (self.networks.make(self.config.seed + k) for k in (1, 0))
        optimizers = [self._optimizer(network) for network in (biased, debiased)]
        best = Best(debiased, self.validation, self.E)
        for step in range(self.config.steps):
            index = self._index(None, step)
            y = self.train.y[index]
            z_b, z_d = (self._ask(network, index) for network in (biased, debiased))
            error = F.cross_entropy(z_d, y, reduction="none")
            self._move(generalised(z_b, y) + (harder(z_b, z_d, y) * error).mean(), optimizers, step)
            self._watch(best, step)
        return best.outcome(self.config)

    def last_layer(self, classes: int) -> Outcome:
        """DFR: ERM, then a new last layer from group-balanced validation rows (Kirichenko et al., arXiv:2204.02937).

        Half of each group's validation rows teach the layer, and the other half chooses the step.
        """
        network = self.networks.make(self.config.seed)
        self._steps(network, ERM(), self.config.steps)
        name = last_layer(network)
        old = network.get_submodule(name)
        network.set_submodule(name, nn.Identity())
        hidden = logits(network, self.validation)
        teaches = halves(self.validation.group(self.E))
        rows = replace(self.validation, x=hidden)
        linear = replace(self.config, network="linear")
        head = replace(
            self,
            train=rows.some(teaches),
            validation=rows.some(~teaches),
            networks=Layers(hidden.shape[1], classes, linear),
        ).fit(SUBG())
        assert isinstance(head.network, nn.Sequential)
        network.set_submodule(name, head.network[0].to(next(old.parameters()).device))
        return replace(head, network=network.eval(), config=self.config)

    def _steps(self, network: nn.Module, algorithm: Algorithm, steps: int, best: Best | None = None) -> None:
        optimizer, group = self._optimizer(network), self.train.group(self.E)
        weights = algorithm.weights(group, generator(self.config.seed, 0, 1))
        network.train()
        for step in range(steps):
            index = self._index(weights, step)
            rows = Rows(self.train.y[index], self.train.environment[index], group[index])
            self._move(algorithm.loss(self._ask(network, index), rows, step), [optimizer], step)
            if best is not None:
                self._watch(best, step)

    def _index(self, weights: Float[Tensor, " N"] | None, step: int) -> Int[Tensor, " B"]:
        """Which rows a step sees: a function of the seed and the step."""
        N, seed = len(self.train), self.config.seed
        B = min(self.config.batch, N)
        if weights is None:
            return batch_index(step, N, B, seed)
        return torch.multinomial(weights, B, replacement=True, generator=generator(seed, step, 0))

    def _ask(self, network: nn.Module, index: Int[Tensor, " B"]) -> Float[Tensor, "B n"]:
        """Logits on the CPU, where algorithms weigh them: they are few."""
        return network(self.train.take(index).to(next(network.parameters()).device)).float().cpu()

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        config = self.config
        groups = [
            {"params": list(part.parameters()), "lr": config.lr * share} for part, share in self.networks.rates(network)
        ]
        if config.rule == "adam":
            return torch.optim.Adam(groups, config.lr, weight_decay=config.weight_decay)
        return torch.optim.SGD(groups, config.lr, momentum=config.momentum, weight_decay=config.weight_decay)

    def _move(self, loss: Float[Tensor, ""], optimizers: Sequence[torch.optim.Optimizer], step: int) -> None:
        if not loss.isfinite():
            raise ForetellError(
                f"the training diverged at step {step}: its loss is {loss.item()}; learn at a lower rate"
            )
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()

    def _watch(self, best: Best, step: int) -> None:
        if step % self.config.every == 0 or step == self.config.steps - 1:
            best.look(step)


def halves(group: Int[Tensor, " N"]) -> Bool[Tensor, " N"]:
    """Every second row of each group, the first of them included."""
    mask = torch.zeros(len(group), dtype=torch.bool)
    for g in group.unique():
        mask[(group == g).nonzero()[::2]] = True
    return mask
