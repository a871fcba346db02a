"""Episodes as LeRobot lays them out (v2.0 and v2.1): a table and a video of each camera for every episode.

    meta/info.json                              fps, features, splits, the patterns of the paths below
    data/chunk-000/episode_000000.parquet       a row a frame; states and actions are lists of numbers
    videos/chunk-000/CAMERA/episode_000000.mp4

S state columns · A action columns
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from foretell.data.items import Item, Unusable
from foretell.data.source import Contents, Source, Splits, file_at, identity, split_of
from foretell.errors import ForetellError
from foretell.extras import needed

VERSIONS = ("v2.0", "v2.1")


class FeatureMapping(NamedTuple):
    """Which features of the data are read."""

    state: str = "observation.state"
    """The state; empty for none."""
    action: str = "action"
    camera: str | None = None
    """None takes the first, in the order of info.json."""


class _Layout(NamedTuple):
    """What info.json says."""

    root: Path
    info: dict[str, Any]
    camera: str
    states: tuple[str, ...]
    actions: tuple[str, ...]

    def path(self, pattern: str, episode: int) -> Path:
        """The path of an episode's file."""
        places = {"episode_chunk": episode // int(self.info.get("chunks_size", 1000)), "episode_index": episode}
        return self.root / str(self.info[pattern]).format(**places, video_key=self.camera)


def is_lerobot(root: Path) -> bool:
    """Whether a folder is laid out so."""
    return (root / "meta" / "info.json").is_file()


def find(root: Path, mapping: FeatureMapping, table: Callable[[np.ndarray, np.ndarray], Any]) -> Splits:
    """The splits of a folder.

    Args:
        root: the folder.
        mapping: the features to read.
        table: makes the steps of an episode, of its states [rows, S] and actions [rows, A].

    Raises:
        ForetellError: the layout is another version's, or lacks a feature.
    """
    path = root / "meta" / "info.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version = info.get("codebase_version")
    except (OSError, ValueError, AttributeError) as error:
        raise ForetellError(f"{path}: cannot be read as a JSON object ({error})") from None
    if version not in VERSIONS:
        raise ForetellError(
            f"{path}: codebase_version is {version!r}, expected {' or '.join(VERSIONS)}: LeRobot converts others"
        )
    features = info.get("features")
    if not isinstance(features, dict) or not {"data_path", "video_path", "total_episodes"} <= info.keys():
        raise ForetellError(f"{path}: lacks features, data_path, video_path or total_episodes, expected LeRobot's info")
    cameras = [name for name, said in features.items() if said.get("dtype") == "video"]
    camera = mapping.camera or (cameras[0] if cameras else None)
    if camera is None or camera not in cameras:
        asked = f"camera is {camera!r}" if camera else "there is no camera"
        raise ForetellError(f"{path}: {asked}, expected one of dtype video: {', '.join(cameras) or 'none is there'}")
    states = _names(path, features, mapping.state, "state") if mapping.state else ()
    layout = _Layout(root, info, camera, states, _names(path, features, mapping.action, "action"))
    return {
        split: Source(
            name=root.name if split == "all" else f"{root.name} ({split})",
            identity=identity("lerobot", root, file_at(path), mapping, split, [_state(layout, n) for n in episodes]),
            read=partial(_read, layout, mapping, episodes, table),
        )
        for split, episodes in _splits(path, info).items()
    }


def _names(path: Path, features: dict[str, Any], key: str, what: str) -> tuple[str, ...]:
    """What the numbers of a feature are called, with the beginnings that tables have."""
    if key not in features:
        lists = [name for name, said in features.items() if len(said.get("shape", ())) == 1]
        raise ForetellError(f"{path}: no feature {key!r}, expected the {what} among {', '.join(lists)}")
    said = features[key]
    names = said.get("names")
    names = next(iter(names.values())) if isinstance(names, dict) and names else names  # {"motors": [...]}
    count = int(said["shape"][0])
    known = names if isinstance(names, list) and len(names) == count else list(range(count))
    return tuple(f"{what}_{name}" for name in known)


def _splits(path: Path, info: dict[str, Any]) -> dict[str, range]:
    """The episodes of each split: {"train": "0:50"}."""
    total = int(info["total_episodes"])
    found: dict[str, range] = {}
    for name, span in (info.get("splits") or {}).items():
        first, _, last = str(span).partition(":")
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) <= total):
            raise ForetellError(f"{path}: splits.{name} is {span!r}, expected episodes of 0 to {total}, such as '0:50'")
        if purpose := {"train": "train"}.get(split_of(name) or "", "test" if split_of(name) else None):
            found.setdefault(purpose, range(int(first), int(last)))
    return found if {"train", "test"} <= found.keys() else {"all": range(total)}


def _state(layout: _Layout, episode: int) -> str:
    told = []
    for pattern in ("data_path", "video_path"):
        path = layout.path(pattern, episode)
        told.append(str(file_at(path)) if path.is_file() else "missing")
    return " ".join(told)


def _read(layout: _Layout, mapping: FeatureMapping, episodes: range, table: Callable[..., Any]) -> Contents:
    def reader(episode: int) -> Callable[[], tuple[Path, Any]]:
        def both() -> tuple[Path, Any]:
            rows = _rows(layout.path("data_path", episode), [name for name in (mapping.state, mapping.action) if name])
            actions = rows[mapping.action]
            states = rows[mapping.state] if mapping.state else np.empty((len(actions), 0))
            return layout.path("video_path", episode), table(states, actions)

        return both

    items: Iterator[Item] = (Item(f"episode {n}", reader(n)) for n in episodes)
    return Contents(len(episodes), (), items, {"states": layout.states, "actions": layout.actions})


def _rows(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Columns of lists: float64 [rows, numbers] each."""
    needed("pyarrow", "reading Parquet")
    import pyarrow.parquet as pq

    if not path.is_file():
        raise Unusable(f"{path.name} is not there")
    found = pq.ParquetFile(path).read(columns=names).to_pydict()
    rows = {}
    for name in names:
        try:
            values = np.array(found[name], np.float64)
        except (KeyError, TypeError, ValueError):
            raise Unusable(f"{path.name}: column {name} holds no lists of numbers of one length") from None
        values = values.reshape(len(values), -1)
        if not np.isfinite(values).all():
            raise Unusable(f"{path.name}: column {name} holds NaN or infinity, expected numbers")
        rows[name] = values
    return rows
