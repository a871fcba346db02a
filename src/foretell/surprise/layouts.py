"""Pairs of clips on disk, in the layouts they are published in.

- `pairs`: PROPERTY/possible/NAME and PROPERTY/impossible/NAME, videos of equal names.
- `intphys`: the development set of IntPhys (Riochet et al. 2018, arXiv:1803.07616): O1 … O3, in each numbered scenes of
  four clips (frames under scene/, and a status.json that says whether the clip is possible). Two clips make a pair when
  they are equal for longest: they have the same past.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from foretell.data.decode import Unusable, decode
from foretell.data.video import read_video
from foretell.errors import ForetellError
from foretell.surprise.benchmark import Pairs

INTPHYS = {"O1": "permanence", "O2": "shape", "O3": "continuity"}


def pairs(folder: Path, size: int, fps: float | None, stride: int) -> Iterator[Pairs]:
    """Pairs of a folder of videos; see the module."""
    found = sorted(path.parent for path in folder.glob("*/possible") if (path.parent / "impossible").is_dir())
    if not found:
        raise ForetellError(f"{folder}: no PROPERTY/possible beside PROPERTY/impossible in it")
    for place in found:
        names = sorted(path.name for path in (place / "possible").iterdir())
        if lonely := set(names) ^ {path.name for path in (place / "impossible").iterdir()}:
            raise ForetellError(f"{place}: {min(lonely)} is in one of possible and impossible only; expected in both")
        clips = [
            [torch.from_numpy(read_video(place / side / name, size, fps=fps, stride=stride)) for name in names]
            for side in ("possible", "impossible")
        ]
        yield Pairs(place.name, *_together(clips, place))


def intphys(folder: Path, size: int, fps: float | None, stride: int) -> Iterator[Pairs]:
    """Pairs of IntPhys' development set; its clips have 15 frames a second. See the module."""
    step = stride * (max(round(15 / fps), 1) if fps else 1)
    blocks = [name for name in INTPHYS if (folder / name).is_dir()]
    if not blocks:
        raise ForetellError(f"{folder}: none of {', '.join(INTPHYS)} in it; expected IntPhys' dev folder")
    for block in blocks:
        sides: list[list[Tensor]] = [[], []]
        for scene in sorted(path for path in (folder / block).iterdir() if path.is_dir()):
            kinds: dict[bool, list[Tensor]] = {True: [], False: []}
            for clip in sorted(path for path in scene.iterdir() if (path / "status.json").is_file()):
                kinds[_possible(clip / "status.json")].append(_frames(clip / "scene", size, step))
            if len(kinds[True]) != len(kinds[False]) or not kinds[True]:
                found = f"{len(kinds[True])} possible and {len(kinds[False])} impossible clips"
                raise ForetellError(f"{scene}: found {found}; expected as many of each")
            for possible, impossible in zip(kinds[True], _matched(kinds[True], kinds[False]), strict=True):
                sides[0].append(possible)
                sides[1].append(impossible)
        yield Pairs(INTPHYS[block], *_together(sides, folder / block))


LAYOUTS: dict[str, Callable[[Path, int, float | None, int], Iterator[Pairs]]] = {"pairs": pairs, "intphys": intphys}
"""name -> reader of (folder, size, fps, stride)."""


def _possible(path: Path) -> bool:
    """What a status.json says; releases differ in where."""
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
        found = status["possible"] if "possible" in status else status["header"]["is_possible"]
    except (ValueError, KeyError, TypeError):
        raise ForetellError(f"{path}: says neither `possible` nor `header.is_possible`") from None
    return bool(found)


def _frames(folder: Path, size: int, step: int) -> Tensor:
    """The frames of a clip that is a folder of pictures, in the order of their names."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))[::step]
    try:
        return torch.from_numpy(np.stack([decode(path, size) for path in paths]))
    except (Unusable, ValueError) as error:
        raise ForetellError(f"{folder}: {error}") from None


def _matched(possible: list[Tensor], impossible: list[Tensor]) -> list[Tensor]:
    """For each possible clip the impossible one with its past: together they are equal for longest."""

    def shared(order: tuple[int, ...]) -> int:
        return sum(_equal_for(p, impossible[i]) for p, i in zip(possible, order, strict=True))

    best = max(permutations(range(len(impossible))), key=shared)
    return [impossible[i] for i in best]


def _equal_for(a: Tensor, b: Tensor) -> int:
    """How many frames two clips begin with alike."""
    n = min(len(a), len(b))
    differs = (a[:n] != b[:n]).flatten(1).any(1)
    return int(differs.int().argmax()) if differs.any() else n


def _together(sides: list[list[Tensor]], place: Path) -> tuple[Tensor, Tensor]:
    """Possible and impossible clips as [n, 3, F, S, S] each."""
    lengths = sorted({len(clip) for side in sides for clip in side})
    if len(lengths) > 1:
        raise ForetellError(f"{place}: clips of {lengths[0]} to {lengths[-1]} frames; expected the same length of all")
    possible, impossible = (torch.stack(side).transpose(1, 2) for side in sides)
    return possible, impossible
