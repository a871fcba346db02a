"""How well the predictor knows the effect of an action. Mean reciprocal rank and hits@k (IWM, arXiv:2403.00504, §4).

A photograph gets a bank of 256 augmented targets. The predictor gets the latent of the photograph
itself, nothing masked, and the action that leads to one of them, and predicts every patch. The targets are
ranked by their distance to the prediction, and the rank of the right one, 1 at best, is scored by its
reciprocal.

A predictor that ignores the action has the score of chance, H_256 / 256 = 0.024. Its prediction is the same for every
element, and all elements have the same distribution. So a prediction of "nothing changes" also has the score of chance,
at any distance.

I images · B elements of a bank · Q queries an image · S sources · P parameters · N patches · D width
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from foretell.actions import PictureActions
from foretell.augment import to_float
from foretell.capabilities import Imagines, Predicts, able, require
from foretell.data import Pictures
from foretell.errors import ForetellError
from foretell.evaluate.encode import Device, evaluating
from foretell.evaluate.intervals import bootstrap
from foretell.evaluate.measure import Line, Measure, Result
from foretell.evaluate.subject import Subject
from foretell.method import Method, fresh, unrelated
from foretell.progress import watched

HITS = (1, 5, 10)
MEASURES = ("value", *(f"hits@{k}" for k in HITS))
ALL = "all"
"""The row of the headline."""


@dataclass(frozen=True)
class MRR(Measure):
    """How well a world model ranks its predictions. The settings are those of `mrr`."""

    name: ClassVar[str] = "mrr"
    title: ClassVar[str] = "mean reciprocal rank (MRR)"
    section: ClassVar[str] = "predictions"
    needs: ClassVar[tuple[type, ...]] = (Imagines, Predicts)

    bank: int = 256
    images: int = 64
    queries: int = 16

    def run(self, subject: Subject) -> Result:
        """Rank predictions on test images."""
        found = mrr(
            subject.model,
            subject.test,
            bank=self.bank,
            images=self.images,
            queries=self.queries,
            seed=subject.seed,
            device=subject.device,
            progress=subject.bar("Ranking predictions"),
        )
        assert found is not None, "the model has actions and a trained predictor"
        return Result(found)

    def lines(self, numbers: dict[str, Any]) -> Sequence[Line]:
        """The headline, its hits, and a line for each parameter of an action."""
        return list(_lines(numbers))


def _lines(numbers: dict[str, Any]) -> Iterator[Line]:
    form, control = "{:.3f}", numbers["untrained"]
    yield Line(f"MRR among {numbers['bank']}", numbers, form)
    for k in HITS:
        hit = f"hits@{k}"
        yield Line(hit, {"value": numbers[hit], "untrained": {"value": control[hit]}} | numbers["intervals"][hit], form)
    direction = None
    for name, row in numbers["per_action"].items():
        if row["direction"] != direction:
            direction = row["direction"]
            yield Line(f"MRR, {direction}")
        yield Line(f"  {name}", row | {"untrained": control["per_action"][name]}, form)


def mrr(
    model: Method,
    photographs: Pictures,
    *,
    bank: int = 256,
    images: int = 64,
    queries: int = 16,
    batch: int = 64,
    seed: int = 0,
    device: Device = None,
    drawn_from: PictureActions | None = None,
    progress: str | None = None,
) -> dict[str, Any] | None:
    """Rank a world model's predictions.

    The headline's bank is drawn from the targets' distribution: colour jitter. Every element is jittered, so that no
    two are the same picture. With the training's probability, every fifth would be the photograph itself.

    A row for every parameter the model was trained on stands in `per_action`:
    - jitter, "clean to jittered": a bank in which only this parameter varies, over its range, the others at
      their identity. Neighbours in it are closer than in the headline's, so this is not its share of the
      headline.
    - destructive, "destroyed to jittered": targets never have it. So the source is the destroyed photograph (a blur's
      strength is drawn from the model's range). The action undoes this and jitters. The bank is the headline's.

    `untrained` is the control: the same encoders with a freshly initialised predictor, its output as it
    comes. With fresh encoders it would be asked to rank other latents.

    Ties are broken at random, in expectation. Let b elements be strictly nearer than the right one, and t equally near,
    itself included. Then the score is the mean of 1/(b+1) … 1/(b+t). Without ties this is 1 over the rank; with a
    collapsed encoder, to which all elements are one, it is chance and not 1. The same holds for pictures that a
    parameter does not change, such as the saturation of a grey photograph.

    The headline's bank is encoded once for all its rows. Rows with a bank of their own, and `untrained`, take the first
    quarter of the images. So the whole costs less than two and a half times the headline.

    Args:
        model: one that predicts and imagines; encodes sources by `encode`, targets by `target`.
        photographs: whole pictures, at a size the encoder takes.
        bank: elements of a bank.
        images: photographs to ask about, drawn from `photographs`; at most all.
        queries: the number of queried elements of each bank, drawn at random; at most all.
        batch: pictures or predictions at a time. It bounds the memory and does not change the random draws.
        seed: draws photographs, banks, queries, the fresh predictor and the intervals' resamples.
        device: the device to compute on; None for the model's. The random draws are the same on all.
        drawn_from: strengths of the banks' jitter; None for the model's own. Among strongly jittered pictures the
            right one is easier to find, so models of different strengths are compared on the same.
        progress: the name of the work on a progress bar; None for no bar.

    Returns:
        None for a model without actions or without a trained predictor; for others, ready for JSON:

        - `value`, `low`, `high`, `chance`: the MRR, its 95 % interval (bootstrap over images), and chance's.
        - `hits@1`, `hits@5`, `hits@10`: how often the right one is among the k nearest. `intervals` holds
            `low`, `high` and `chance` of each.
        - `bank`, `images`, `queries`: the numbers used.
        - `per_action`: {name: a row with all of the first two items, `direction` and `images`}.
        - `untrained`: a row of the same kind for the control, with its own `per_action`.

    Raises:
        ForetellError: no photographs, or latents that are not finite numbers.
    """
    if not (able(model, Imagines) and able(model, Predicts)):
        return None
    world = require(model, Predicts, "MRR")
    assert world.actions is not None, "a model that imagines has actions"
    if not len(photographs):
        raise ForetellError("there are no photographs to rank predictions on")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(photographs), generator=generator)[:images]
    images, queries, few = len(chosen), min(queries, bank), ceil(len(chosen) / 4)
    # at random places, so that nothing that depends on the place alone can look like skill
    asked = torch.rand(images, bank, generator=generator).argsort(1)[:, :queries]
    banks = _draw(drawn_from or world.actions, images, bank, generator)

    parameters = world.actions.parameters
    scores: dict[tuple[str, str], list[Tensor]] = defaultdict(list)
    with evaluating(model, device) as device:
        blank = require(fresh(model, unrelated(seed)).to(device).eval(), Predicts, "MRR")
        predictors = {"trained": world, "untrained": blank}
        for i in watched(range(images), progress):
            photograph = to_float(photographs.take(chosen[i : i + 1]).to(device))
            who = predictors if i < few else {"trained": world}
            for one in banks if i < few else banks[:1]:
                distances = _distances(who, photograph, one.at(i, device), asked[i].to(device), batch)
                for (predictor, source), measured in distances.items():
                    scores[predictor, source].append(score(measured.cpu(), asked[i]).mean(0))

    def rows(predictor: str) -> dict[str, Any]:
        found = {s: torch.stack(each) for (p, s), each in scores.items() if p == predictor}
        per_action = {
            p.name: _row(found[p.name], bank, seed)
            | {"direction": "destroyed to jittered" if p.destructive else "clean to jittered"}
            for p in parameters
            if p.name in found
        }
        return _row(found[ALL], bank, seed) | {"per_action": per_action}

    return rows("trained") | {"bank": bank, "queries": queries, "untrained": rows("untrained")}


def score(distances: Float[Tensor, "Q B"], right: Int[Tensor, " Q"]) -> Float[Tensor, "Q 4"]:
    """Reciprocal rank, hits@1, hits@5 and hits@10 of each query, ties broken at random in expectation.

    Args:
        distances: from each prediction to each element of the bank.
        right: the element each prediction is for.
    """
    own = distances.gather(1, right.unsqueeze(1))
    nearer, tied = (distances < own).sum(1), (distances == own).sum(1)
    harmonic = torch.cat([torch.zeros(1), torch.arange(1.0, distances.shape[1] + 1).double().reciprocal().cumsum(0)])
    reciprocal = (harmonic[nearer + tied] - harmonic[nearer]) / tied
    hits = [((k - nearer) / tied).clamp(0, 1) for k in HITS]
    return torch.stack([reciprocal, *hits], 1).float()


@dataclass(frozen=True)
class _Bank:
    """A bank's elements, and the sources of the queries."""

    elements: Float[Tensor, "*I B P"]
    sources: dict[str, Float[Tensor, "*I P"]]

    def at(self, i: int, device: torch.device) -> _Bank:
        """The bank of one image."""
        return _Bank(self.elements[i].to(device), {name: s[i].to(device) for name, s in self.sources.items()})


def _draw(actions: PictureActions, images: int, bank: int, generator: torch.Generator) -> list[_Bank]:
    """All banks of all images, the headline's first; drawn at once, so that no batch size changes them."""
    clean = actions.identity(images)
    destroyed = actions.destroy(generator, clean, certain=True)
    headline = actions.draw(generator, images * bank, probability=1.0).unflatten(0, (images, bank))
    sources, own = {ALL: clean}, []
    for column, p in enumerate(actions.parameters):
        if p.destructive and p.probability > 0:
            sources[p.name] = clean.clone()
            sources[p.name][:, column] = destroyed[:, column]
        elif not p.destructive and p.high > p.low:
            elements = clean.unsqueeze(1).repeat(1, bank, 1)
            elements[..., column].uniform_(p.low, p.high, generator=generator)
            own.append(_Bank(elements, {p.name: clean}))
    return [_Bank(headline, sources), *own]


def _distances(
    predictors: dict[str, Predicts],
    photograph: Float[Tensor, "1 3 H W"],
    bank: _Bank,
    asked: Int[Tensor, " Q"],
    batch: int,
) -> dict[tuple[str, str], Float[Tensor, "Q B"]]:
    """Squared distances of predictions, by predictor and source, to every element of a bank."""
    model = predictors["trained"]
    actions = model.actions
    assert actions is not None
    states = torch.stack(list(bank.sources.values()))
    sources = actions.apply(photograph.expand(len(states), -1, -1, -1), states)
    s_x, grid = model.encode(sources), model.patch_encoder.grid(sources)
    source = torch.arange(len(states), device=states.device).repeat_interleave(len(asked))
    action = actions.action(states[source], bank.elements[asked].repeat(len(states), 1))
    prediction = torch.cat(
        [
            predictor.predict(s_x[s], action=a, grid=grid)[:, 0]
            for predictor in predictors.values()
            for s, a in zip(source.split(batch), action.split(batch), strict=True)
        ]
    )
    columns = []
    for some in bank.elements.split(batch):
        target = model.target(actions.apply(photograph.expand(len(some), -1, -1, -1), some))
        columns.append(_squared(prediction, target))
    distances = torch.cat(columns, 1)
    if not distances.isfinite().all():
        raise ForetellError(
            "the model predicts latents that are not finite numbers: its training diverged, take an earlier checkpoint"
        )
    keys = [(predictor, name) for predictor in predictors for name in bank.sources]
    return dict(zip(keys, distances.unflatten(0, (len(keys), len(asked))), strict=True))


def _squared(a: Float[Tensor, "n N D"], b: Float[Tensor, "m N D"]) -> Float[Tensor, "n m"]:
    """Squared L2 distances of flattened latents, from differences and not from products: near ties matter.

    A patch at a time, summed over patches after: ten times more exact than one sum over N·D, to 3e-7 of
    itself.
    """
    patches = torch.cdist(a.transpose(0, 1), b.float().transpose(0, 1), compute_mode="donot_use_mm_for_euclid_dist")
    return patches.square().sum(0)


def _row(per_image: Float[Tensor, "n 4"], bank: int, seed: int) -> dict[str, Any]:
    """The measures of one source and one bank."""
    low, high = bootstrap(per_image, torch.Generator().manual_seed(seed))
    chance = [sum(1 / k for k in range(1, bank + 1)) / bank, *(min(k, bank) / bank for k in HITS)]
    mean = per_image.mean(0).tolist()
    interval = [{"low": a, "high": b, "chance": c} for a, b, c in zip(low.tolist(), high.tolist(), chance, strict=True)]
    measures = dict(zip(MEASURES, mean, strict=True)) | interval[0]
    return measures | {
        "intervals": dict(zip(MEASURES[1:], interval[1:], strict=True)),
        "images": len(per_image),
    }
