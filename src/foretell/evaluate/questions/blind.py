"""The blind baseline: what can be answered without a look at any picture, from questions and answers alone.

- Words: the answer that was commonest in training, among questions that begin alike. The beginning is the longest one,
  of four words at most, that training has seen often. So "how many …" has the commonest number.
- Places: the mean box of training in each picture, as a box or as an outline; or "none", where that scores better.

A model that does no better than this has not looked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from foretell.data.made.questions.tasks import NONE
from foretell.evaluate.questions.metrics import KINDS, box_overlap
from foretell.evaluate.questions.sentences import words_of
from foretell.language.places import Reply, Spot

OFTEN = 10
"""How often training has a beginning of questions, for it to count."""
BEGINNING = 4
"""Words of a beginning, at most."""
WHOLE = (0.0, 0.0, 1.0, 1.0)


class BlindBaseline:
    """Answers questions of one task.

    Args:
        task: its name.
        questions: of the training.
        answers: to them.
    """

    def __init__(self, task: str, questions: Sequence[str], answers: Sequence[Reply]) -> None:
        self.task = task
        self._common: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for question, answer in zip(questions, answers, strict=True):
            words = words_of(question)
            for length in range(min(BEGINNING, len(words)) + 1):
                self._common[tuple(words[:length])][answer.words] += 1
        boxes = [_around(answer) for answer in answers if answer.spots]
        self.box = tuple(np.mean(boxes, 0).tolist()) if boxes else WHOLE
        none = sum(not answer.spots for answer in answers)
        self.says_none = task == "outlines" and none > sum(box_overlap(self.box, box) for box in boxes)

    def answer(self, question: str, pictures: int) -> Reply:
        """The reply to a question about so many pictures, unseen."""
        if kind := KINDS.get(self.task):
            if self.says_none:
                return Reply(NONE, ())
            return Reply("", tuple(Spot(kind, _ring(self.box, kind), image) for image in range(pictures)))
        words = words_of(question)
        for length in range(min(BEGINNING, len(words)), 0, -1):
            known = self._common.get(tuple(words[:length]))
            if known and known.total() >= OFTEN:
                return Reply(known.most_common(1)[0][0], ())
        known = self._common.get((), Counter())
        return Reply(known.most_common(1)[0][0] if known else "", ())


def _around(answer: Reply) -> tuple[float, float, float, float]:
    """The box around all places of the first picture that has any."""
    first = min(spot.image for spot in answer.spots)
    left, top, right, bottom = zip(*(spot.box for spot in answer.spots if spot.image == first), strict=True)
    return min(left), min(top), max(right), max(bottom)


def _ring(box: Sequence[float], kind: str) -> tuple[np.ndarray, ...]:
    left, top, right, bottom = box
    if kind == "box":
        return (np.array([(left, top), (right, bottom)]),)
    return (np.array([(left, top), (right, top), (right, bottom), (left, bottom)]),)
