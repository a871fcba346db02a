"""Which of the service's models can do something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from fastapi import Request

from foretell.agents.models import ServedModels
from foretell.errors import ForetellError
from foretell.http.refusal import Refused
from foretell.http.work import unless_left
from foretell.search.serve.call import Call

T = TypeVar("T")
ASKED: Final = ("Answers", "EncodesPatches", "Foresees", "Imagines", "Predicts")
"""The protocols of `foretell.capabilities` that pages need."""


def able_models(models: ServedModels, capability: str) -> Sequence[str]:
    """The names of the models with a capability of `ASKED`; one that cannot be loaded has none. Loads models."""
    return [name for name, found in _abilities(models).items() if capability in found]


@lru_cache(maxsize=64)
def _abilities(models: ServedModels) -> Mapping[str, Sequence[str]]:
    from foretell import capabilities

    def of(name: str) -> Sequence[str]:
        try:
            model: Any = models.load(name)
        except ForetellError:
            return ()
        return [each for each in ASKED if capabilities.able(model, getattr(capabilities, each)) is not None]

    return {name: of(name) for name in models.names}


def chosen(asked: str, names: Sequence[str], does: str, usual: str = "", advice: str = "") -> str:
    """The model that a visitor asks.

    Args:
        asked: its name; empty for the usual one.
        names: of the models that can do it.
        does: completes "expected one that …".
        usual: the usual one, where it is here; otherwise the first. Without any the answer is empty.
        advice: what to do where there is none.

    Raises:
        Refused: 404, the one that is asked for is not among them.
    """
    if asked and asked not in names:
        there = ", ".join(names) or ", ".join(("there is none", *([advice] if advice else [])))
        raise Refused(404, f"model is {asked!r:.80}, expected one that {does}: {there}")
    return asked or (usual if usual in names else next(iter(names), ""))


async def look(request: Request, run: Callable[[], T]) -> T:
    """Run a model, after all earlier calls of models. Raises Refused where too many wait, or the visitor left."""
    models: ServedModels = request.app.state.models
    return await unless_left(request.receive, models.work.write(run, Call(request).who))
