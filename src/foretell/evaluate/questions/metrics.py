"""What a reply scores, task by task, with the metrics of VistaLLM's evaluation (arXiv:2312.12423, §4).

| task | metrics |
|---|---|
| `caption` | `cider` (CIDEr-D, 0 to 10), `bleu4` |
| `vqa`, `pair` | `accuracy` |
| `box` | `p@.5`: boxes with IoU above 0.5; `miou`, their mean IoU |
| `outline` | `giou`: mean IoU; `ciou`: all intersections over all unions; `p@.5`, `p@.7`, `p@.9` |
| `outlines` | the same, where a right "none" has IoU 1; `p@` of those with targets; `n_acc`, `t_acc` |
| `region` | `accuracy`: the very words; `cider` |
| `common` | `giou` (iCoSeg's J), `ciou`, `precision` (iCoSeg's P): the share of pixels that are told right |
| `attribute` | `giou`: mean IoU over pictures (AttCoSeg); `ciou` |

Every task has `unreadable`: the share of replies of which nothing could be read. They score zero.

n questions
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from foretell.data.made.questions.tasks import NONE
from foretell.evaluate.intervals import bootstrap, bootstrap_of, wilson
from foretell.evaluate.questions.sentences import bleu, bleu_counts, cider, words_of
from foretell.language.outlines import filled
from foretell.language.places import Reply, Spot, SpotKind

SIDE = 1000
"""Pixels a side of the grid that outlines are filled on, as in the released code."""
ARTICLES = frozenset({"a", "an", "the"})
KINDS: dict[str, SpotKind] = {
    "box": "box",
    "outline": "mask",
    "outlines": "mask",
    "common": "mask",
    "attribute": "mask",
}
"""Task -> the kind of place that it asks for; the other tasks ask for words."""
TaskNumbers: TypeAlias = dict[str, Any]
"""Metric -> {`value`, `low`, `high`}; None where no question is of the kind that it counts."""


@dataclass(frozen=True)
class AnsweredTask:
    """Questions of one task that have been answered."""

    task: str
    expected: Sequence[Reply]
    replies: Sequence[Reply]
    pictures: Sequence[int]
    """How many pictures each question has."""
    side: int = SIDE
    seed: int = 0

    @property
    def readable(self) -> list[bool]:
        """Of which replies something could be read."""
        return [readable(self.task, reply) for reply in self.replies]


def readable(task: str, reply: Reply) -> bool:
    """Whether a reply is an answer to a question of the task, right or wrong."""
    if kind := KINDS.get(task):
        return any(spot.kind == kind for spot in reply.spots) or (task == "outlines" and says_none(reply))
    return len(_verdict(reply)) == 1 if task == "pair" else bool(words_of(reply.words))


def says_none(reply: Reply) -> bool:
    """Whether a reply says that nothing is so called: with no place, and with no piece of one."""
    return not reply.spots and not reply.lost and words_of(reply.words) == [NONE]


def scores(asked: AnsweredTask) -> TaskNumbers:
    """All metrics of a task."""
    return _SCORES[asked.task](asked) | {"unreadable": share([not each for each in asked.readable])}


def box_overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """IoU of two boxes: left, top, right, bottom."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    every = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / every if every > 0 else 0.0


def covered(spots: Sequence[Spot], image: int, side: int) -> np.ndarray:
    """The pixels within any of the outlines in a picture: bool [side, side]."""
    found = np.zeros((side, side), bool)
    for spot in spots:
        if spot.kind == "mask" and spot.image == image:
            found |= filled([ring * side for ring in spot.rings], side, side)
    return found


def share(hits: Sequence[bool]) -> dict[str, float] | None:
    """A share of questions with its interval (Wilson); None of no question."""
    if not hits:
        return None
    low, high = wilson(sum(hits), len(hits))
    return {"value": sum(hits) / len(hits), "low": low, "high": high}


def mean(values: Sequence[float], seed: int) -> dict[str, float]:
    """A mean over questions with its interval (bootstrap)."""
    each = torch.tensor(values, dtype=torch.float64).unsqueeze(1)
    low, high = bootstrap(each, torch.Generator().manual_seed(seed))
    return {"value": each.mean().item(), "low": low.item(), "high": high.item()}


def _of_sums(
    rows: Sequence[Sequence[float]], of: Callable[[Float[Tensor, "R k"]], Float[Tensor, " R"]], seed: int
) -> dict[str, float]:
    value, low, high = bootstrap_of(torch.tensor(rows, dtype=torch.float64), of, torch.Generator().manual_seed(seed))
    return {"value": value, "low": low, "high": high}


def _caption(asked: AnsweredTask) -> TaskNumbers:
    counts = [bleu_counts(reply.words, [true.words]) for reply, true in zip(asked.replies, asked.expected, strict=True)]
    return {"cider": _cider(asked), "bleu4": _of_sums(counts, bleu, asked.seed)}


def _cider(asked: AnsweredTask) -> dict[str, float]:
    each = cider([reply.words for reply in asked.replies], [[true.words] for true in asked.expected])
    return mean(each, asked.seed)


def _accuracy(asked: AnsweredTask) -> TaskNumbers:
    return {"accuracy": share([_plain(a) == _plain(b) for a, b in zip(asked.replies, asked.expected, strict=True)])}


def _pair(asked: AnsweredTask) -> TaskNumbers:
    """As `_accuracy`, but only the verdict counts."""
    each = zip(asked.replies, asked.expected, strict=True)
    return {"accuracy": share([_verdict(reply) == _verdict(true) for reply, true in each])}


def _verdict(reply: Reply) -> set[str]:
    return {"true", "false"} & {*words_of(reply.words)}


def _plain(reply: Reply) -> list[str]:
    """Words without articles, as in the evaluation of VQA (Antol et al. 2015)."""
    return [word for word in words_of(reply.words) if word not in ARTICLES]


def _region(asked: AnsweredTask) -> TaskNumbers:
    return _accuracy(asked) | {"cider": _cider(asked)}


def _box(asked: AnsweredTask) -> TaskNumbers:
    each = []
    for reply, true in zip(asked.replies, asked.expected, strict=True):
        said = next((spot.box for spot in reply.spots if spot.kind == "box"), None)
        each.append(0.0 if said is None else box_overlap(said, true.spots[0].box))
    return {"p@.5": share([iou > 0.5 for iou in each]), "miou": mean(each, asked.seed)}


class _Overlaps:
    """Intersections and unions of all questions, in pixels, and what follows from them."""

    def __init__(self, asked: AnsweredTask) -> None:
        self.asked = asked
        found = [
            [self._pixels(true, reply, image) for image in range(pictures)]
            for true, reply, pictures in zip(asked.expected, asked.replies, asked.pictures, strict=True)
        ]
        self.pixels = [np.array(some, float) for some in found]
        self.empty = [not true.spots for true in asked.expected]
        self.iou = [
            float(says_none(reply)) if empty else self._iou(pixels, readable(asked.task, reply))
            for pixels, reply, empty in zip(self.pixels, asked.replies, self.empty, strict=True)
        ]

    def _pixels(self, true: Reply, reply: Reply, image: int) -> tuple[int, int]:
        a, b = (covered(each.spots, image, self.asked.side) for each in (true, reply))
        return int((a & b).sum()), int((a | b).sum())

    def _iou(self, pixels: np.ndarray, can: bool) -> float:
        """The mean over pictures; a picture in which rightly nothing is outlined has 1."""
        if not can:
            return 0.0
        both, either = pixels.T
        return float(np.where(either > 0, both / np.maximum(either, 1), 1.0).mean())

    def giou(self) -> dict[str, float]:
        return mean(self.iou, self.asked.seed)

    def ciou(self) -> dict[str, float]:
        sums = [pixels.sum(0).tolist() for pixels in self.pixels]
        return _of_sums(sums, lambda s: s[:, 0] / s[:, 1].clamp_min(1e-12), self.asked.seed)

    def above(self, *least: float) -> TaskNumbers:
        """The shares of questions with targets whose IoU is above some."""
        there = [iou for iou, empty in zip(self.iou, self.empty, strict=True) if not empty]
        return {f"p@{level:g}".replace("0.", "."): share([iou > level for iou in there]) for level in least}


def _outline(asked: AnsweredTask) -> TaskNumbers:
    found = _Overlaps(asked)
    return {"giou": found.giou(), "ciou": found.ciou(), **found.above(0.5, 0.7, 0.9)}


def _outlines(asked: AnsweredTask) -> TaskNumbers:
    """Generalised referring (GRES): N-acc of questions without a target, T-acc of those with one."""
    said = [says_none(reply) for reply in asked.replies]
    expected = [not true.spots for true in asked.expected]
    return _outline(asked) | {
        "n_acc": share([none for none, empty in zip(said, expected, strict=True) if empty]),
        "t_acc": share([not none for none, empty in zip(said, expected, strict=True) if not empty]),
    }


def _in_all(asked: AnsweredTask) -> TaskNumbers:
    found = _Overlaps(asked)
    return {"giou": found.giou(), "ciou": found.ciou()}


def _common(asked: AnsweredTask) -> TaskNumbers:
    found = _Overlaps(asked)
    right = [
        float((1 - (pixels[:, 1] - pixels[:, 0]) / asked.side**2).mean()) if can else 0.0
        for pixels, can in zip(found.pixels, asked.readable, strict=True)
    ]
    return {"giou": found.giou(), "ciou": found.ciou(), "precision": mean(right, asked.seed)}


_SCORES: dict[str, Callable[[AnsweredTask], TaskNumbers]] = {
    "caption": _caption,
    "vqa": _accuracy,
    "box": _box,
    "outline": _outline,
    "outlines": _outlines,
    "region": _region,
    "pair": _pair,
    "common": _common,
    "attribute": _in_all,
}
