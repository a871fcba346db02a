"""Changes of a photograph, asked of a world model, as the page and its slider show them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from PIL import Image

from foretell.agents.models import ServedModels
from foretell.app.able import able_models
from foretell.app.frame import part, significant
from foretell.app.kept import png
from foretell.app.photographs import SentPhotographs
from foretell.http.refusal import Refused

if TYPE_CHECKING:
    from torch import Tensor

    from foretell.actions import Parameter, PictureActions
    from foretell.imagine import ImaginedVersion, Versions

COUNT = 64
"""Versions in random colours, from which the imagined one is chosen."""
NEAREST = 8
"""The nearest versions that are shown."""
STRIP = 7
"""Pictures of a strip."""
HELD = 16
"""Photographs whose versions stay encoded."""
PREDICTIONS = 64
"""Predictions that wait for their pictures to be asked for."""
NEAR = 5
"""Up to this rank an answer is called close."""
SLACK = 1e-3


class Asking:
    """The models that imagine, and the photographs that they have looked at. All calls but `names` run a model.

    Args:
        models: the models of the service.
        photographs: those of the visitors.
    """

    def __init__(self, models: ServedModels, photographs: SentPhotographs) -> None:
        self._models, self.photographs = models, photographs
        self._held: OrderedDict[tuple[str, str], Versions] = OrderedDict()
        self._predictions: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def names(self) -> Sequence[str]:
        """The models that imagine changes of photographs."""
        return able_models(self._models, "Imagines")

    def parameters(self, model: str) -> Sequence[Parameter]:
        """What a model can be asked to change."""
        return self._actions(model).parameters

    def values(self, model: str, asked: Mapping[str, str]) -> dict[str, float]:
        """The values of a query that change something.

        Raises:
            ForetellError: one is unknown, no number, or out of its range.
        """
        actions, values = self._actions(model), dict[str, float]()
        for name, text in asked.items():
            identity = actions.find(name)[1].identity
            try:
                value = float(text)
            except ValueError:
                raise Refused(400, f"{name} is {text!r:.40}, expected a number") from None
            if value != identity:
                values[name] = value
        actions.split(values)
        return values

    def ask(self, model: str, photo: str, values: Mapping[str, float]) -> dict[str, Any]:
        """A model's answer, with the addresses of its pictures."""
        found = self._versions(model, photo).ask(values)
        drawn = self._keep(model, photo, found) if self._models.decoder(model) else ""
        order = found.order.tolist()

        def picture(place: int) -> str:
            return address(model, photo, found.states[place].tolist())

        source = self._actions(model).split(values)[0][0].tolist()
        return {
            "values": dict(values),
            "given": address(model, photo, source),
            "asked": picture(found.place),
            "imagined": picture(order[0]),
            "decoded": drawn,
            "right": order[0] == found.place,
            "nearest": [{"picture": picture(place), "right": place == found.place} for place in order[:NEAREST]],
            "rank": found.rank,
            "of": len(order),
            "chance": (len(order) + 1) / 2,
            "distance": significant(float(found.distances[found.place])),
            "nearest_distance": significant(float(found.distances[order[0]])),
            "sentence": sentence(found),
        }

    def strip(self, model: str, photo: str, values: Mapping[str, float], over: str) -> Sequence[dict[str, Any]]:
        """The answers for values over the range of one parameter, from low to high; the others stay."""
        from foretell.imagine.ask import values_over

        parameter = self._actions(model).find(over)[1]
        steps = values_over(parameter, STRIP)
        return [{"value": value, **self.ask(model, photo, {**values, over: value})} for value in steps]

    def picture(self, model: str, photo: str, state: str) -> bytes:
        """A version of a photograph, as a PNG file. Raises Refused (404) for a state that is none."""
        import torch

        from foretell.augment import to_float

        actions = self._actions(model)
        numbers = _numbers(state, actions.parameters)
        pixels = to_float(torch.tensor(self.photographs.pixels(photo, self._size(model))))
        return _png(actions.apply(pixels.unsqueeze(0), torch.tensor([numbers]))[0])

    def decoded(self, model: str, photo: str, values: Mapping[str, float]) -> bytes:
        """A prediction as the model's decoder draws it, as a PNG file. Raises Refused (404) without a decoder."""
        import torch

        decoder = self._models.decoder(model)
        if decoder is None:
            raise Refused(404, f"{model} has no decoder: foretell decoder {model} --data DATA --out OUT trains one")
        where = drawing(model, photo, values)
        if where not in self._predictions:  # newer ones came between
            self._keep(model, photo, self._versions(model, photo).ask(values))
        with torch.no_grad():
            return _png(decoder.decode(self._predictions[where].unsqueeze(0))[0])

    def _keep(self, model: str, photo: str, found: ImaginedVersion) -> str:
        """Keep a prediction until its picture is asked for. Returns the address of that picture."""
        where = drawing(model, photo, found.values)
        self._predictions[where] = found.prediction
        while len(self._predictions) > PREDICTIONS:
            self._predictions.popitem(last=False)
        return where

    def _versions(self, model: str, photo: str) -> Versions:
        from foretell.imagine import Versions

        key = model, photo
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        import torch

        pixels = torch.tensor(self.photographs.pixels(photo, self._size(model)))
        made = Versions(self._models.load(model), pixels, COUNT)
        with self._lock:
            self._held[key] = made
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        return made

    def _actions(self, model: str) -> PictureActions:
        from foretell.imagine import actions_of

        return actions_of(self._models.load(model))

    def _size(self, model: str) -> int:
        return self._models.load(model).config.encoder.image_size


def sentence(found: ImaginedVersion) -> str:
    """An answer in words: where the version asked for ranks, and what is most wrong with the nearest one."""
    of = len(found.bank)
    if found.rank == 1:
        return f"Of {of} versions, the one asked for is the nearest: the model imagined just that."
    blame = next(iter(found.differs), "")
    wrong = f" The nearest one differs most in {blame}." if blame else ""
    others = "another is" if found.rank == 2 else "others are"
    if found.rank <= NEAR:
        return f"The version asked for is number {found.rank} of {of}: close, though {others} nearer.{wrong}"
    return f"The version asked for is number {found.rank} of {of}: this time the model imagined something else.{wrong}"


def address(model: str, photo: str, state: Sequence[float]) -> str:
    """The address of a version of a photograph."""
    return f"/imagine/picture/{part(model)}/{part(photo)}/{'_'.join(f'{number:.5g}' for number in state)}.png"


def drawing(model: str, photo: str, values: Mapping[str, float]) -> str:
    """The address of a decoded prediction."""
    return f"/imagine/decoded/{part(model)}/{part(photo)}.png?{urlencode(sorted(values.items()))}"


def _numbers(state: str, parameters: Sequence[Parameter]) -> list[float]:
    try:
        numbers = [float(text) for text in state.split("_")]
    except ValueError:
        numbers = []
    fits = len(numbers) == len(parameters)
    if not fits or not all(p.low - SLACK <= n <= p.high + SLACK for n, p in zip(numbers, parameters, strict=True)):
        raise Refused(404, f"there is no version {state!r:.80} of a photograph")
    return numbers


def _png(pixels: Tensor) -> bytes:
    values = (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return png(Image.fromarray(values))
