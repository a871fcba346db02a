"""A family of official weights, for `foretell.hub.official`."""

from collections.abc import Callable
from dataclasses import dataclass

from foretell.hub.official.found import FoundWeights
from foretell.method import Method


@dataclass(frozen=True)
class Family:
    """A way to lay out a model's weights in files."""

    name: str
    """As people know it."""
    recognise: Callable[[FoundWeights], bool]
    """Tells from the content, not from the file's name, whether weights are of this family."""
    load: Callable[[FoundWeights], Method]
    """Builds the model they hold; raises ForetellError with an account of every key that is missing, unexpected or of
    another shape."""
