"""The page that shows what a model sees in a picture: its latents as colours, attention, error, and what masks hide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from PIL import Image

from foretell.agents.models import ServedModels
from foretell.agents.see import IMAGES
from foretell.app import session
from foretell.app.able import able_models, chosen, look
from foretell.app.asking import Asking
from foretell.app.door import check_key
from foretell.app.frame import field, gone_to, part, sent_bytes, shown, significant
from foretell.app.kept import png
from foretell.app.photographs import samples
from foretell.http.work import unless_left
from foretell.search.serve.call import Call

if TYPE_CHECKING:
    from torch import Tensor

FIRST = "cat"
MASKS = 3
"""Masks that are shown; more are measured."""
LADDER = ((20, 24, 46), (84, 34, 110), (183, 55, 121), (251, 135, 97), (252, 253, 191))
"""Colours of a map, from low to high: dark to light, so that they are told apart without seeing colours."""
UNKNOWN, COVER = 128, 0.82
"""The grey of a patch that was never hidden, and of one that is."""

router = APIRouter()


@router.get("/see")
async def page(
    request: Request,
    model: Annotated[str, Query(max_length=200)] = "",
    photo: Annotated[str, Query(max_length=100)] = FIRST,
) -> Response:
    """Show what a model sees in a photograph."""

    def run() -> dict[str, Any]:
        names = image_models(request.app.state.models)
        by = chosen(model, names, "sees pictures", IMAGES)
        told = {"models": names, "model": by, "photo": photo, "samples": list(samples())}
        return told | _seen(request, by, photo)

    return shown(request, "see", **await look(request, run))


@router.post("/see")
async def send(request: Request) -> Response:
    """Take a photograph of a visitor with a key."""
    return await take_photograph(request, "/see")


async def take_photograph(request: Request, page: str) -> Response:
    """Keep a photograph of a visitor with a key, and go to a page that shows it."""
    await session.check_form(request)
    call = Call(request)
    check_key(call)
    file, _ = await sent_bytes(request, "photograph", "a photograph of at most {} MB")
    model = field(await request.form(), "model", 200)
    asking: Asking = request.app.state.asking
    sizes = await look(request, partial(image_sizes, request.app.state.models))
    decoding = call.work.pictures.run(lambda: {size: call.readers.still(file, size) for size in sizes}, call.who)
    name = asking.photographs.keep(await unless_left(request.receive, decoding))
    return gone_to(f"{page}?photo={part(name)}" + (f"&model={part(model)}" if model else ""))


def image_models(models: ServedModels) -> Sequence[str]:
    """The models that see pictures patch by patch."""
    return list(_sizes(models))


def image_sizes(models: ServedModels) -> set[int]:
    """The image sizes of these models."""
    return set(_sizes(models).values())


@lru_cache(maxsize=64)
def _sizes(models: ServedModels) -> Mapping[str, int]:
    """The image size of each. Kept, as few models stay in memory and every visit asks."""
    found = {}
    for name in able_models(models, "EncodesPatches"):
        model = models.load(name)
        if len(model.patch_encoder.patch) == 2:
            found[name] = model.config.encoder.image_size
    return found


def _seen(request: Request, model: str, photo: str) -> dict[str, Any]:
    """The maps of a photograph, with the addresses of their pictures."""
    import torch

    from foretell import imagine
    from foretell.capabilities import Predicts, able

    models, kept = request.app.state.models, request.app.state.kept
    loaded = models.load(model)
    asking: Asking = request.app.state.asking
    pixels = torch.tensor(asking.photographs.pixels(photo, loaded.config.encoder.image_size))

    def keep(picture: np.ndarray) -> str:
        return kept.keep(_png(picture), "image/png")

    seen = imagine.see(loaded, pixels)
    image = pixels.permute(1, 2, 0).numpy()
    told: dict[str, Any] = {"given": keep(image), "colours": keep(_bytes(seen.colours.numpy())), "masks": []}
    told["maps"] = [
        _map("attention", "the share of all attention that a patch gets, in the last block", seen.attention, keep)
    ]
    told["predicts"] = able(loaded, Predicts) is not None
    if not told["predicts"]:
        return told
    found = imagine.hide(loaded, pixels)
    told["maps"] += [
        _map(
            "error",
            "how far the prediction of a patch is off when it is hidden, the mean over many masks",
            found.wrong,
            keep,
        ),
        _map("uncertainty", "how much this prediction changes with what else is visible", found.unsure, keep),
    ]
    decoder = models.decoder(model)
    drawn = None
    if decoder is not None:
        with torch.no_grad():
            drawn = decoder.decode(found.latents[:MASKS]).permute(0, 2, 3, 1).numpy()
    for number in range(min(MASKS, len(found.hidden))):
        side = image.shape[0] // found.hidden.shape[1]
        cover = found.hidden[number].numpy().repeat(side, 0).repeat(side, 1)[..., None]
        mask = {"hidden": keep(np.where(cover, np.uint8(255 * COVER), image)), "imagined": ""}
        if drawn is not None:
            mask["imagined"] = keep(np.where(cover, _bytes(drawn[number]), image))
        told["masks"].append(mask)
    told["share"] = f"{float(found.hidden.float().mean()):.0%}".replace("%", " %")
    return told


def _map(name: str, meaning: str, values: Tensor, keep: Callable[[np.ndarray], str]) -> Mapping[str, str]:
    """A map of patches in colours, with its range."""
    numbers = values.numpy()
    known = np.isfinite(numbers)
    low, high = (float(numbers[known].min()), float(numbers[known].max())) if known.any() else (0.0, 0.0)
    shares = np.where(known, (numbers - low) / max(high - low, 1e-12), 0.0)
    steps = np.linspace(0, 1, len(LADDER))
    channels = [np.interp(shares, steps, [colour[c] for colour in LADDER]) for c in range(3)]
    picture = np.where(known[..., None], np.stack(channels, -1), UNKNOWN).round().astype(np.uint8)
    return {
        "name": name,
        "meaning": meaning,
        "picture": keep(picture),
        "low": significant(low),
        "high": significant(high),
    }


def _bytes(shares: np.ndarray) -> np.ndarray:
    return (shares * 255).round().astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    return png(Image.fromarray(np.ascontiguousarray(pixels)))
