"""Questions about one or several pictures, with their answers: how they are decoded and kept.

batch = load("questions:20000", Questions(64)).batch([0, 1])
batch.ragged("pixels")[0]                 # uint8 [n, 3, 64, 64]: the pictures of the first question
batch.ragged("question").texts()          # ["where is the red dog?", …]
batch.ragged("answer").texts()            # places among the words, in bins of 1/10,000 (foretell.language.places)
batch["labels"]                           # numbers of tasks, which are the classes of the data
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .cache import Form, Stored
from .columns import lists, texts
from .dataset import Records
from .images.decode import decode_quiet, quiet_pillow
from .images.form import CHUNK, usable
from .items import Decoded, Item, Unusable, in_threads, label_column

VERSION = 1  # raise it when the same source gives other columns


class Answered(NamedTuple):
    """What an item knows beside its pictures."""

    question: str
    answer: str
    """With places in bins of 1/10,000."""
    task: int | None = None


def form(size: int) -> Form[Records]:
    """Questions about pictures of `size` × `size`, for the cache."""
    return Form(
        what="questions",
        kind=_records,
        key=f"questions {VERSION} {size}",
        decode=lambda items: in_threads(items, lambda chunk: _decode_chunk(chunk, size), CHUNK),
    )


def _records(stored: Stored) -> Records:
    return Records(dict(stored.columns), stored.labels, stored.classes, stored.skipped, stored.fingerprint)


def _decode_chunk(items: list[Item], size: int) -> Decoded:
    def use(item: Item) -> tuple[np.ndarray, Answered]:
        raw, known = item.read()
        if not known.question.strip():
            raise Unusable("asks nothing")
        made = isinstance(raw, np.ndarray) and raw.shape[1:] == (3, size, size)
        return (raw if made else np.stack([decode_quiet(each, size) for each in raw])), known

    with quiet_pillow():
        found, skipped = usable(items, use)
    if not found:
        return Decoded({}, skipped, len(items))
    known = [each for _, each in found]
    columns = {
        "pixels": lists([pixels for pixels, _ in found]),
        "question": texts([each.question for each in known]),
        "answer": texts([each.answer for each in known]),
        "labels": label_column([each.task for each in known]),
    }
    return Decoded(columns, skipped, len(items))
