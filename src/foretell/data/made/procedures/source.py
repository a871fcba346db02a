"""`procedures`, or `procedures:N` for N of them: filmed procedures for training, and an eighth as many for testing.

`#branching=0` after it leaves nothing to chance (see `tasks`); 1, as usual, leaves every decision to it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from foretell.data.made.splits import HELD_OUT as FIRST_TEST
from foretell.data.made.splits import asked
from foretell.data.procedures import ClipOf, Names, Procedure, Step, contents
from foretell.data.reads import ClipEncoder, StepLatents
from foretell.data.source import Contents, Source, Splits, identity, in_parts
from foretell.errors import ForetellError

from . import SECONDS, VERSION, film, procedure
from . import ProcedureScript as Recipe
from .tasks import NOUNS, STEPS, TASKS, VERBS

SCHEME = "procedures"
_NAMES = Names(STEPS, tuple(sorted(task.name for task in TASKS)), VERBS, NOUNS)


def find(spec: str | Path, reads: StepLatents, seed: int) -> Splits:
    """Train and test procedures, drawn by `seed`, as clips for the encoder that `reads` has.

    Raises:
        ForetellError: N is no number, an option is not known or out of range, or `reads` has no encoder.
    """
    place, _, given = str(spec).partition("#")
    many, branching, encoder = asked(place, "procedures"), _branching(str(spec), given), reads.encoder
    if encoder is None:
        raise ForetellError(
            f"{spec}: these procedures are clips, and nothing encodes them; give the model an encoder, such as "
            "--encoder vjepa-deep"
        )
    if encoder.size < 16 or encoder.frames < 8:
        raise ForetellError(
            f"{spec}: found an encoder of {encoder.frames} frames at size {encoder.size}, expected 8 or more frames, "
            "at 16 or more"
        )
    return {
        split: in_parts(
            f"{SCHEME} ({split})",
            count,
            lambda name, first, number, start=start: Source(
                name,
                identity(SCHEME, VERSION, seed, branching, start + first, number),
                partial(_read, seed, branching, encoder, start + first, number),
            ),
        )
        for split, (start, count) in {"train": (0, many), "test": (FIRST_TEST, max(many // 8, 1))}.items()
    }


def _branching(spec: str, given: str) -> float:
    name, equals, value = given.partition("=")
    if not given:
        return 1.0
    try:
        found = float(value) if name == "branching" and equals else -1.0
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise ForetellError(f"{spec}: {given!r} after # is no option here, expected branching=B, 0 to 1")
    return found


def _read(seed: int, branching: float, encoder: ClipEncoder, first: int, count: int) -> Contents:
    def reader(index: int) -> Procedure:
        found = procedure(seed, index, branching)
        steps = []
        for number, (label, pixels) in enumerate(
            zip(found.steps, film(found, encoder.size, encoder.frames), strict=True)
        ):
            verb, noun = label.split()
            clip = ClipOf(f"{SCHEME}:{seed}:{index}:{branching!r}", SECONDS * number, SECONDS * (number + 1))
            steps.append(Step(label, pixels=pixels, verb=verb, noun=noun, clip=clip))
        return Procedure(steps, found.task)

    items = ((f"procedure {index}", partial(reader, index)) for index in range(first, first + count))
    return contents(items, count, _NAMES, clips=True)


def filmed(file: str) -> Recipe | None:
    """The procedure that a clip's `file` names, where it is filmed here; None where it is a video."""
    name, *numbers = file.split(":")
    if name != SCHEME or len(numbers) != 3:
        return None
    return procedure(int(numbers[0]), int(numbers[1]), float(numbers[2]))
