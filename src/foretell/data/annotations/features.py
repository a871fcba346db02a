"""Precomputed features of videos, from `.npy`, `.npz`, `.pt`, `.h5` or `.parquet`.

`features=DIR` names a folder with a file a video (`VIDEO.npy`, `VIDEO.pt` and so on), one HDF5 file with a data set a
video, or one Parquet file with columns `video`, `time` (in seconds) and `features` (a list).

Features of a video are either [F, D], a row a moment, at `fps=` rows a second (without it: the rows are spread over the
video's duration where annotations tell it, else one a second, as CrossTask's), or [S, P, D], of each of its steps. Of
rows in time a step takes those between its start and its end. With `count=P` it takes the means of P parts of them.

F rows · S steps · P latents a clip · D width
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from foretell.data.items import Unusable
from foretell.data.source import file_at, files_below
from foretell.errors import COUNT, POSITIVE, ForetellError, check_range
from foretell.extras import MissingExtra, needed

ENDINGS = (".npy", ".npz", ".pt", ".h5", ".hdf5", ".parquet")


@dataclass(frozen=True)
class Features:
    """Where the features of videos are, and how a step takes its part."""

    OPTIONS: ClassVar = ("features", "fps", "count")

    root: Path
    fps: float | None = None
    """Rows a second; None: see above."""
    count: int = 1
    """P."""
    identity: str = field(default="", compare=False)

    @staticmethod
    def of(options: Mapping[str, str]) -> Features:
        """From the options of a place. Raises ForetellError where there are no features, or an option is no number."""
        root = Path(os.path.realpath(os.path.expanduser(options["features"])))
        numbers: dict[str, Any] = {}
        for name, kind in (("fps", float), ("count", int)):
            try:
                numbers |= {name: kind(options[name])} if name in options else {}
            except ValueError:
                raise ForetellError(f"{name} is {options[name]!r}, expected a number") from None
        check_range("fps", numbers.get("fps"), POSITIVE)
        check_range("count", numbers.get("count"), COUNT)
        files = files_below(root) if root.is_dir() else [file_at(root)] if root.is_file() else []
        if not any((each.path or root.name).lower().endswith(ENDINGS) for each in files):
            raise ForetellError(f"features {root}: no features there, expected files that end in {', '.join(ENDINGS)}")
        return Features(root, **numbers, identity=f"{root} {numbers} {files}")

    def of_steps(self, video: str, spans: np.ndarray, duration: float | None = None) -> np.ndarray:
        """The features of a video's steps, float32 [S, P, D].

        Args:
            video: its name.
            spans: [S, 2], start and end of each step in seconds.
            duration: of the video in seconds; None where it is not known.

        Raises:
            Unusable: there are none, they have another shape, or a step lies after the video's end.
        """
        rows = self._of(video)
        if rows.ndim == 3:
            if len(rows) != len(spans):
                raise Unusable(f"its features are of {len(rows)} steps, and {len(spans)} are annotated")
            return rows.astype(np.float32)
        if rows.ndim != 2 or not rows.size:
            raise Unusable(f"its features are {list(rows.shape)}, expected [moments, width] or [steps, latents, width]")
        rate = self.fps or (len(rows) / duration if duration else 1.0)
        return np.stack(
            [self._part(rows, rate, start, end, place) for place, (start, end) in enumerate(spans.tolist(), 1)]
        )

    def _part(self, rows: np.ndarray, rate: float, start: float, end: float, place: int) -> np.ndarray:
        """[P, D]: the rows between two moments, as the means of P parts. A short step repeats its row."""
        first, last = int(np.floor(start * rate)), int(np.ceil(end * rate))
        if first >= len(rows) or end <= start:
            seconds = len(rows) / rate
            raise Unusable(
                f"step {place} is from {start:g} to {end:g} s, and the video's features end at {seconds:g} s"
            )
        part = rows[first : max(last, first + 1)]
        bounds = np.linspace(0, len(part), self.count + 1)
        return np.stack([part[int(a) : max(int(np.ceil(b)), int(a) + 1)].mean(0) for a, b in pairwise(bounds)]).astype(
            np.float32
        )

    def _of(self, video: str) -> np.ndarray:
        if self.root.is_file():
            return self._inside(self.root, video)
        for ending in ENDINGS:
            path = self.root / f"{video}{ending}"
            if path.is_file():
                return self._inside(path, None)
        raise Unusable("there are no features of it")

    def _inside(self, path: Path, video: str | None) -> np.ndarray:
        """The array in a file; of a file of several videos that of one."""
        ending = path.suffix.lower()
        with _spoken(path):
            if ending == ".npy":
                return np.load(path, allow_pickle=False)
            if ending == ".npz":
                with np.load(path, allow_pickle=False) as file:
                    return file[_key(file.files, video)]
            if ending == ".pt":
                return _tensor(path, video)
            if ending == ".parquet":
                return self._table[video] if video else _rows(path)
            h5py = needed("h5py", "reading HDF5")
            with h5py.File(path, "r") as file:
                return np.asarray(file[_key(list(file), video)])

    @cached_property
    def _table(self) -> dict[str, np.ndarray]:
        """Video -> rows in the order of their times, of one Parquet file."""
        needed("pyarrow", "reading Parquet")
        import pyarrow.parquet as pq

        columns = pq.read_table(self.root, columns=["video", "time", "features"]).to_pydict()
        rows = sorted(zip(columns["video"], columns["time"], columns["features"], strict=True), key=lambda row: row[:2])
        found: dict[str, list[Any]] = {}
        for video, _, features in rows:
            found.setdefault(video, []).append(features)
        return {video: np.array(some, np.float32) for video, some in found.items()}


@contextmanager
def _spoken(path: Path) -> Iterator[None]:
    """Whatever a reader raises becomes the reason to leave the video out."""
    try:
        yield
    except (Unusable, MissingExtra):
        raise
    except KeyError:
        raise Unusable("there are no features of it") from None
    except Exception as error:
        raise Unusable(f"{path.name} cannot be read as features ({str(error).splitlines()[0][:120]})") from None


def _key(names: list[str], video: str | None) -> str:
    """The array to take: that of the video, else `features`, else the only one."""
    for name in (video, "features", names[0] if len(names) == 1 and video is None else None):
        if name in names:
            return str(name)
    raise Unusable(
        "there are no features of it" if video else f"its file holds {', '.join(names)}, expected 'features'"
    )


def _tensor(path: Path, video: str | None) -> np.ndarray:
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, dict):
        found = found[_key(list(found), video)]
    return found.float().numpy()


def _rows(path: Path) -> np.ndarray:
    needed("pyarrow", "reading Parquet")
    import pyarrow.parquet as pq

    return np.array(pq.read_table(path, columns=["features"]).to_pydict()["features"], np.float32)
