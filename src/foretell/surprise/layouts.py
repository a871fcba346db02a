"""Pairs of clips on disk, in the layouts of the published sets.

- `pairs`: PROPERTY/possible/NAME and PROPERTY/impossible/NAME, videos of equal names.
- `intphys`: the development set of IntPhys (Riochet et al. 2018, arXiv:1803.07616): O1 … O3, in each numbered scenes of
  four clips (frames under scene/, and a status.json that says whether the clip is possible). The two clips that are
  equal for longest make a pair: they have the same past.
- `grasp`: level 2 of GRASP (Jassim et al. 2023, arXiv:2311.09048): P_TEST/NNN.mp4 and IP_TEST/NNN.mp4. A test counts
  for each property in its name.
- `inflevel`: InfLevel-lab (Weihs et al. 2022): a folder for each of continuity, gravity and solidity, and beside it a
  table, for instance gravity.csv. A row is a pair: vid1_path, vid1_label, vid1_end_priming_2 and the same for vid2, as
  published with arXiv:2502.11831. Frames before the end of a video's priming are left out, as there.
- `intphys2`: IntPhys 2 (Bordes et al. 2025, arXiv:2506.09849): metadata.csv in the folder, in Main or in Debug, with
  file_name, condition, type and SceneIndex. A scene has four videos, 1_Possible, 1_Impossible, 2_Possible and
  2_Impossible: two pairs, which are a set where all four are equally long. The held-out part has no types.

The two clips of a pair are cut to the same length and never padded. Neighbouring pairs of equal length come together,
some at a time. Missing files are named before anything is read, because a set may take hours.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import wraps
from itertools import groupby, islice, permutations
from pathlib import Path
from typing import NamedTuple, ParamSpec

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from foretell.data.images.decode import Unusable, decode
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
"""A test of level 2 -> its properties. A number at the end of a test's name is another version of the test."""
INFLEVEL = {"continuity": "permanence", "gravity": "gravity", "solidity": "solidity"}
TOGETHER = 16
"""Pairs at a time."""
SIDES = ("possible", "impossible")
TYPES2 = ("1_Possible", "1_Impossible", "2_Possible", "2_Impossible")
"""The videos of a scene of IntPhys 2."""

Clip = UInt8[Tensor, "_F 3 S S"]  # each of any length
P = ParamSpec("P")


def together(one_by_one: Callable[P, Iterator[Pairs]]) -> Callable[P, Iterator[Pairs]]:
    """Single pairs, in groups of neighbours that can be computed at once."""

    @wraps(one_by_one)
    def read(*args: P.args, **options: P.kwargs) -> Iterator[Pairs]:
        for _, run in groupby(one_by_one(*args, **options), lambda one: (one.names, one.sets, one.possible.shape)):
            while some := list(islice(run, TOGETHER)):
                possible, impossible = (torch.cat([getattr(one, side) for one in some]) for side in SIDES)
                yield replace(some[0], possible=possible, impossible=impossible)

    return read


@together
def pairs(folder: Path, size: int, fps: float | None = None, stride: int = 1) -> Iterator[Pairs]:
    """Pairs of a folder of videos; see the module. `fps` and `stride` as of `foretell.data.Clips`."""
    found = sorted(path.parent for path in folder.glob("*/possible") if (path.parent / "impossible").is_dir())
    if not found:
        raise ForetellError(f"{folder}: no PROPERTY/possible beside PROPERTY/impossible in it")
    every = [(place.name, both) for place in found for both in _twins(place / "possible", place / "impossible")]
    for name, both in every:
        yield _pair(name, both, *(_film(path, size, stride, fps) for path in both))


@together
def intphys(folder: Path, size: int, skip: int = 2) -> Iterator[Pairs]:
    """Pairs of IntPhys' development set, from every `skip`-th frame: the paper takes every second (15 a second).

    As in its released code, the last frame and what is not a whole step are left out: 49 frames of 100.
    """
    blocks = [name for name in INTPHYS if (folder / name).is_dir()]
    if not blocks:
        raise ForetellError(f"{folder}: none of {', '.join(INTPHYS)} in it, expected IntPhys' dev folder")
    scenes = [path for block in blocks for path in sorted((folder / block).iterdir()) if path.is_dir()]
    for scene, frames in [(scene, _clips(scene)) for scene in scenes]:
        possible, impossible = (
            [_decoded(paths[: _whole_steps(len(paths), skip)][::skip], size) for paths in frames[kind]]
            for kind in (True, False)
        )
        sets = len(possible) == 2 and len({len(clip) for clip in possible + impossible}) == 1
        for both in zip(possible, _matched(possible, impossible), strict=True):
            yield replace(_pair(INTPHYS[scene.parent.name], (scene,), *both), sets=sets)


def _whole_steps(frames: int, skip: int) -> int:
    """How many frames the released code reads: of 100, every second of 98."""
    return frames if skip == 1 else max((frames - 1) // skip, 1) * skip


@together
def grasp(folder: Path, size: int, skip: int = 10) -> Iterator[Pairs]:
    """Pairs of GRASP's level 2, from every `skip`-th frame: the paper takes every tenth (50 a second)."""
    found = sorted(path for path in folder.glob("P_*") if path.is_dir())
    if not found:
        raise ForetellError(f"{folder}: no P_TEST in it, expected the folder level2 of GRASP's videos")
    tests = [place.name.removeprefix("P_") for place in found]
    every = [(test, both) for test in tests for both in _twins(folder / f"P_{test}", folder / f"IP_{test}")]
    for test, both in every:
        first, *also = GRASP.get(test.rstrip("0123456789"), (test,))
        yield replace(_pair(first, both, *(_film(path, size, skip) for path in both)), also=tuple(also))


@together
def inflevel(folder: Path, size: int, skip: int = 5) -> Iterator[Pairs]:
    """Pairs of InfLevel-lab, from every `skip`-th frame: the paper takes every fifth."""
    tables = [path for name in INFLEVEL if (path := folder / f"{name}.csv").is_file()]
    if not tables:
        raise ForetellError(
            f"{folder}: none of {', '.join(f'{name}.csv' for name in INFLEVEL)} in it, expected the tables of pairs "
            "published with arXiv:2502.11831 (auxiliary_data_loading_files/inflevel) beside the folders of videos"
        )
    for name, sides in [(table.stem, sides) for table in tables for sides in _rows(table)]:
        clips = [_film(sides[side].path, size)[sides[side].start :] for side in SIDES]
        length = min(map(len, clips))  # they end together
        both = [side.path for side in sides.values()]
        yield _pair(INFLEVEL[name], both, *(clip[len(clip) - length :: skip] for clip in clips))


@together
def intphys2(folder: Path, size: int, fps: float | None = None, stride: int = 1) -> Iterator[Pairs]:
    """Pairs of IntPhys 2 (arXiv:2506.09849); see the module. `fps` and `stride` as of `foretell.data.Clips`."""
    table = next((path for part in ("", "Main", "Debug") if (path := folder / part / "metadata.csv").is_file()), None)
    if table is None:
        raise ForetellError(f"{folder}: no metadata.csv in it, in Main or in Debug, expected IntPhys 2's folder")
    for scene, videos in _scenes2(table):
        name = scene[0].lower()
        clips = {kind: _film(path, size, stride, fps) for kind, path in videos.items()}
        whole = len({len(clip) for clip in clips.values()}) == 1
        for number in ("1", "2"):
            both = [f"{number}_{side.capitalize()}" for side in SIDES]
            pair = _pair(name, [videos[kind] for kind in both], *(clips[kind] for kind in both))
            yield replace(pair, sets=whole)


LAYOUTS: dict[str, Callable[..., Iterator[Pairs]]] = {
    "pairs": pairs,
    "intphys": intphys,
    "grasp": grasp,
    "inflevel": inflevel,
    "intphys2": intphys2,
}
"""name -> reader of (folder, size, …)."""


def _pair(name: str, source: Iterable[Path], possible: Clip, impossible: Clip) -> Pairs:
    """A pair, as long as the shorter of both."""
    length = min(len(possible), len(impossible))
    possible, impossible = (clip[:length].transpose(0, 1).unsqueeze(0) for clip in (possible, impossible))
    return Pairs(name, possible, impossible, source=" and ".join(map(str, source)))


def _twins(possible: Path, impossible: Path) -> Iterator[tuple[Path, Path]]:
    """Files of the same names in both folders."""
    if not impossible.is_dir():
        raise ForetellError(f"{impossible}: not found, expected it beside {possible.name}")
    names, others = (
        {path.name for path in place.iterdir() if path.suffix.lower() in ENDINGS} for place in (possible, impossible)
    )
    if lonely := names ^ others:
        raise ForetellError(
            f"{possible.parent}: {min(lonely)} is in one of {possible.name} and {impossible.name} only; "
            "expected in both"
        )
    if not names:
        raise ForetellError(f"{possible}: no video in it, expected files that end in {', '.join(sorted(ENDINGS))}")
    yield from ((possible / name, impossible / name) for name in sorted(names))


def _film(path: Path, size: int, skip: int = 1, fps: float | None = None) -> Clip:
    """A video, from every `skip`-th frame."""
    return torch.from_numpy(read_video(path, size, fps=fps, stride=skip)[0])


def _possible(path: Path) -> bool:
    """The label in a status.json; releases differ in its place."""
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
        found = status["possible"] if "possible" in status else status["header"]["is_possible"]
    except (ValueError, KeyError, TypeError):
        raise ForetellError(f"{path}: says neither `possible` nor `header.is_possible`") from None
    return bool(found)


def _clips(scene: Path) -> dict[bool, list[list[Path]]]:
    """The frames of a scene's possible and of its impossible clips, in the order of their names."""
    kinds: dict[bool, list[list[Path]]] = {True: [], False: []}
    for clip in sorted(path for path in scene.iterdir() if (path / "status.json").is_file()):
        folder = clip / "scene"
        frames = sorted(folder.iterdir()) if folder.is_dir() else []
        frames = [path for path in frames if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
        if not frames:
            raise ForetellError(f"{folder}: no frame in it, expected files that end in .png or .jpg")
        kinds[_possible(clip / "status.json")].append(frames)
    if len(kinds[True]) != len(kinds[False]) or not kinds[True]:
        found = f"{len(kinds[True])} possible and {len(kinds[False])} impossible clips"
        raise ForetellError(f"{scene}: found {found}, expected as many of each")
    return kinds


def _decoded(frames: Sequence[Path], size: int) -> Clip:
    """A clip of pictures."""
    clip = []
    for path in frames:
        try:
            clip.append(decode(path, size))
        except (Unusable, OSError) as error:
            raise ForetellError(f"{path}: {error}") from None
    try:
        return torch.from_numpy(np.stack(clip))
    except ValueError as error:
        raise ForetellError(f"{frames[0].parent}: {error}") from None


class _Side(NamedTuple):
    """A video of a table, and its first frame after the priming."""

    path: Path
    start: int


def _rows(table: Path) -> Iterator[dict[str, _Side]]:
    """The pairs of a table of InfLevel, by their labels."""
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ForetellError(f"{table}: not a table in UTF-8 ({error})") from None
    for number, row in enumerate(rows, 2):
        sides: dict[str, _Side] = {}
        for video in ("vid1", "vid2"):
            try:
                path, label = table.parent / row[f"{video}_path"], row[f"{video}_label"]
                end = int(float(row[f"{video}_end_priming_2"]))
                if end < -1:
                    raise ValueError(f"{end} is no frame")
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise ForetellError(
                    f"{table}, line {number}: {error}, expected {video}_path, {video}_label and the last frame of the "
                    f"priming in {video}_end_priming_2"
                ) from None
            if not path.is_file():
                raise ForetellError(f"{table}, line {number}: {path} is not there")
            sides[label] = _Side(path, end + 1)
        if sides.keys() != set(SIDES):
            raise ForetellError(f"{table}, line {number}: labels {', '.join(sides)}, expected {' and '.join(SIDES)}")
        yield sides


def _scenes2(table: Path) -> list[tuple[tuple[str, str], dict[str, Path]]]:
    """The scenes of IntPhys 2, each with its condition and its four videos by their types. Nothing is decoded."""
    scenes: dict[tuple[str, str], dict[str, Path]] = {}
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ForetellError(f"{table}: not a table in UTF-8 ({error})") from None
    for number, row in enumerate(rows, 2):
        if not all(row.get(name) for name in ("file_name", "condition", "type", "SceneIndex")):
            raise ForetellError(f"{table}, line {number}: expected file_name, condition, type and SceneIndex")
        path = table.parent / row["file_name"]
        if row["type"] not in TYPES2:
            raise ForetellError(f"{table}, line {number}: type is {row['type']!r}, expected one of {', '.join(TYPES2)}")
        if not path.is_file():
            raise ForetellError(f"{table}, line {number}: {path} is not there")
        scenes.setdefault((row["condition"], row["SceneIndex"]), {})[row["type"]] = path
    for (condition, scene), videos in scenes.items():
        if lacking := [kind for kind in TYPES2 if kind not in videos]:
            raise ForetellError(
                f"{table}: scene {scene} of {condition} lacks {', '.join(lacking)}, expected four videos"
            )
    if not scenes:
        raise ForetellError(f"{table}: lists no video, expected four for each scene")
    return list(scenes.items())


def _matched(possible: list[Clip], impossible: list[Clip]) -> list[Clip]:
    """For each possible clip the impossible one with its past: together they are equal for longest."""

    def shared(order: tuple[int, ...]) -> int:
        return sum(_equal_for(p, impossible[i]) for p, i in zip(possible, order, strict=True))

    best = max(permutations(range(len(impossible))), key=shared)
    return [impossible[i] for i in best]


def _equal_for(a: Clip, b: Clip) -> int:
    """The number of equal frames at the start of two clips."""
    n = min(len(a), len(b))
    differs = (a[:n] != b[:n]).flatten(1).any(1)
    return int(differs.int().argmax()) if differs.any() else n
