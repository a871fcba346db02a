"""Annotated procedures: which step is done when, in the layouts that data sets publish them in.

| place | what lies there |
|---|---|
| `coin:FILE` | COIN's `COIN.json`, perhaps gzipped |
| `crosstask:FOLDER` | CrossTask's release: `tasks_primary.txt`, `annotations/TASK_VIDEO.csv`, `videos_val.csv` |
| `niv:FOLDER` | lists of windows, `train*.json` and `test*.json`, as codes for procedure planning have them |
| `procedures`, `procedures:N` | filmed here, see `foretell.data.made.procedures` |
| FOLDER, or FILE | videos and a table of their steps, see `foretell.data.video.steps` |
| `ego4d:FOLDER` | Ego4D's long-term anticipation: `fho_lta_train.json` and `fho_lta_val.json` |

Options follow a `#`, as in `coin:COIN.json.gz#features=features,fps=10`.

- With `features=DIR` each step has the precomputed features of its part of the video, see `.features`.
- Without it latents are simulated, see `.simulate`: the sequences of steps are real, and the latents are not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from foretell.data.reads import StepLatents
from foretell.data.source import Splits
from foretell.errors import ForetellError

from . import coin, crosstask, ego4d, niv
from .annotated import Layout, sources

Find = Callable[[str | Path, StepLatents, int], Splits]

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout for layout in (coin.LAYOUT, crosstask.LAYOUT, niv.LAYOUT, ego4d.LAYOUT)
}
"""Name -> how annotations of that name are read."""


def find(spec: str | Path, reads: StepLatents, seed: int) -> Splits:
    """The splits of annotated procedures at a place.

    Raises:
        ForetellError: nothing is there, it cannot be read, or an option is not known.
    """
    from foretell.data.made.procedures import source as filmed
    from foretell.data.video import steps

    name, colon, place = str(spec).partition(":")
    if colon and name in LAYOUTS and not isinstance(spec, Path):
        return sources(LAYOUTS[name], place, reads, seed)
    if name.partition("#")[0] == filmed.SCHEME and not isinstance(spec, Path):
        return filmed.find(str(spec), reads, seed)
    root = Path(os.path.realpath(os.path.expanduser(spec)))
    if str(spec) and root.exists():
        return steps.find(root, reads)
    expected = ", ".join(f"{layout.name}:{layout.place}" for layout in LAYOUTS.values())
    raise ForetellError(
        f"{str(spec)!r}: no procedures; expected {filmed.SCHEME}, a folder of videos with a table of "
        f"steps, or {expected}."
    )
