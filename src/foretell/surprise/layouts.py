"""Pairs of clips on disk, in the layouts they are published in.

- `pairs`: PROPERTY/possible/NAME and PROPERTY/impossible/NAME, videos of equal names.
- `intphys`: the development set of IntPhys (Riochet et al. 2018, arXiv:1803.07616): O1 … O3, in each numbered scenes of
  four clips (frames under scene/, and a status.json that says whether the clip is possible). Two clips make a pair when
  they are equal for longest: they have the same past.
- `grasp`: level 2 of GRASP (Jassim et al. 2023, arXiv:2311.09048): P_TEST/NNN.mp4 and IP_TEST/NNN.mp4. A test counts
  for each property in its name.
- `inflevel`: InfLevel-lab (Weihs et al. 2022): a folder for each of continuity, gravity and solidity, and beside it a
  table, for instance gravity.csv, with a pair a row: vid1_path, vid1_label, vid1_end_priming_2 and the same of vid2, as
  published with arXiv:2502.11831. What comes before a video's priming ends is left out, as there.

The two clips of a pair are cut to the same length and never padded. Pairs that follow each other and are as long as
each other come together, some at a time.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps
from itertools import groupby, islice, permutations
from pathlib import Path
from typing import ParamSpec

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from foretell.data.decode import Unusable, decode
from foretell.data.video import ENDINGS, read_video
from foretell.errors import ForetellError
from foretell.surprise.benchmark import Pairs

INTPHYS = {"O1": "permanence", "O2": "shape", "O3": "continuity"}
GRASP = {
    "Collision": ("collision",),
    "Continuity": ("continuity",),
    "Gravity": ("gravity",),
    "GravityContinuity": ("gravity", "continuity"),
    "GravityInertia": ("gravity", "inertia"),
    "GravitySupport": ("gravity", "support"),
    "Inertia": ("inertia",),
    "ObjectPermanence": ("permanence",),
    "SolidityContinuity": ("solidity", "continuity"),
    "Unchangeableness": ("colour",),
}
"""What a test of level 2 is about; a number at the end of its name is another version of it."""
INFLEVEL = {"continuity": "permanence", "gravity": "gravity", "solidity": "solidity"}
TOGETHER = 16
"""Pairs at a time."""
SIDES = ("possible", "impossible")

Clip = UInt8[Tensor, "F 3 S S"]
P = ParamSpec("P")


def together(one_by_one: Callable[P, Iterator[Pairs]]) -> Callable[P, Iterator[Pairs]]:
    """Single pairs, in groups of neighbours that can be computed at once."""

    @wraps(one_by_one)
    def read(*args: P.args, **options: P.kwargs) -> Iterator[Pairs]:
        for _, run in groupby(one_by_one(*args, **options), lambda one: (one.names, one.possible.shape)):
            while some := list(islice(run, TOGETHER)):
                possible, impossible = (torch.cat([getattr(one, side) for one in some]) for side in SIDES)
                yield replace(some[0], possible=possible, impossible=impossible)

    return read


@together
def pairs(folder: Path, size: int, fps: float | None = None, stride: int = 1) -> Iterator[Pairs]:
    """Pairs of a folder of videos; see the module. `fps` and `stride` as of `foretell.data.load_videos`."""
    found = sorted(path.parent for path in folder.glob("*/possible") if (path.parent / "impossible").is_dir())
    if not found:
        raise ForetellError(f"{folder}: no PROPERTY/possible beside PROPERTY/impossible in it")
    for place in found:
        for both in _twins(place / "possible", place / "impossible"):
            yield _pair(place.name, *(_film(path, size, stride, fps) for path in both))


@together
def intphys(folder: Path, size: int, skip: int = 2) -> Iterator[Pairs]:
    """Pairs of IntPhys' development set, of every so many frames: the paper takes every second (15 a second)."""
    blocks = [name for name in INTPHYS if (folder / name).is_dir()]
    if not blocks:
        raise ForetellError(f"{folder}: none of {', '.join(INTPHYS)} in it; expected IntPhys' dev folder")
    for block in blocks:
        for scene in sorted(path for path in (folder / block).iterdir() if path.is_dir()):
            kinds: dict[bool, list[Clip]] = {True: [], False: []}
            for clip in sorted(path for path in scene.iterdir() if (path / "status.json").is_file()):
                kinds[_possible(clip / "status.json")].append(_frames(clip / "scene", size, skip))
            if len(kinds[True]) != len(kinds[False]) or not kinds[True]:
                found = f"{len(kinds[True])} possible and {len(kinds[False])} impossible clips"
                raise ForetellError(f"{scene}: found {found}; expected as many of each")
            for both in zip(kinds[True], _matched(kinds[True], kinds[False]), strict=True):
                yield _pair(INTPHYS[block], *both)


@together
def grasp(folder: Path, size: int, skip: int = 10) -> Iterator[Pairs]:
    """Pairs of GRASP's level 2, of every so many frames: the paper takes every tenth (50 a second)."""
    found = sorted(path for path in folder.glob("P_*") if path.is_dir())
    if not found:
        raise ForetellError(f"{folder}: no P_TEST in it; expected the folder level2 of GRASP's videos")
    for place in found:
        test = place.name.removeprefix("P_")
        first, *also = GRASP.get(test.rstrip("0123456789"), (test,))
        for both in _twins(place, folder / f"IP_{test}"):
            yield replace(_pair(first, *(_film(path, size, skip) for path in both)), also=tuple(also))


@together
def inflevel(folder: Path, size: int, skip: int = 5) -> Iterator[Pairs]:
    """Pairs of InfLevel-lab, of every so many frames: the paper takes every fifth."""
    tables = [path for name in INFLEVEL if (path := folder / f"{name}.csv").is_file()]
    if not tables:
        raise ForetellError(
            f"{folder}: none of {', '.join(f'{name}.csv' for name in INFLEVEL)} in it; expected the tables of pairs "
            "published with arXiv:2502.11831 (auxiliary_data_loading_files/inflevel) beside the folders of videos"
        )
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                sides: dict[str, Clip] = {}
                for video in ("vid1", "vid2"):
                    try:
                        path, label = folder / row[f"{video}_path"], row[f"{video}_label"]
                        start = int(float(row[f"{video}_end_priming_2"])) + 1
                    except (KeyError, TypeError, ValueError) as error:
                        raise ForetellError(
                            f"{table}, line {number}: {error}; expected {video}_path, {video}_label and a number in "
                            f"{video}_end_priming_2"
                        ) from None
                    sides[label] = _film(path, size)[start:]
                if sides.keys() != set(SIDES):
                    raise ForetellError(
                        f"{table}, line {number}: labels {', '.join(sides)}; expected {' and '.join(SIDES)}"
                    )
                length = min(len(clip) for clip in sides.values())  # they end together
                yield _pair(INFLEVEL[table.stem], *(sides[side][len(sides[side]) - length :: skip] for side in SIDES))


LAYOUTS: dict[str, Callable[..., Iterator[Pairs]]] = {
    "pairs": pairs,
    "intphys": intphys,
    "grasp": grasp,
    "inflevel": inflevel,
}
"""name -> reader of (folder, size, …)."""


def _pair(name: str, possible: Clip, impossible: Clip) -> Pairs:
    """A pair, as long as the shorter of both."""
    length = min(len(possible), len(impossible))
    possible, impossible = (clip[:length].transpose(0, 1).unsqueeze(0) for clip in (possible, impossible))
    return Pairs(name, possible, impossible)


def _twins(possible: Path, impossible: Path) -> Iterator[tuple[Path, Path]]:
    """Files of the same names in both folders."""
    if not impossible.is_dir():
        raise ForetellError(f"{impossible}: not found; expected it beside {possible.name}")
    names, others = (
        {path.name for path in place.iterdir() if path.suffix.lower() in ENDINGS} for place in (possible, impossible)
    )
    if lonely := names ^ others:
        raise ForetellError(
            f"{possible.parent}: {min(lonely)} is in one of {possible.name} and {impossible.name} only; "
            "expected in both"
        )
    yield from ((possible / name, impossible / name) for name in sorted(names))


def _film(path: Path, size: int, skip: int = 1, fps: float | None = None) -> Clip:
    """A video, of every so many frames."""
    return torch.from_numpy(read_video(path, size, fps=fps, stride=skip))


def _possible(path: Path) -> bool:
    """What a status.json says; releases differ in where."""
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
        found = status["possible"] if "possible" in status else status["header"]["is_possible"]
    except (ValueError, KeyError, TypeError):
        raise ForetellError(f"{path}: says neither `possible` nor `header.is_possible`") from None
    return bool(found)


def _frames(folder: Path, size: int, skip: int) -> Clip:
    """The frames of a clip that is a folder of pictures, in the order of their names."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))[::skip]
    try:
        return torch.from_numpy(np.stack([decode(path, size) for path in paths]))
    except (Unusable, ValueError) as error:
        raise ForetellError(f"{folder}: {error}") from None


def _matched(possible: list[Clip], impossible: list[Clip]) -> list[Clip]:
    """For each possible clip the impossible one with its past: together they are equal for longest."""

    def shared(order: tuple[int, ...]) -> int:
        return sum(_equal_for(p, impossible[i]) for p, i in zip(possible, order, strict=True))

    best = max(permutations(range(len(impossible))), key=shared)
    return [impossible[i] for i in best]


def _equal_for(a: Clip, b: Clip) -> int:
    """How many frames two clips begin with alike."""
    n = min(len(a), len(b))
    differs = (a[:n] != b[:n]).flatten(1).any(1)
    return int(differs.int().argmax()) if differs.any() else n
