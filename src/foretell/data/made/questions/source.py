"""`questions`, or `questions:N` for N questions to learn from, and an eighth as many others, 576 or more, to test on.

`questions:N:SPLIT` tests on what is held out (see `foretell.data.made.captioned.draw.SPLITS`, and `templates` for
`phrasings`), and `questions:N:TASK,TASK` has some tasks alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from foretell.data.items import Item
from foretell.data.made.captioned import draw
from foretell.data.made.captioned.draw import Drawer, chance_of
from foretell.data.made.captioned.render import picture
from foretell.data.made.captioned.source import check_size
from foretell.data.made.splits import parts
from foretell.data.questions import Answered
from foretell.data.source import Contents, Source, Splits, identity
from foretell.data.sprites import Sprites, load
from foretell.errors import ForetellError

from .tasks import TASKS, Asker
from .templates import PHRASINGS

VERSION = 2  # raise it when the same seed gives other questions
TESTED = 64 * len(TASKS)
"""Questions to test on, at least."""
TESTS = (*draw.SPLITS[1:], PHRASINGS)
"""What may be tested on."""


def find(spec: str, size: int, seed: int) -> Splits:
    """Train and test questions, drawn by `seed`.

    Raises:
        ForetellError: no number, no such split or task, pictures that are too small.
    """
    count, tested, tasks = _asked(spec)
    check_size(spec, size)
    sprites = load(None)
    if tested != PHRASINGS and not Drawer(sprites, tested).numbers:
        raise ForetellError(f"{spec}: no picture is left for the split {tested!r}")
    asked = {"train": ("train", count), "test": (tested, max(count // 8, TESTED))}
    return {
        side: Source(
            name=f"questions ({split})",
            identity=identity("questions", VERSION, draw.VERSION, split, many, seed, tasks, sprites.fingerprint),
            read=partial(_read, sprites, split, many, seed, tasks, size),
        )
        for side, (split, many) in asked.items()
    }


def _asked(spec: str) -> tuple[int, str, tuple[str, ...]]:
    """How many questions, which split to test on, and of which tasks."""
    count, rest = parts(spec, "questions", "SPLIT", "TASK,TASK")
    tested, tasks = "test", TASKS
    for part in rest:
        if part in TESTS:
            tested = part
        elif (named := tuple(part.split(","))) and set(named) <= set(TASKS):
            tasks = named
        else:
            raise ForetellError(
                f"{spec}: {part!r} is no split and no task, expected {', '.join(TESTS)}, or some of "
                f"{', '.join(TASKS)} with commas between them"
            )
    return count, tested, tasks


def _read(sprites: Sprites, split: str, count: int, seed: int, tasks: tuple[str, ...], size: int) -> Contents:
    return Contents(count, TASKS, _items(sprites, split, count, seed, tasks, size))


def _items(sprites: Sprites, split: str, count: int, seed: int, tasks: tuple[str, ...], size: int) -> Iterator[Item]:
    asker = Asker(sprites, split, size)

    def reader(index: int) -> Callable[[], tuple[np.ndarray, Answered]]:
        def read() -> tuple[np.ndarray, Answered]:
            chance = chance_of("questions", VERSION, asker.split, seed, index)
            asked = asker.ask(tasks[index % len(tasks)], chance)
            pixels = np.stack([picture(scene, size, sprites) for scene in asked.scenes])
            return pixels, Answered(asked.question, asked.answer, TASKS.index(asked.task))

        return read

    return (Item(f"question {index}", reader(index)) for index in range(count))
