"""The report's pictures, as PNGs inside the page: the models' inputs, latents and answers.

N patches · D width · S pixels a side · K versions of a picture
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from foretell.augment import Parameter, to_float
from foretell.data import Batch, Images
from foretell.imagine import Imagined, imagine, sweep
from foretell.imagine.ask import actions_of, imagine_all
from foretell.jepa import JEPA
from foretell.page import uri
from foretell.views import Views, take

PHOTOGRAPH = "raccoon"
"""The photograph that is drawn: it is colourful, even at 32 pixels."""
COLUMNS = 16
"""Columns of the mosaic of versions."""


@dataclass(frozen=True)
class Answer:
    """The version nearest to a prediction, and the rank of the right version."""

    picture: str
    rank: int


@dataclass(frozen=True)
class Ask:
    """A change, and the answer of each model."""

    value: float
    given: str
    asked: str
    answers: dict[str, Answer]


@dataclass(frozen=True)
class Row:
    """A parameter and its changes at several values."""

    parameter: Parameter
    asks: list[Ask]


@dataclass(frozen=True)
class Example:
    """One change, step by step: the picture, its latent, the predicted latent, the nearest version."""

    model: str
    parameter: str
    value: float
    picture: str
    latent: str
    predicted: str
    foretold: str
    """The difference of the prediction from the latent, mean over patches."""
    came: str
    """The difference of the right version's latent from the latent."""
    shape: tuple[int, int]
    """N and D of the latents."""
    mosaic: str
    """All versions, the nearest first."""
    columns: int
    versions: int
    rank: int
    asked: str
    nearest: str


@dataclass(frozen=True)
class TrainingProblem:
    """One prediction problem as the fresh model meets it in training."""

    crop: str
    context: str
    target: str
    action: list[tuple[str, float]]
    """Name and value in [−1, 1] of each parameter."""
    predicted: str
    right: str
    loss: float


@dataclass(frozen=True)
class Drawings:
    """All of them."""

    training: TrainingProblem
    example: Example
    sweeps: list[Row]
    undone: list[Row]


def draw(models: dict[str, tuple[JEPA, Images]], seed: int) -> Drawings:
    """Ask the models, and draw.

    Args:
        models: name -> a model and the held-out photographs at its size. `fresh` was just trained; the last one is the
            best.
        seed: draws the versions of a photograph.
    """
    photographs = {name: _photograph(images) for name, (_, images) in models.items()}
    best, (model, _) = list(models.items())[-1]
    table = {p.name: p for p in actions_of(model).parameters}
    colours = [p for p in table.values() if not p.destructive]
    destructive = [p for p in table.values() if p.destructive]
    darker = {"brightness": round((table["brightness"].low + table["brightness"].identity) / 2, 2)}
    swept, undone = {}, {}
    for name, (each, _) in models.items():
        swept[name] = sweep(each, photographs[name], *(p.name for p in colours), steps=5, seed=seed)
        undone[name] = imagine_all(each, photographs[name], [{p.name: p.high} for p in destructive], seed=seed)
    return Drawings(
        training=_training(models["fresh"][0], photographs["fresh"], seed),
        example=_example(best, model, imagine(model, photographs[best], darker, seed=seed)),
        sweeps=[
            Row(p, [_ask(asks) for asks in _columns({name: rows[p.name] for name, rows in swept.items()})])
            for p in colours
        ],
        undone=[Row(p, [_ask(asks)]) for p, asks in zip(destructive, _columns(undone), strict=True)],
    )


def _photograph(images: Images) -> Float[Tensor, "3 S S"]:
    """The first crop of `PHOTOGRAPH`, or the first crop of all if that is missing."""
    first = 0
    if images.labels is not None and PHOTOGRAPH in images.classes:
        first = int((images.labels == images.classes.index(PHOTOGRAPH)).int().argmax())
    return to_float(images.take([first]))[0]


def _columns(rows: dict[str, list[Imagined]]) -> Iterator[dict[str, Imagined]]:
    """Turn a row for each model into the answers of all models, change by change."""
    for column in zip(*rows.values(), strict=True):
        yield dict(zip(rows, column, strict=True))


def _ask(answers: dict[str, Imagined]) -> Ask:
    one = next(iter(answers.values()))
    return Ask(
        value=next(iter(one.values.values())),
        given=png(one.source),
        asked=png(one.asked),
        answers={name: Answer(png(each.nearest), each.rank) for name, each in answers.items()},
    )


@torch.no_grad()
def _example(name: str, model: JEPA, one: Imagined) -> Example:
    """A change of one colour parameter, drawn step by step."""
    actions = actions_of(model)
    ((asked, value),) = one.values.items()
    device = next(model.parameters()).device
    x = one.source.unsqueeze(0).to(device)
    action = actions.action(actions.identity(1), actions.parse(one.values)).to(device)
    latent, right = model.target(torch.stack([one.source, one.asked]).to(device))
    predicted = model.imagine(x, action)[0]
    foretold, came = ((there - latent).mean(0, keepdim=True) for there in (predicted, right))
    return Example(
        model=name,
        parameter=asked,
        value=value,
        picture=png(one.source),
        latent=numbers(latent),
        predicted=numbers(predicted),
        foretold=numbers(foretold / came.std()),
        came=numbers(came / came.std()),
        shape=(latent.shape[0], latent.shape[1]),
        mosaic=mosaic(one.bank[one.order]),
        columns=COLUMNS,
        versions=len(one.bank),
        rank=one.rank,
        asked=png(one.asked),
        nearest=png(one.nearest),
    )


@torch.no_grad()
def _training(model: JEPA, picture: Float[Tensor, "3 S S"], seed: int) -> TrainingProblem:
    """The problem with the largest action, of several made from one picture."""
    device = next(model.parameters()).device
    pixels = (picture * 255).round().byte().expand(32, -1, -1, -1).to(device)
    views = model.views(Batch(pixels=pixels), torch.Generator().manual_seed(seed))
    assert views.action is not None
    views = _only(views, int(views.action.abs().sum(1).argmax()))
    assert views.action is not None
    predicted = model.predict(
        model.encode(views.context, views.context_index),
        views.context_index,
        views.target_index,
        views.action,
    )
    right = take(model.target(views.target), views.target_index)
    return TrainingProblem(
        crop=png(picture),
        context=png(_masked(views.context[0], views.context_index[0], model.context_encoder.config.patch_size)),
        target=png(views.target[0]),
        action=list(zip(actions_of(model).names, views.action[0].tolist(), strict=True)),
        predicted=numbers(predicted[0, 0]),
        right=numbers(right[0, 0]),
        loss=model(views).item(),
    )


def _only(views: Views, i: int) -> Views:
    """One problem of a batch."""
    action = None if views.action is None else views.action[i : i + 1]
    return Views(
        views.context[i : i + 1],
        views.target[i : i + 1],
        views.context_index[i : i + 1],
        views.target_index[i : i + 1],
        action,
    )


def _masked(picture: Float[Tensor, "3 S S"], visible: Tensor, patch: int) -> Float[Tensor, "3 S S"]:
    """The picture with its hidden patches in light grey."""
    side = picture.shape[-1] // patch
    seen = torch.zeros(side * side, dtype=torch.bool, device=picture.device)
    seen[visible] = True
    seen = seen.view(side, side).repeat_interleave(patch, 0).repeat_interleave(patch, 1)
    return torch.where(seen, picture, 0.91)


def png(picture: Float[Tensor, "3 H W"]) -> str:
    """A picture in [0, 1] as a data URI."""
    values = (picture.cpu() * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return uri(Image.fromarray(values))


def numbers(latent: Float[Tensor, "N D"]) -> str:
    """Numbers as a data URI of coloured cells, a row for each patch: blue below 0, white at 0, orange above."""
    share = (latent.cpu().float() / 2.5).clamp(-1, 1).unsqueeze(0)
    ends = torch.tensor([[0.13, 0.36, 0.62], [0.85, 0.44, 0.11]]).view(2, 3, 1, 1)
    colour = torch.where(share < 0, ends[0], ends[1])
    return png(1 - share.abs() * (1 - colour))


def mosaic(versions: Float[Tensor, "K 3 S S"], cell: int = 16) -> str:
    """Small pictures in rows, as a data URI."""
    rows = -(-len(versions) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * cell, rows * cell), "white")
    for i, version in enumerate(versions):
        values = (version * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
        small = Image.fromarray(values).resize((cell, cell), Image.Resampling.BOX)
        canvas.paste(small, (i % COLUMNS * cell, i // COLUMNS * cell))
    return uri(canvas)
