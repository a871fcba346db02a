"""The protocol of a measure: its name, its needs, its computation, and the display of its numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Shaped
from torch import Tensor

from foretell.capabilities import require
from foretell.errors import ForetellError
from foretell.evaluate.subject import Subject

NO_LABELS = (
    "Probes need labels of two classes or more: put the files of each class into a folder with its name, "
    "or list 'path label' for videos."
)


@dataclass(frozen=True)
class Result:
    """The result of a measure."""

    numbers: dict[str, Any]
    """Plain numbers by name, ready for JSON. The table is read off them, too."""
    per_image: Shaped[Tensor, " m"] | None = None
    """The score of each test image in [0, 1], for a measure that is the mean of such. It is then also measured of what
    learned nothing, and the difference is told with an interval."""


@dataclass(frozen=True)
class Line:
    """A line of the table, which shows some numbers of a result."""

    title: str
    numbers: Mapping[str, Any] | None = None
    """`value`, and where there are: `of` (the most it can be), `low` and `high`, `chance`, and of what learned nothing
    `untrained` and `pixels`, a `value` each. None for a heading."""
    form: str = "{:.1%}"
    """The format of a number."""


class Measure(ABC):
    """One way to measure a model. A subclass is a file in `foretell.evaluate.measures` and an entry in its list."""

    name: ClassVar[str]
    """The name of its numbers in the report."""
    title: ClassVar[str]
    """Its name for people."""
    section: ClassVar[str] = "features"
    """Measures of one section stand together in the table."""
    needs: ClassVar[tuple[type, ...]] = ()
    """The capabilities that the model needs, see `foretell.capabilities`."""
    labels: ClassVar[bool] = False
    """Whether images must have labels."""

    def lacks(self, subject: Subject) -> str | None:
        """Why this measure does not apply, in a sentence; None where it does."""
        if self.labels and subject.labels is None:
            return NO_LABELS
        for need in self.needs:
            try:
                require(subject.model, need, self.title)
            except ForetellError as error:
                return str(error)
        return None

    @abstractmethod
    def run(self, subject: Subject) -> Result:
        """Measure a model to which it applies."""

    @abstractmethod
    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """The lines that show the numbers of a result."""
