"""Annotated procedures: which step is done when, in the layouts that data sets publish them in.

| place | what lies there |
|---|---|
| `coin:FILE` | COIN's `COIN.json`, perhaps gzipped |
| `crosstask:FOLDER` | CrossTask's release: `tasks_primary.txt`, `annotations/TASK_VIDEO.csv`, `videos_val.csv` |
| `niv:FOLDER` | lists of windows, `train*.json` and `test*.json`, as codes for procedure planning have them |
| `ego4d:FOLDER` | Ego4D's long-term anticipation: `fho_lta_train.json` and `fho_lta_val.json` |

Two kinds of procedures are clips: `procedures:2000` are filmed here (`foretell.data.made.procedures`), and a folder has
videos and a table of their steps (`foretell.data.video.steps`). `graphs:2000` makes procedures from task graphs, see
`foretell.data.made.graphs`.

Options follow a `#`, as in `coin:COIN.json.gz#features=features,fps=10`.

- With `features=DIR` each step has the precomputed features of its part of the video, see `.features`.
- Without it latents are simulated, see `.simulate`: the sequences of steps are real, and the latents are not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from foretell.data.reads import StepLatents
from foretell.data.source import Splits
from foretell.errors import ForetellError

from . import coin, crosstask, ego4d, niv
from .annotated import Layout, options_of, sources, splits
from .simulate import Simulated

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout for layout in (coin.LAYOUT, crosstask.LAYOUT, niv.LAYOUT, ego4d.LAYOUT)
}
"""Name -> how annotations of that name are read."""
GRAPHS = "Sequences and latents are made from task graphs."


def find(spec: str | Path, reads: StepLatents, seed: int) -> Splits:
    """The splits of procedures at a place.

    Raises:
        ForetellError: nothing is there, it cannot be read, or an option is not known.
    """
    from foretell.data.made.procedures import source as filmed
    from foretell.data.video import steps

    name, _, place = str(spec).partition(":")
    made = "" if isinstance(spec, Path) else name.partition("#")[0]
    if name in LAYOUTS and made:
        return sources(LAYOUTS[name], place, seed)
    if made == "graphs":
        return _graphs(str(spec), seed)
    if made == filmed.SCHEME:
        return filmed.find(str(spec), reads, seed)
    root = Path(os.path.realpath(os.path.expanduser(spec)))
    if str(spec) and root.exists():
        return steps.find(root, reads)
    expected = ", ".join(f"{layout.name}:{layout.place}" for layout in LAYOUTS.values())
    raise ForetellError(
        f"{str(spec)!r}: no procedures, expected {filmed.SCHEME}, a folder of videos with a table of steps, "
        f"or {expected}"
    )


def _graphs(spec: str, seed: int) -> Splits:
    from foretell.data.made import graphs

    name, _, given = spec.partition("#")
    number = name.partition(":")[2] or "2000"
    if not number.isdecimal():
        raise ForetellError(f"{name}: {number!r} is not a number of procedures, expected graphs:2000")
    branch, options = graphs.options(options_of(name, given, ("branch",)))
    source = Simulated.of(options, seed)
    return splits(
        name, graphs.make(int(number), branch, seed), source, GRAPHS, (graphs.VERSION, number, branch, source)
    )
