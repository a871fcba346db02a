"""Clips of somebody or something that acts.

They come from a folder of videos, each with a table of the same name: `cup-3.csv` or `cup-3.parquet` beside
`cup-3.mp4`. Or from a folder in LeRobot's layout, see `lerobot`. Or they are made here: `pusher`, see
`foretell.data.made.pusher`.

A table has columns `state_*` and `action_*`. All are numbers, and each row is a frame: the state at that frame, and the
action that was done then. The last row may be missing, because nothing follows it.

- Without `action_*`, the actions are the changes of the state from frame to frame, as in V-JEPA 2-AC
  (arXiv:2506.09985, §3.1).
- Without `state_*`, there are no states.
- If frames are skipped (`fps`, `stride`), the actions of the skipped frames are added up.

F frames of a video · T of a clip · S state columns · A action columns
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from foretell.data.cache import Form, Stored
from foretell.data.columns import Column
from foretell.data.dataset import Episodes
from foretell.data.folder import find as find_videos
from foretell.data.images.decode import reason
from foretell.data.items import Item, Unusable, in_threads
from foretell.data.reads import Clips, EpisodeClips
from foretell.data.source import Contents, Source, Splits, files_below, identity
from foretell.errors import ForetellError
from foretell.extras import MissingExtra, needed

from . import lerobot
from .decode import ENDINGS, cut_video
from .form import decode_items
from .form import videos as form_of_videos

TABLES = (".csv", ".parquet")


class StepTable(NamedTuple):
    """What a table says of a video's frames."""

    states: np.ndarray
    """float64 [rows, S]."""
    actions: np.ndarray | None
    """float64 [rows, A]; None: the changes of the states."""

    def steps(self, frames: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """The steps of clips, for the frames [n, T] of a video of `length` frames.

        Returns:
            States before each step, float32 [n, T − 1, S], and actions, float32 [n, T − 1, A].
        """
        rows = len(self.states)
        expected = (length,) if self.actions is None else (length - 1, length)
        if rows not in expected:
            raise Unusable(f"its table has {rows} rows, and the video has {length} frames: expected a row a frame")
        if self.actions is None:
            actions = np.diff(self.states[frames], axis=1)
        else:
            done = np.concatenate([np.zeros_like(self.actions[:1]), self.actions.cumsum(0)])
            actions = np.diff(done[frames], axis=1)
        return self.states[frames[:, :-1]].astype(np.float32), actions.astype(np.float32)


def episodes(cut: Clips) -> Form[Episodes]:
    """Clips with their steps, for the cache."""
    videos = form_of_videos(Clips(cut.size, cut.frames, cut.fps, cut.stride, cut.clips))
    return Form(
        what="episodes",
        kind=_episodes,
        shape=videos.shape,
        key=f"episodes {videos.key}",
        decode=lambda items: in_threads(items, lambda some: decode_items(some, partial(_clips, cut=cut)), 1),
        each=cut.clips,
        before=_before,
        hashed=_hashed,
    )


def _episodes(stored: Stored) -> Episodes:
    return Episodes(
        stored.array("pixels"),
        None,
        (),
        stored.skipped,
        stored.fingerprint,
        states=stored.array("states"),
        actions=stored.array("actions"),
        state_names=stored.names["states"],
        action_names=stored.names["actions"],
    )


def _before(track: np.ndarray, columns: tuple[str, ...]) -> Stored:
    """In the cache's layout before, states and actions lay side by side in the place of labels [N, T − 1, S + A]."""
    names = _by_kind(columns)
    S = len(names["states"])
    return Stored({"states": track[..., :S], "actions": track[..., S:]}, None, (), names, (), "")


def _hashed(columns: Mapping[str, Column]) -> list[Column]:
    """As in the former layout, so that an episode's fingerprint stays the same."""
    states, actions = (np.array(columns[name]) for name in ("states", "actions"))
    return [np.concatenate([states, actions], -1)]


def _by_kind(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {
        "states": tuple(name for name in names if name.startswith("state_")),
        "actions": tuple(name for name in names if name.startswith("action_")),
    }


def find(root: Path, cut: EpisodeClips) -> Splits:
    """The splits of a folder of videos with tables. Raises ForetellError where there is no video, or no table."""
    if lerobot.is_lerobot(root):
        return lerobot.find(root, lerobot.FeatureMapping(cut.state, cut.action, cut.camera), StepTable)
    files = files_below(root)
    tables = [file for file in files if file.path.lower().endswith(TABLES)]
    beside = {file.path.rpartition(".")[0]: root / file.path for file in tables}
    splits = find_videos(root, files, ENDINGS, labels=False)
    if not tables:
        raise ForetellError(
            f"{root}: no table beside the videos, expected NAME.csv or NAME.parquet beside NAME.mp4, with columns "
            "state_* and action_*, a row a frame"
        )
    columns = _columns([root / file.path for file in tables])
    return {
        split: Source(
            source.name, identity(source.identity, tables), partial(_read, source.read, root, beside, columns)
        )
        for split, source in splits.items()
    }


def _read(
    read: Callable[[], Contents], root: Path, beside: dict[str, Path], columns: tuple[tuple[str, ...], tuple[str, ...]]
) -> Contents:
    states, actions = columns
    names = {"states": states, "actions": actions or tuple(f"action_{name.removeprefix('state_')}" for name in states)}

    def with_table(item: Item) -> Item:
        def both() -> tuple[Path, StepTable]:
            video, _ = item.read()
            if (table := beside.get(item.name.rpartition(".")[0])) is None:
                raise Unusable("no table of its name beside it")
            return video, _table(table, columns)

        return Item(item.name, both)

    contents = read()
    return Contents(contents.count, (), map(with_table, contents.items), names)


def _columns(tables: list[Path]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The state columns and the action columns of the first table that can be read, in its order."""
    why = ""
    for path in tables:
        try:
            names = list(_values(path))
        except Unusable as error:
            why = why or f"{path.parent}: {error}."
            continue
        found = _by_kind(names)
        if found["states"] or found["actions"]:
            return found["states"], found["actions"]
        why = why or (
            f"{path}: none of its columns {', '.join(names) or '(it has none)'} is state_* or action_*, expected "
            "numbers a frame, such as state_x, state_y, action_x, action_y."
        )
    raise ForetellError(why)


def _table(path: Path, columns: tuple[tuple[str, ...], tuple[str, ...]]) -> StepTable:
    values = _values(path)
    if missing := [name for name in (*columns[0], *columns[1]) if name not in values]:
        raise Unusable(f"{path.name}: no column {missing[0]!r}, which the other tables have")
    rows = len(next(iter(values.values())))
    states, actions = (
        np.array([_numbers(path, name, values[name]) for name in names]).reshape(len(names), rows).T
        for names in columns
    )
    return StepTable(states, actions if columns[1] else None)


def _values(path: Path) -> dict[str, Sequence[Any]]:
    """The columns of a table by name."""
    try:
        if path.suffix.lower() == ".parquet":
            needed("pyarrow", "reading Parquet")
            import pyarrow.parquet as pq

            return pq.ParquetFile(path).read().to_pydict()
        with path.open(encoding="utf-8-sig", newline="") as file:
            heading, *rows = [row for row in csv.reader(file) if row] or [[]]
        for number, row in enumerate(rows, 1):
            if len(row) != len(heading):
                raise Unusable(f"{path.name}: row {number} has {len(row)} fields, expected {len(heading)}")
        return {name.strip(): [row[place] for row in rows] for place, name in enumerate(heading)}
    except (Unusable, MissingExtra):
        raise
    except Exception as error:  # pyarrow raises errors of any type on bad files
        raise Unusable(f"{path.name}: cannot be read as a table ({reason(error)})") from error


def _numbers(path: Path, name: str, values: Sequence[Any]) -> list[float]:
    found = []
    for row, value in enumerate(values, 1):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise Unusable(f"{path.name}: column {name}, row {row} is {value!r}, expected a number")
        found.append(number)
    return found


def _clips(raw: Any, known: Any, cut: Clips) -> tuple[Mapping[str, np.ndarray], str | None]:
    """A video's clips with their steps; of one that was made, itself."""
    if isinstance(raw, Path) and isinstance(known, StepTable):
        cuts = cut_video(raw, cut)
        pixels, (states, actions), damage = cuts.pixels, known.steps(cuts.frames, cuts.length), cuts.damage
    elif isinstance(raw, np.ndarray):  # made, not decoded
        pixels, (states, actions), damage = raw[None], (steps[None] for steps in known), None
    else:
        raise Unusable("not a video")
    return {"pixels": pixels, "states": states, "actions": actions}, damage
