"""The actions of a model: named numbers with units and ranges.

An *action space* is a table of parameters. A command line, a slider or a search query can be made from the table alone,
without knowing which method uses it. An action space of pictures can also draw states, and make pictures in them.

- A *state* θ [B, P] says how each picture was made, or where each thing stands: a column for each parameter.
- An *action* a [B, P] is the way from one state to another.

B batch · P parameters · H rows · W columns
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from foretell.errors import ForetellError

Pixels: TypeAlias = Float[Tensor, "B 3 H W"]
"""Pictures in [0, 1]."""
States: TypeAlias = Float[Tensor, "B P"]
"""States or actions, a row for each picture."""


@dataclass(frozen=True)
class Parameter:
    """One number of a state."""

    name: str
    unit: str
    low: float
    high: float
    identity: float
    """The value that changes nothing."""
    destructive: bool
    """Whether the change loses information. Sources may carry it, targets never do: it can only be undone."""
    help: str
    probability: float = 1.0
    """The chance that training draws another value than the identity. With 0 the model has never seen a change."""

    @property
    def switch(self) -> bool:
        """Whether the parameter is either off or on."""
        return self.unit == "off or on"


@runtime_checkable
class ActionSpace(Protocol):
    """The numbers that a model can be told. A subclass says which; the rest follows from the table."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """The columns of a state, in order."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of a state's columns."""
        return tuple(p.name for p in self.parameters)

    def identity(self, batch: int, device: torch.device | str = "cpu") -> States:
        """The state in which nothing has changed, once for each of a batch."""
        return torch.tensor([p.identity for p in self.parameters], device=device).repeat(batch, 1)

    def parse(self, values: Mapping[str, float]) -> Float[Tensor, "1 P"]:
        """Make a state of named values. A parameter that is not named stays at its identity.

        Raises:
            ForetellError: a name is unknown, or a value is outside the parameter's range.
        """
        state = self.identity(1)
        for name, value in values.items():
            column, p = self.find(name)
            if not p.low <= value <= p.high:
                raise ForetellError(f"{name} is {value:g}, but this model learned {p.low:g} to {p.high:g} ({p.unit})")
            state[0, column] = value
        return state

    def find(self, name: str) -> tuple[int, Parameter]:
        """The column of a parameter, and the parameter.

        Raises:
            ForetellError: there is no parameter of that name.
        """
        if name not in self.names:
            raise ForetellError(f"{name!r} is not a parameter of this model; it has {', '.join(self.names)}")
        column = self.names.index(name)
        return column, self.parameters[column]


@runtime_checkable
class PictureActions(ActionSpace, Protocol):
    """Actions between two versions of a picture: the states of versions can be drawn, and pictures made in them."""

    @abstractmethod
    def draw(self, generator: torch.Generator, batch: int, probability: float | None = None) -> States:
        """Draw states of targets. They carry no destructive change.

        Args:
            generator: source of chance; its device is the result's.
            batch: B.
            probability: chance that a picture is changed at all; None for the chance in training.
        """
        ...

    @abstractmethod
    def destroy(self, generator: torch.Generator, states: States, certain: bool = False) -> States:
        """Add destructive changes to states, as training does to sources.

        Args:
            generator: source of chance, on the states' device.
            states: from `draw` or `identity`; they are not changed.
            certain: whether each destructive change is made to every picture, and not by its probability.
        """
        ...

    @abstractmethod
    def action(self, source: States, target: States) -> States:
        """The way from the source's state to the target's, scaled as the predictor learns it. Zeros: no change."""
        ...

    @abstractmethod
    def apply(self, images: Pixels, states: States) -> Pixels:
        """Make pictures in the given states."""
        ...

    def split(self, values: Mapping[str, float]) -> tuple[Float[Tensor, "1 P"], Float[Tensor, "1 P"]]:
        """An ask in named values, as the states of source and target.

        A destructive change is made to the source, and the model is asked to undo it. All others ask for a change.

        Raises:
            ForetellError: as `parse`.
        """
        asked, clean = self.parse(values), self.identity(1)
        destructive = torch.tensor([p.destructive for p in self.parameters])
        return torch.where(destructive, asked, clean), torch.where(destructive, clean, asked)


@dataclass(frozen=True)
class Steps(ActionSpace):
    """The action of one step of time: numbers around 0, each within a limit. 0 is "no action"."""

    limits: tuple[float, ...]
    """The largest change along each axis, in the unit of the data."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """One parameter for each axis, named by its number from 1."""
        return tuple(
            Parameter(f"action_{n}", "from the data", -limit, limit, 0.0, False, f"change along axis {n}; 0 leaves it")
            for n, limit in enumerate(self.limits, 1)
        )
