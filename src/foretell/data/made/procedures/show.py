"""Filmed procedures as files: a video each, a clip a step, and the table of steps that `foretell.data` reads."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from foretell.data.made.scenes.show import strips, video
from foretell.data.made.splits import HELD_OUT as FIRST_TEST
from foretell.errors import ForetellError, Range, check_range
from foretell.progress import watched

from . import SECONDS, film, procedure

STRIPS = 32  # clips on the picture of strips, at most


def write(out: Path, n: int, seed: int = 0, *, branching: float = 1.0, size: int = 64, frames: int = 16) -> list[Path]:
    """Write procedures, of those that a run is tested on, into a folder that can be data in its turn.

    Each is `procedure-0000.mp4`, and its steps by themselves are `clips/procedure-0000-1-pour-water.mp4`, … Beside them
    are `steps.csv` and `strips.png`, a row a clip.

    Args:
        out: the folder; made if there is none.
        n: procedures.
        seed: draws them.
        branching: 0 to 1, see `foretell.data.made.procedures.tasks`.
        size: side of the picture in pixels; files show each four times as large.
        frames: of a step.

    Raises:
        ForetellError: a number is out of range, or the folder cannot be written.
    """
    check_range("n", n, Range(1, whole=True))
    rows, written, shown = [["video", "start", "end", "label", "task", "verb", "noun"]], [], []
    try:
        (out / "clips").mkdir(parents=True, exist_ok=True)
        for number in watched(range(n), "writing"):
            made = procedure(seed, FIRST_TEST + number, branching)
            clips = film(made, size, frames)
            name = f"procedure-{number:04}"
            video(out / f"{name}.mp4", np.concatenate(clips), SECONDS * len(clips))
            written.append(out / f"{name}.mp4")
            for place, (label, clip) in enumerate(zip(made.steps, clips, strict=True)):
                path = out / "clips" / f"{name}-{place + 1}-{label.replace(' ', '-')}.mp4"
                video(path, clip, SECONDS)
                written.append(path)
                span = f"{SECONDS * place:g}", f"{SECONDS * (place + 1):g}"
                rows.append([f"{name}.mp4", *span, label, made.task, *label.split()])
            shown += list(clips)[: STRIPS - len(shown)]
        with (out / "steps.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        strips(np.stack(shown)).save(out / "strips.png")
    except OSError as error:
        raise ForetellError(f"{out}: cannot write here ({error.strerror or error}); choose another --out") from error
    return [*written, out / "steps.csv", out / "strips.png"]
