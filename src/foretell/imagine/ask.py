"""Ask a world model for a change, and find the picture that is nearest to its prediction.

    nearest = argmin_k ‖ p_φ(f_θ(x), a_{x→y}, every position) − f^EMA(y_k) ‖₂        IWM, arXiv:2403.00504, §4

The predictor gives latents, not pixels. So the picture is chosen from a bank of versions y_k of the same image. The
bank has the requested version, the unchanged one, the source, and others in random colours. Colour parameters ask for a
change. Grayscale, blur and solarize are done to the source, and the model is asked to undo them, as in training.

B asks · K pictures in the bank · P parameters · N patches · D width
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from foretell.actions import Parameter, PictureActions
from foretell.augment import to_float
from foretell.capabilities import Imagines, require
from foretell.data.images.decode import Unusable, decode
from foretell.errors import ForetellError, Range, check_range
from foretell.method import Method

Picture: TypeAlias = Float[Tensor, "3 S S"] | UInt8[Tensor, "3 S S"]


@dataclass(frozen=True)
class Imagined:
    """A model's answer to one ask."""

    values: dict[str, float]
    """The ask: a value for each named parameter. The others do not change."""
    source: Float[Tensor, "3 S S"]
    """x, in [0, 1]: the model's input."""
    bank: Float[Tensor, "K 3 S S"]
    """The versions that the prediction was compared with, in [0, 1]."""
    place: int
    """The place of the requested picture in the bank."""
    distances: Float[Tensor, " K"]
    """From the prediction to each version: L2 over all patches, in latent space."""
    prediction: Float[Tensor, "N D"]
    """The predicted latents. A decoder draws them (`foretell.methods.decoder`)."""

    @property
    def asked(self) -> Float[Tensor, "3 S S"]:
        """The requested version."""
        return self.bank[self.place]

    @property
    def order(self) -> Int[Tensor, " K"]:
        """The bank's places, nearest first."""
        return self.distances.argsort(stable=True)

    @property
    def nearest(self) -> Float[Tensor, "3 S S"]:
        """The version nearest to the prediction."""
        return self.bank[self.order[0]]

    @property
    def rank(self) -> int:
        """The rank of the requested version: 1 if none is nearer, about K / 2 by chance.

        Half of the versions that are exactly as near count as nearer, so that a collapsed model does not look perfect.
        """
        own = self.distances[self.place]
        return 1 + int((self.distances < own).sum()) + int((self.distances == own).sum()) // 2


def imagine(model: Method, image: Picture, values: Mapping[str, float], *, bank: int = 256, seed: int = 0) -> Imagined:
    """Ask a model for one change.

    Args:
        model: a world model with actions.
        image: uint8 or in [0, 1], S the model's image size (see `read_image`).
        values: a value for each parameter to change (see `model.actions.parameters`); {} asks for no change.
        bank: K, versions to choose from.
        seed: draws the versions in random colours.

    Raises:
        ForetellError: the model has no actions, a parameter is unknown or out of range, the image has another size, or
            the bank is too small.
    """
    return imagine_all(model, image, [values], bank, seed)[0]


def sweep(
    model: Method, image: Picture, *names: str, steps: int = 7, bank: int = 256, seed: int = 0
) -> dict[str, list[Imagined]]:
    """Ask a model for every value of a parameter, one parameter after the other.

    Args:
        model: a world model with actions.
        image: uint8 or in [0, 1], S the model's image size.
        names: parameters to sweep; none for all of the colour parameters.
        steps: values of each, evenly over its range. A switch has two.
        bank: K, versions to choose from; all asks share them.
        seed: draws the versions in random colours.

    Returns:
        Name -> the answers for its values, from low to high.

    Raises:
        ForetellError: as `imagine`.
    """
    actions = actions_of(model)
    chosen = names or [p.name for p in actions.parameters if not p.destructive]
    asks = {name: [{name: value} for value in values_over(actions.find(name)[1], steps)] for name in chosen}
    answers = iter(imagine_all(model, image, [values for row in asks.values() for values in row], bank, seed))
    return {name: [next(answers) for _ in row] for name, row in asks.items()}


@torch.no_grad()
def imagine_all(
    model: Method, image: Picture, asks: Sequence[Mapping[str, float]], bank: int = 256, seed: int = 0
) -> list[Imagined]:
    """Ask a model for several changes of one image, and compare all answers with one bank. As `imagine`."""
    world = require(model, Imagines, "imagining a change")
    actions = world.actions
    image = to_float(check_picture(image, world.config.encoder.image_size))
    device = next(model.parameters()).device

    pairs = [actions.split(values) for values in asks]
    sources, targets = torch.cat([source for source, _ in pairs]), torch.cat([target for _, target in pairs])
    named = list(dict.fromkeys(map(tuple, torch.cat([targets, sources, actions.identity(1)]).tolist())))
    check_range("bank", bank, Range(len(named)))  # it holds the pictures that are asked for
    drawn = actions.draw(torch.Generator().manual_seed(seed), bank - len(named), probability=1.0)
    states = torch.cat([torch.tensor(named), drawn])

    pictures = actions.apply(image.cpu().expand(bank, -1, -1, -1), states)
    x = actions.apply(image.cpu().expand(len(asks), -1, -1, -1), sources)
    latents = torch.cat([world.target(some.to(device)) for some in pictures.split(64)])
    actions_asked = actions.action(sources, targets)
    found = []
    for values, source, action, target in zip(asks, x, actions_asked, targets.tolist(), strict=True):
        prediction = world.imagine(source.unsqueeze(0).to(device), action.unsqueeze(0).to(device))
        distances = (latents - prediction).flatten(1).norm(dim=1).cpu()
        place = named.index(tuple(target))
        found.append(Imagined(dict(values), source, pictures, place, distances, prediction[0].cpu()))
    return found


def check_picture(image: object, side: int) -> Picture:
    """A picture that a model of this image size can look at. Raises ForetellError where it is none."""
    if isinstance(image, torch.Tensor) and image.shape == (3, side, side):
        return image
    found = tuple(image.shape) if isinstance(image, torch.Tensor) else f"a {type(image).__name__}"
    raise ForetellError(
        f"the image is {found}, but this model looks at (3, {side}, {side}): foretell.preprocess(image, model)[0] "
        "makes that"
    )


def values_over(p: Parameter, steps: int) -> list[float]:
    """Values evenly over a parameter's range, its ends included."""
    if p.switch:
        return [p.low, p.high]
    check_range("steps", steps, Range(2))
    return [round(p.low + (p.high - p.low) * i / (steps - 1), 6) for i in range(steps)]


def actions_of(model: Method) -> PictureActions:
    """The changes that a model can be told of; raises ForetellError where there are none."""
    return require(model, Imagines, "imagining a change").actions


def read_image(path: str | Path, size: int) -> UInt8[Tensor, "3 S S"]:
    """Read any image file as a model of that image size sees it: its centre square.

    Raises:
        ForetellError: the file is missing, damaged or not an image.
    """
    try:
        return torch.tensor(decode(Path(path), size))
    except Unusable as reason:
        raise ForetellError(f"{path}: {reason}") from None
