"""Ask a world model for many changes of one picture, one after the other, as a slider does.

As `foretell.imagine.ask`, but the versions in random colours are drawn and encoded once. An ask then costs four passes:
of the source, of the prediction, and of the versions that it names.

K versions · P parameters
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float

from foretell.augment import to_float
from foretell.capabilities import Imagines, require
from foretell.errors import Range, check_range
from foretell.imagine.ask import Imagined, Picture, check_picture
from foretell.method import Method


@dataclass(frozen=True)
class ImaginedVersion(Imagined):
    """A model's answer to one ask, with the states of all versions."""

    states: Float[torch.Tensor, "K P"]
    """How each picture of the bank was made."""
    parameters: tuple[str, ...]
    """The names of the columns of `states`."""
    ranges: Float[torch.Tensor, " P"]
    """From the lowest to the highest value of each parameter."""

    @property
    def differs(self) -> dict[str, float]:
        """How the nearest version differs from the requested one, in parts of each parameter's range: largest first.

        Empty where they are the same.
        """
        apart = (self.states[self.order[0]] - self.states[self.place]) / self.ranges
        found = {name: value for name, value in zip(self.parameters, apart.tolist(), strict=True) if abs(value) > 1e-6}
        return dict(sorted(found.items(), key=lambda each: -abs(each[1])))


class Versions:
    """A picture and its versions, encoded by a model.

    Args:
        model: a world model with actions.
        image: uint8 or in [0, 1], S the model's image size (see `read_image`).
        count: versions in random colours.
        seed: draws them.

    Raises:
        ForetellError: the model has no actions, or the image has another size.
    """

    @torch.no_grad()
    def __init__(self, model: Method, image: Picture, count: int = 64, seed: int = 0) -> None:
        self._world = require(model, Imagines, "imagining a change")
        check_range("count", count, Range(1))
        self._image = to_float(check_picture(image, self._world.config.encoder.image_size)).cpu()
        self._device = next(model.parameters()).device
        self.actions = self._world.actions
        drawn = self.actions.draw(torch.Generator().manual_seed(seed), count, probability=1.0)
        self._states = torch.cat([self.actions.identity(1), drawn])
        self._pictures = self.actions.apply(self._image.expand(count + 1, -1, -1, -1), self._states)
        self._latents = torch.cat([self._world.target(some.to(self._device)) for some in self._pictures.split(64)])

    @torch.no_grad()
    def ask(self, values: Mapping[str, float]) -> ImaginedVersion:
        """Ask for one change: a value for each parameter to change; {} asks for no change.

        The bank has the requested version, the source, the unchanged picture, and those in random colours.

        Raises:
            ForetellError: a parameter is unknown or out of range.
        """
        source, target = self.actions.split(values)
        named = [state for state in dict.fromkeys(map(tuple, torch.cat([target, source]).tolist()))]
        kept = 1 if tuple(self._states[0].tolist()) in named else 0  # the unchanged picture must not be there twice
        states = torch.tensor(named)
        pictures = self.actions.apply(self._image.expand(len(named), -1, -1, -1), states)
        x = pictures[named.index(tuple(source[0].tolist()))].unsqueeze(0)
        prediction = self._world.imagine(x.to(self._device), self.actions.action(source, target).to(self._device))
        latents = torch.cat([self._world.target(pictures.to(self._device)), self._latents[kept:]])
        return ImaginedVersion(
            values=dict(values),
            source=x[0],
            bank=torch.cat([pictures, self._pictures[kept:]]),
            place=0,
            distances=(latents - prediction).flatten(1).norm(dim=1).cpu(),
            prediction=prediction[0].cpu(),
            states=torch.cat([states, self._states[kept:]]),
            parameters=self.actions.names,
            ranges=torch.tensor([p.high - p.low for p in self.actions.parameters]),
        )
