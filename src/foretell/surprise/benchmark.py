"""Does a model expect physics? Pairs of possible and impossible clips, and what the answer must be held against.

Clips are matched, so the difficulty of a scene cancels; what is left can still be a shortcut. So every number stands
beside those of a model that was never trained, of one trained to predict pixels, of repeating what was seen last, and
of the model itself when it is shown another clip's past: what survives that is not physics. Contexts are chosen for
each of them on other pairs, never on those that are scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from foretell.errors import ForetellError
from foretell.evaluate.probes import Device
from foretell.jepa import JEPA
from foretell.method import fresh
from foretell.surprise.measure import Surprise, copied, shuffled, surprise
from foretell.surprise.score import accuracy, auroc, pairwise
from foretell.train.progress import watched


@dataclass(frozen=True)
class Pairs:
    """Matched clips of one physical property, n of each."""

    property: str
    possible: UInt8[Tensor, "n 3 F H W"] = field(repr=False)
    impossible: UInt8[Tensor, "n 3 F H W"] = field(repr=False)
    hidden: bool | None = None
    """Whether the violation happens out of sight; None where that is not known."""
    direction: tuple[str, ...] = ()
    """What happens in each pair, where it is known: a vanishing is found where an appearance is not."""

    @property
    def name(self) -> str:
        """The property, and whether it is in view."""
        return self.property + {True: ", hidden", False: ", visible", None: ""}[self.hidden]


@dataclass(frozen=True)
class Contestant:
    """What is asked about clips: a model, or something simpler that uses its latents."""

    model: JEPA
    predict: Any = None
    """As `surprise` takes it; None for the model's own prediction."""

    def of(self, pairs: Pairs, device: Device, contexts: Sequence[int] | None) -> tuple[Surprise, Surprise]:
        """Its surprise at the possible and at the impossible clips."""
        possible, impossible = (
            surprise(self.model, clips, contexts=contexts, device=device, predict=self.predict)
            for clips in (pairs.possible, pairs.impossible)
        )
        return possible, impossible


def contestants(model: JEPA, pixels: JEPA | None, seed: int) -> dict[str, Contestant]:
    """The model, its baselines, and the control with shuffled contexts."""
    found = {
        "model": Contestant(model),
        "untrained": Contestant(fresh(model, seed).to(next(model.parameters()).device).eval()),
        "copy": Contestant(model, copied),
        "shuffled_context": Contestant(model, shuffled),
    }
    return found | ({"pixels": Contestant(pixels)} if pixels else {})


def benchmark(
    model: JEPA,
    test: Iterable[Pairs],
    validation: Iterable[Pairs],
    *,
    pixels: JEPA | None = None,
    contexts: Sequence[int] | None = None,
    seed: int = 0,
    device: Device = None,
    progress: str | None = None,
) -> dict[str, Any]:
    """Score a video model and its baselines on pairs.

    Args:
        model: a video model.
        test: the pairs to score.
        validation: other pairs, of the same properties or not: they choose each contestant's context, one length or the
            mean of all.
        pixels: a model trained to predict pixels with the same budget; None leaves that baseline out.
        contexts: frames seen, see `surprise`.
        seed: draws the untrained model.
        device: where to compute; None for where the model is.
        progress: what to call the work on a progress bar.

    Returns:
        JSON types. `accuracy`: {`value`, `low`, `high`, `pairs`, `per_property`} over all pairs; `per_property` has the
        same for each property, hidden and visible apart, with `auroc` and `directions`. `auroc`: of single clips, by
        their largest surprise. `baselines`: {`untrained`, `copy`, `pixels`} and `shuffled_context`: `value`, `low`,
        `high`, `pairs`, `per_property`. `contexts`: what was chosen for each; None is the mean of all.

    Raises:
        ForetellError: there are no pairs, or as `surprise`.
    """
    asked = contestants(model, pixels, seed)
    others = list(validation)  # every contestant chooses on all of them
    chosen = {name: _choose(one, others, device, contexts) for name, one in asked.items()}
    rows: dict[str, dict[str, Any]] = {name: {} for name in asked}
    correct: dict[str, list[Tensor]] = {name: [] for name in asked}
    singles: list[tuple[Tensor, Tensor]] = []
    for pairs in watched(list(test), progress):
        for name, one in asked.items():
            possible, impossible = one.of(pairs, device, contexts)
            right = pairwise(possible.relative(chosen[name]), impossible.relative(chosen[name]))
            single = possible.absolute(chosen[name]), impossible.absolute(chosen[name])
            rows[name][pairs.name] = accuracy(right) | {"auroc": auroc(*single), "directions": _apart(right, pairs)}
            correct[name].append(right)
            if name == "model":
                singles.append(single)
    if not singles:
        raise ForetellError("there are no pairs of clips to score")
    scored = {name: accuracy(torch.cat(correct[name])) | {"per_property": rows[name]} for name in asked}
    control = scored.pop("shuffled_context")
    return {
        "accuracy": scored.pop("model"),
        "auroc": auroc(*(torch.cat(side) for side in zip(*singles, strict=True))),
        "baselines": scored,
        "shuffled_context": control,
        "contexts": chosen,
    }


def _choose(one: Contestant, validation: Sequence[Pairs], device: Device, contexts: Sequence[int] | None) -> int | None:
    """The context with which a contestant is right most often; of equals the mean of all, then the shortest."""
    right: dict[int | None, list[Tensor]] = {}
    for pairs in validation:
        possible, impossible = one.of(pairs, device, contexts)
        for context in (None, *possible.contexts):
            score = pairwise(possible.relative(context), impossible.relative(context))
            right.setdefault(context, []).append(score)
    return max(right, key=lambda context: torch.cat(right[context]).mean().item(), default=None)


def _apart(right: Float[Tensor, " n"], pairs: Pairs) -> dict[str, float]:
    """The accuracy of each direction of a violation."""
    names = dict.fromkeys(pairs.direction)
    where = {name: [i for i, found in enumerate(pairs.direction) if found == name] for name in names}
    return {name: right[places].mean().item() for name, places in where.items()}


def scenes(pairs: int, seed: int, size: int, frames: int) -> Iterator[Pairs]:
    """Pairs of every property made here, hidden and visible; `pairs` of each, an even number."""
    from foretell.data.scenes import PROPERTIES
    from foretell.data.scenes import pairs as draw

    make = partial(draw, seed=seed, size=size, frames=frames)
    for name in PROPERTIES:
        for hidden in (False, True):
            made = make(name, pairs, hidden=hidden)
            every = range(len(made))
            yield Pairs(name, made.possible.take(every), made.impossible.take(every), hidden, made.direction)
