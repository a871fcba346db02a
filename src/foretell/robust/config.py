"""How a group-robust classifier is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal, get_args

import numpy as np

from foretell.errors import COUNT, NOT_NEGATIVE, POSITIVE, SEED, SHARE, SIZE, ForetellError, within
from foretell.robust.twins import Kind

Name = Literal["erm", "groupdro", "rwg", "subg", "irm", "jtt", "lff", "eiil", "dfr"]
ALGORITHMS: tuple[Name, ...] = get_args(Name)


@dataclass(frozen=True)
class RobustConfig:
    """How a classifier is trained."""

    algorithm: Name = "groupdro"
    network: Kind | None = None
    """Of vectors; a model that is finetuned has its own. None: `linear`, and of the command `mlp` for colormnist."""
    width: int = 390
    """Hidden width of `mlp`, which has two hidden layers."""
    bias: bool = True
    """Whether layers have one."""
    steps: int = 1001
    every: int = 50
    """Steps between two looks at the validation groups: the best look is kept."""
    optimizer: Literal["sgd", "adam"] | None = None
    """None: `adam` for `mlp`, and `sgd` otherwise."""
    lr: float = 1e-3
    batch: int = 64
    weight_decay: float = 1e-4
    momentum: float = 0.9
    """Of `sgd`."""
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
        known("algorithm", self.algorithm, ALGORITHMS)
        if self.network is not None:
            known("network", self.network, get_args(Kind))
        if self.optimizer is not None:
            known("optimizer", self.optimizer, ("sgd", "adam"))
        within(self, width=SIZE, steps=COUNT, every=COUNT, batch=COUNT, seed=SEED, anneal=NOT_NEGATIVE, momentum=SHARE)
        within(self, lr=POSITIVE, weight_decay=NOT_NEGATIVE, eta=NOT_NEGATIVE, penalty=NOT_NEGATIVE, times=POSITIVE)

    @property
    def rule(self) -> Literal["sgd", "adam"]:
        """The optimizer: what `optimizer` says, or goes with `network`."""
        return self.optimizer or ("adam" if self.network == "mlp" else "sgd")


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


def known(what: str, name: str, names: tuple[str, ...]) -> None:
    """Refuse a name that is not among those there are.

    Raises:
        ForetellError: the message has the nearest name, if one is near.
    """
    if name in names:
        return
    near = get_close_matches(name.lower(), names, 1)
    advice = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(names)}"
    raise ForetellError(f"{what} is {name!r}, which is not known; {advice}")
