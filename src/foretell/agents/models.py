"""The models that agents may use: the shipped ones, and those that the service was started with."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretell import shipped
from foretell.errors import ForetellError
from foretell.http.work import Work

if TYPE_CHECKING:
    from foretell.methods.decoder import LatentDecoder

LOADED = 4
"""The number of models that stay in memory."""
WAITING = 64
"""The number of calls that may wait for a model, half of them of one visitor: a page asks for a dozen pictures at once.
More are refused."""


class ServedModels:
    """Models by the names that agents call them.

    Args:
        own: names or folders that `foretell.load` takes, besides the shipped models. A folder is called by its last
            part.

    Raises:
        ForetellError: two models would have one name.
    """

    def __init__(self, own: Sequence[str] = ()) -> None:
        self._places: dict[str, str] = {name: name for name in shipped.models()}
        for place in own:
            name = Path(place).name or place
            if name in self._places and self._places[name] != place:
                raise ForetellError(f"two models are called {name!r}: rename the folder of one")
            self._places[name] = place
        self.work = Work(WAITING, writers=1)  # the models run one by one, and no search waits for them
        self._lock = threading.Lock()
        self._load = lru_cache(maxsize=LOADED)(_load)
        self._decoders: dict[str, LatentDecoder | None] = {}

    @property
    def names(self) -> Sequence[str]:
        """All names."""
        return sorted(self._places)

    def load(self, name: str) -> Any:
        """A model, loaded.

        Raises:
            ForetellError: there is none of this name, or it cannot be loaded.
        """
        if name not in self._places:
            raise ForetellError(f"model is {name!r:.80}, expected one of {', '.join(self.names)}")
        with self._lock:
            return self._load(self._places[name])

    def decoder(self, name: str) -> LatentDecoder | None:
        """The decoder that draws a model's latents; None where it has none. Raises ForetellError as `load`."""
        model = self.load(name)
        with self._lock:
            if name not in self._decoders:
                self._decoders[name] = _decoder(model, self._places[name])
            return self._decoders[name]

    def close(self) -> None:
        """Wait for the running call."""
        self.work.close()


def _load(place: str) -> Any:
    from foretell import hub  # brings torch, which takes seconds

    return hub.load(place)


def _decoder(model: Any, place: str) -> LatentDecoder | None:
    from foretell.hub.decoders import decoder_of

    return decoder_of(model, place)


def abilities(model: Any) -> Mapping[str, Any]:
    """What a model can do, for an agent."""
    from foretell.capabilities import Answers, EncodesText, Foresees, Imagines, able

    tools = {
        "imagine_change": able(model, Imagines) is not None,
        "measure_surprise": able(model, Foresees) is not None,
        "label_picture": able(model, EncodesText) is not None,
        "ask_about_pictures": able(model, Answers) is not None,
    }
    told: dict[str, Any] = {"tools": [name for name, can in tools.items() if can]}
    if tools["imagine_change"]:
        told["changes"] = {
            p.name: {
                "low": round(p.low, 6),
                "high": round(p.high, 6),
                "unchanged": p.identity,
                "unit": p.unit,
                "meaning": p.help,
                "asked_of_the_model": "to undo it" if p.destructive else "to do it",
            }
            for p in model.actions.parameters
        }
    if tools["ask_about_pictures"]:
        told["pictures_at_most"] = model.config.pictures
    if tools["measure_surprise"]:
        told["frames_needed"] = model.config.encoder.frames
    return told
