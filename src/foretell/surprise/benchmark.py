"""Does a model expect physics? It is shown pairs of possible and impossible clips, beside controls.

The clips of a pair are matched, so that the difficulty of a scene cancels. A model may still use a shortcut. So every
number stands beside those of four controls:

- the model before training
- a model that was trained to predict pixels
- the latents that were seen last, repeated
- the model itself, shown another clip's past: a score that stays is not physics

The context of each is chosen on other pairs, never on those that are scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from foretell.errors import ForetellError
from foretell.evaluate.encode import Device
from foretell.evaluate.statistics import auroc
from foretell.method import Method, fresh
from foretell.progress import watched
from foretell.surprise.carried import carried
from foretell.surprise.measure import Asked, Predict, Surprise, Targets, copied, measurable, predicted, surprises
from foretell.surprise.score import accuracy, pairwise


@dataclass(frozen=True)
class Pairs:
    """Matched clips of one physical property, n of each."""

    property: str
    possible: UInt8[Tensor, "n 3 F H W"] = field(repr=False)
    impossible: UInt8[Tensor, "n 3 F H W"] = field(repr=False)
    hidden: bool | None = None
    """Whether the violation happens out of sight; None where that is not known."""
    direction: tuple[str, ...] = ()
    """The event of each pair, if it is known: a vanishing may be found where an appearance is not."""
    also: tuple[str, ...] = ()
    """Other properties that these pairs test as well."""
    source: str = "a clip"
    """The name of the first of them in errors."""
    sets: bool = False
    """Whether pairs 2j and 2j + 1 are a set: two possible stories, and the two impossible ones their halves make."""
    moment: Int[Tensor, " n"] | None = field(default=None, repr=False)
    """For sets, if it is known: the first frame of each violation."""

    @property
    def names(self) -> tuple[str, ...]:
        """The properties, and whether they are in view."""
        where = {True: ", hidden", False: ", visible", None: ""}[self.hidden]
        return tuple(name + where for name in (self.property, *self.also))


@dataclass(frozen=True)
class Contestant:
    """A model, or something simpler that uses its latents."""

    model: Method
    predict: Predict = predicted
    shuffled: bool = False
    """Whether it is shown another pair's past instead."""


def another(n: int) -> Int[Tensor, " n"]:
    """For each of n pairs the place of another, at random, each once.

    It is not always the neighbour. Scenes and IntPhys have opposites side by side (an appearance, a vanishing): with
    the past of one, the impossible clip of the other is right.
    """
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    return torch.empty_like(order).scatter(0, order, order.roll(1))


@dataclass(frozen=True)
class PairAnswers:
    """A contestant's answers to pairs: which it told apart, and its scores of single clips. The clips are not kept."""

    names: tuple[str, ...]
    direction: tuple[str, ...]
    right: Float[Tensor, " n"]
    sets: Float[Tensor, " m"]
    """The sets that it told apart; empty if pairs come alone."""
    possible: Float[Tensor, " n"]
    impossible: Float[Tensor, " n"]
    carried: dict[str, Any] | None
    """As `foretell.surprise.carried` has it."""


def contestants(model: Method, pixels: Method | None, seed: int, baselines: bool = True) -> dict[str, Contestant]:
    """The model, its baselines, and the control with shuffled contexts."""
    found = {"model": Contestant(model), "shuffled_context": Contestant(model, shuffled=True)}
    if baselines:
        untrained = fresh(model, seed).to(next(model.parameters()).device).eval()
        found |= {"untrained": Contestant(untrained), "copy": Contestant(model, copied)}
    return found | ({"pixels": Contestant(pixels)} if pixels else {})


def benchmark(
    model: Method,
    test: Iterable[Pairs],
    validation: Iterable[Pairs],
    *,
    pixels: Method | None = None,
    baselines: bool = True,
    contexts: Sequence[int] | None = None,
    stride: int = 2,
    targets: Targets = "window",
    seed: int = 0,
    device: Device = None,
    progress: str | None = None,
) -> dict[str, Any]:
    """Score a video model and its baselines on pairs.

    Args:
        model: a video model.
        test: the pairs to score.
        validation: other pairs, which may have other properties. They choose each contestant's context: one length, or
            the mean of all. They are not looked at where `contexts` are given.
        pixels: a model trained to predict pixels with the same budget; None leaves that baseline out.
        baselines: whether to score `untrained` and `copy`, too: half of the work.
        contexts: see `surprise`; of several the mean is scored.
        stride: see `surprise`.
        targets: see `surprise`; `carried` always takes whole windows.
        seed: draws the untrained model.
        device: the device to compute on; None for the model's.
        progress: the name of the work on a progress bar.

    Returns:
        JSON types.

        - `accuracy`: {`value`, `low`, `high`, `pairs`, `sets`, `auroc`, `directions`, `per_property`} over all pairs.
            `per_property` has the same for each property, hidden and visible apart. Scenes also have `carried`, see
            `foretell.surprise.carried`.
        - its `sets`: {`value`, `low`, `high`, `pairs`}. A set is two pairs, the halves of two stories. It counts when
            its impossible clips together are the more surprising, so that a clip's own difficulty cancels. It is
            IntPhys' relative score (Riochet et al. 2018, arXiv:1803.07616), and None if pairs come alone.
        - `auroc`: single clips, told apart by their largest surprise.
        - `baselines`: {`untrained`, `copy`, `pixels`}, each as `accuracy`.
        - `shuffled_context`: as `accuracy`. It leaves out a pair that comes alone, which has no other's past to show,
            and is None if no pair is left.
        - `contexts`: the context that was chosen for each, or given; None is the mean of all.

    Raises:
        ForetellError: there are no pairs, or as `surprise`.
    """
    test = iter(test)
    if (first := next(test, None)) is None:  # an error should not come after minutes of choosing
        raise ForetellError("there are no pairs of clips to score")
    measurable(model, first.possible.shape[2], contexts, first.source)
    asked = contestants(model, pixels, seed, baselines)
    ask = partial(_asked, asked, device=device, contexts=contexts, stride=stride, targets=targets)
    if contexts:  # nothing is left to choose
        chosen: dict[str, int | None] = dict.fromkeys(asked, contexts[0] if len(contexts) == 1 else None)
    else:
        chosen = _choose(asked, map(ask, watched(validation, progress and "Choosing contexts")))
    answers: dict[str, list[PairAnswers]] = {name: [] for name in asked}
    for pairs in watched(chain([first], test), progress):
        measurable(model, pairs.possible.shape[2], contexts, pairs.source)
        for name, both in ask(pairs).items():
            answers[name].append(_answers(pairs, both, chosen[name], _carried(asked[name], pairs, device)))
    found, control = _scored(answers.pop("model")), answers.pop("shuffled_context")
    return {
        "accuracy": found,
        "auroc": found["auroc"],
        "baselines": {name: _scored(told) for name, told in answers.items()},
        "shuffled_context": _scored(control) if control else None,
        "contexts": chosen,
    }


def _asked(contestants: Mapping[str, Contestant], pairs: Pairs, **how: Any) -> dict[str, tuple[Surprise, Surprise]]:
    """The surprise of possible and impossible clips for the model and each control. Without another pair there is no
    shuffled context.
    """
    twins = torch.stack([pairs.possible, pairs.impossible], 1)
    others = torch.arange(2 * len(twins)).view(-1, 2)[another(len(twins))].flatten()  # from another pair, on its side
    said = {}
    for model in dict.fromkeys(one.model for one in contestants.values()):
        here = {name: one for name, one in contestants.items() if one.model is model}
        if len(twins) == 1:
            here = {name: one for name, one in here.items() if not one.shuffled}
        asked = [Asked(one.predict, others if one.shuffled else None) for one in here.values()]
        for name, both in zip(here, surprises(model, twins.flatten(0, 1), asked, **how), strict=True):
            said[name] = replace(both, errors=both.errors[::2]), replace(both, errors=both.errors[1::2])
    return said


def _answers(
    pairs: Pairs, both: tuple[Surprise, Surprise], context: int | None, kept: dict[str, Any] | None
) -> PairAnswers:
    """What a contestant says of pairs, from its surprise at the possible and at the impossible clips."""
    scores = [one.relative(context) for one in both]
    possible, impossible = (one.absolute(context) for one in both)
    sets = pairwise(*(_by_set(one, pairs.sets) for one in scores))
    return PairAnswers(pairs.names, pairs.direction, pairwise(*scores), sets, possible, impossible, kept)


def _by_set(scores: Float[Tensor, " n"], sets: bool) -> Float[Tensor, " m"]:
    """Scores of two pairs at a time; of an odd number the last is half a set and left out."""
    return scores[: len(scores) // 2 * 2].unflatten(0, (-1, 2)).sum(1) if sets else scores[:0]


def _carried(one: Contestant, pairs: Pairs, device: Device) -> dict[str, Any] | None:
    """How much of the difference between stories it carries ahead; None if the stories are not known."""
    if one.shuffled or pairs.moment is None:
        return None
    return carried(one.model, pairs.possible, pairs.moment, predict=one.predict, device=device)


def _choose(
    names: Iterable[str], validation: Iterable[Mapping[str, tuple[Surprise, Surprise]]]
) -> dict[str, int | None]:
    """The context with which each contestant is right most often; of equals the mean of all, then the shortest."""
    right: dict[str, dict[int | None, list[Tensor]]] = {name: {} for name in names}
    for said in validation:
        for name, (possible, impossible) in said.items():
            for context in (None, *possible.contexts):
                score = pairwise(possible.relative(context), impossible.relative(context))
                right[name].setdefault(context, []).append(score)

    def best(scores: dict[int | None, list[Tensor]]) -> int | None:
        return max(scores, key=lambda context: torch.cat(scores[context]).mean().item(), default=None)

    return {name: best(scores) for name, scores in right.items()}


def _scored(answers: Sequence[PairAnswers]) -> dict[str, Any]:
    """All answers of a contestant together, and those to each property."""
    by_property: dict[str, list[PairAnswers]] = {}
    for one in answers:
        for name in one.names:
            by_property.setdefault(name, []).append(one)
    rows = {name: _row(some) for name, some in by_property.items()}
    for name, some in by_property.items():
        if kept := [one.carried for one in some if one.carried]:  # for scenes, whose pairs come all at once
            rows[name]["carried"] = kept[0]
    return _row(answers) | {"per_property": rows}


def _row(answers: Sequence[PairAnswers]) -> dict[str, Any]:
    """The accuracy of answers, also of each direction of a violation, and how well single clips were told apart."""
    right = torch.cat([one.right for one in answers])
    single = (torch.cat([getattr(one, side) for one in answers]) for side in ("possible", "impossible"))
    directions: dict[str, list[float]] = {}
    for one in answers:
        for name, found in zip(one.direction, one.right.tolist(), strict=False):
            directions.setdefault(name, []).append(found)
    apart = {name: sum(found) / len(found) for name, found in directions.items()}
    sets = torch.cat([one.sets for one in answers])
    whole = accuracy(sets) if len(sets) else None
    return accuracy(right) | {"sets": whole, "auroc": auroc(*single), "directions": apart}


def on_scenes(
    model: Method, pairs: int = 100, seed: int = 0, *, others: int | None = None, **options: Any
) -> dict[str, Any]:
    """`benchmark` at pairs made here, of which no training clip and no pair that chooses a context is one.

    Args:
        model: a video model.
        pairs: number of pairs of each property, hidden and visible; see `scenes`.
        seed: draws them.
        others: pairs of each that choose contexts; None for a fifth as many.
        options: those of `benchmark`.
    """
    e = model.config.encoder
    others = max(pairs // 10 * 2, 2) if others is None else others
    test, validation = (scenes(n, 2 * seed + side, e.image_size, e.frames) for n, side in ((pairs, 1), (others, 0)))
    return benchmark(model, test, validation, seed=seed, **options)


def scenes(pairs: int, seed: int, size: int, frames: int) -> Iterator[Pairs]:
    """Pairs of every property made here, hidden and visible; `pairs` of each.

    Of an odd number the last is half a quad. Only the others are in balance (`foretell.data.made.scenes.ScenePairs`).
    """
    from foretell.data.made.scenes import PROPERTIES
    from foretell.data.made.scenes import pairs as draw

    make = partial(draw, seed=seed, size=size, frames=frames)
    for name in PROPERTIES:
        for hidden in (False, True):
            made, asked = make(name, pairs + pairs % 2, hidden=hidden), range(pairs)
            clips = made.possible.take(asked), made.impossible.take(asked)
            yield Pairs(name, *clips, hidden, made.direction[:pairs], sets=True, moment=made.violation[:pairs])
