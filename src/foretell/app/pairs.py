"""The gallery of possible and impossible clips. The visitor guesses first; then the model's surprise is told."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from foretell.app.able import look
from foretell.app.chart import plot
from foretell.app.clips import FRAMES, SECONDS, SHOWN, curve_of, mp4, video_models
from foretell.app.frame import shown, significant
from foretell.extras import needed

SEED = 11
"""Of the pairs."""
MOST = 10_000
SIDES = ("left", "right")

LeftOrRight = Literal["left", "right"]

router = APIRouter()


class PairToGuess(NamedTuple):
    """A possible and an impossible clip, in an order by chance."""

    property: str
    direction: str
    impossible: LeftOrRight
    revealed: float
    """When the two begin to differ, in seconds."""
    small: np.ndarray
    """uint8 [2, T, 3, S, S]: left and right, S the model's size."""
    large: np.ndarray
    """uint8 [2, T, 3, H, H]."""


@router.get("/see/pairs")
async def page(
    request: Request,
    n: Annotated[int, Query(ge=0, lt=MOST)] = 0,
    guess: LeftOrRight | None = None,
    right: Annotated[int, Query(ge=0, le=MOST)] = 0,
    of: Annotated[int, Query(ge=0, le=MOST)] = 0,
) -> Response:
    """Show a pair, and after a guess what is true and what the model says."""

    def run() -> dict[str, Any]:
        models, kept = request.app.state.models, request.app.state.kept
        _, model = video_models(models)
        size = models.load(model).config.encoder.image_size if model else 32
        pair = drawn_pair(n, size)
        told: dict[str, Any] = {"n": n, "guess": guess, "pair": pair, "model": model, "right": right, "of": of}
        told["clips"] = [
            (side, kept.keep(mp4(clip, FRAMES / SECONDS), "video/mp4"))
            for side, clip in zip(SIDES, pair.large, strict=True)
        ]
        if guess is not None:
            told |= {"right": right + (guess == pair.impossible), "of": of + 1, "chart": None}
            if model:
                told |= _judged(models.load(model), model, pair)
        return told

    return shown(request, "pairs", **await look(request, run))


@lru_cache(maxsize=16)
def drawn_pair(n: int, size: int) -> PairToGuess:
    """Pair number `n`, for a model of this image size: properties take turns, in view and behind a screen.

    Raises:
        MissingExtra: pymunk is not installed.
    """
    needed("pymunk", "scenes")
    from foretell.data.made.scenes import PROPERTIES, pairs

    names = list(PROPERTIES)
    property, hidden, number = names[n % len(names)], n // len(names) % 2 == 1, n // (2 * len(names))
    chance = sha256(f"pair {SEED} {n}".encode()).digest()
    which, side = chance[0] % 2, SIDES[chance[1] % 2]
    made = [pairs(property, 2, SEED, hidden=hidden, size=each, start=2 * number) for each in (size, SHOWN)]
    ordered = [
        np.stack([each.impossible.pixels[which], each.possible.pixels[which]][:: 1 if side == "left" else -1])
        for each in made
    ]
    last = made[-1]
    revealed = float(last.revealed[which]) / (FRAMES / SECONDS)
    return PairToGuess(property, last.direction[which], side, revealed, *ordered)


def _judged(loaded: Any, model: str, pair: PairToGuess) -> dict[str, Any]:
    """What a model says of a pair."""
    import torch

    from foretell.surprise import surprise

    found = surprise(loaded, torch.from_numpy(pair.small).transpose(1, 2))
    scores = dict(zip(SIDES, found.relative().tolist(), strict=True))
    other = SIDES[1 - SIDES.index(pair.impossible)]
    agrees = scores[pair.impossible] > scores[other]
    verb = "would have guessed it, too" if agrees else "would have guessed wrong"
    told = f"{significant(scores[pair.impossible])} at the impossible clip, {significant(scores[other])} at the other"
    curves = {
        f"run{0 if side == pair.impossible else 1}": (
            f"{side}, {'impossible' if side == pair.impossible else 'possible'}",
            curve_of(found, FRAMES / SECONDS, number),
        )
        for number, side in enumerate(SIDES)
    }
    return {
        "verdict": f"{model} {verb}: its surprise is {told}.",
        "chart": plot("Surprise", curves, marked=True, end=SECONDS, unit="s"),
    }
