"""Episodes of the pusher as files: the layout that `foretell train vjepa-ac` reads.

T frames
"""

from __future__ import annotations

import csv
from pathlib import Path

from foretell.errors import ForetellError
from foretell.progress import watched

from .pusher import NAMES, SECONDS, episode
from .scenes.show import video


def write(out: Path, n: int, seed: int = 0, *, frames: int = 16, size: int = 64) -> list[Path]:
    """Write `episode-0000.mp4` and `episode-0000.csv`, …: of T frames T − 1 rows, a state and the action done there.

    Raises:
        ForetellError: the folder cannot be written, or pymunk or av is not installed.
    """
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for number in watched(range(n), "writing"):
            pixels, states, actions = episode(seed, number, frames, size)
            film, table = (out / f"episode-{number:04}{ending}" for ending in (".mp4", ".csv"))
            video(film, pixels, seconds=frames * SECONDS)
            with table.open("w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file)
                rows.writerow([*NAMES["states"], *NAMES["actions"]])
                rows.writerows([*map(float, s), *map(float, a)] for s, a in zip(states[:-1], actions, strict=True))
            written += [film, table]
    except OSError as error:
        raise ForetellError(f"{out}: cannot write here ({error.strerror or error}): choose another --out") from error
    return written
