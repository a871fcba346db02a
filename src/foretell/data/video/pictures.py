"""A video that is no video file: a folder of pictures in the order of their names, or an animated WebP.

F frames
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from foretell.data.images.decode import decode, endings_of_images
from foretell.data.items import Unusable

RATE = 25.0
"""Frames a second of a folder of pictures, where nothing says how many."""


def made_of_pictures(path: Path) -> bool:
    """Whether a video is a folder of pictures, or an animated WebP, which FFmpeg does not read."""
    return path.is_dir() or path.suffix.lower() == ".webp"


class PictureFrames:
    """The frames of a folder or of an animation.

    Args:
        path: the folder, or the file.
        fps: how many pictures of a folder are a second; None for 25. An animation says it itself.

    Raises:
        Unusable: there is no picture, or no animation.
    """

    def __init__(self, path: Path, fps: float | None) -> None:
        self._path = path
        self._files: list[Path] = []
        if path.is_dir():
            self._files = sorted(
                (each for each in path.iterdir() if each.suffix.lower() in endings_of_images()), key=_natural
            )
            if not self._files:
                raise Unusable("a folder without pictures, expected the frames of a video")
            lasting = np.full(len(self._files), 1 / (fps or RATE))
        else:
            lasting = _durations(path)
        ends = lasting.cumsum()
        self.shown: np.ndarray = ends - lasting
        """float64 [F]: when each frame comes, in seconds."""
        self.end: float = float(ends[-1])
        """When the last one goes."""

    def read(self, wanted: np.ndarray, size: int) -> dict[int, np.ndarray]:
        """Some frames by number: uint8 [3, size, size] each. Raises Unusable where one is damaged."""
        if self._files:
            found: dict[int, np.ndarray] = {}
            for number in wanted.tolist():
                try:
                    found[number] = decode(self._files[number], size)
                except Unusable as error:
                    raise Unusable(f"{self._files[number].name}: {error}") from None
            return found
        with Image.open(self._path) as image:
            frames = {}
            for number in wanted.tolist():  # ascending, so that each frame is drawn upon those before
                image.seek(number)
                frames[number] = decode(image.convert("RGB"), size)
            return frames


def _durations(path: Path) -> np.ndarray:
    """Seconds that each frame of an animation stays."""
    try:
        with Image.open(path, formats=("WEBP",)) as image:
            if getattr(image, "n_frames", 1) < 2:
                raise Unusable("a picture, not a video")
            lasting = []
            for number in range(image.n_frames):  # type: ignore[attr-defined]
                image.seek(number)
                image.load()  # only then is the duration known
                lasting.append(max(float(image.info.get("duration") or 0), 1.0) / 1000)
    except Unusable:
        raise
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow's plugins raise errors of any type on bad files
        raise Unusable(f"not an animation, or damaged ({error})") from error
    return np.array(lasting)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Numbers by their value: 2.png before 10.png."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
