"""A family of official weights, for `foretell.hub.official`."""

from collections.abc import Callable
from dataclasses import dataclass

from foretell.hub.official.found import Found
from foretell.jepa import JEPA


@dataclass(frozen=True)
class Family:
    """A way to lay out a model's weights in files."""

    name: str
    """As people know it."""
    recognise: Callable[[Found], bool]
    """Tells from the content, not from the file's name, whether weights are of this family."""
    load: Callable[[Found], JEPA]
    """Builds the model they hold; raises ForetellError with an account of every key that is missing, unexpected or of
    another shape."""
