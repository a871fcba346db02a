"""Decode photographs and videos, in this process or in a worker.

Each function is a generator, and takes and gives only what a worker can send. `here` and `foretell.workers.Worker.call`
both call one by its name.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from foretell.data import clips
from foretell.data.clipping import Clipping
from foretell.data.images import decode as images
from foretell.data.items import Unusable
from foretell.data.video import Film, decode_video, frames
from foretell.errors import ForetellError
from foretell.search.models import thumbnails
from foretell.workers.worker import Worker

STILL, MIDDLE, WHOLE = (f"{__name__}:{name}" for name in ("still", "middle", "whole"))
"""What is asked with."""
PHOTOGRAPH, STEP, FILM = (f"{__name__}:{name}" for name in ("photograph", "step", "film"))
"""What is added: the pixels come with a thumbnail."""
HTTP_PIXELS = 25_000_000
"""The most pixels of a photograph, and of a frame, that is sent over HTTP."""
QUERY_SECONDS, FILE_SECONDS = 30.0, 600.0
"""The most seconds of computing over HTTP: for the query of a search, and for a file that is added."""


@runtime_checkable
class Through(Protocol):
    """Calls a function of this module by its name."""

    def __call__(self, function: str, **arguments: Any) -> Iterator[Any]:
        """The values that the function gives."""
        ...


def here(function: str, **arguments: Any) -> Iterator[Any]:
    """Call it in this process."""
    return globals()[function.partition(":")[2]](**arguments)


def guarded(worker: Worker, seconds: float) -> Through:
    """Call it in a worker, for files of people on the network."""

    def through(function: str, **arguments: Any) -> Iterator[Any]:
        return worker.call(function, seconds, **arguments, most=HTTP_PIXELS)

    return through


def still(file: str | bytes, size: int, most: int = images.MAX_PIXELS) -> Iterator[np.ndarray]:
    """A photograph, from its path or the bytes of its file: uint8 [3, S, S].

    Raises:
        ForetellError: it is not a whole image, or has more than `most` pixels; the message is the reason.
    """
    with _told():
        raw = Path(file) if isinstance(file, str) else file
        _check_pixels(raw, most)
        yield images.decode(raw, size)


def middle(path: str, cut: dict[str, Any], most: int = images.MAX_PIXELS) -> Iterator[np.ndarray]:
    """The first of a video's clips: uint8 [T, 3, S, S]. Raises ForetellError as `still`."""
    with _told():
        _check_frames(path, most)
        yield decode_video(Path(path), Clipping(**cut))[0][0]


def whole(path: str, size: int, frames: int, most: int = images.MAX_PIXELS) -> Iterator[np.ndarray]:
    """A video as one clip, its frames spread over it: uint8 [T, 3, S, S]. Raises ForetellError as `still`."""
    with _told():
        _check_frames(path, most)
        try:
            yield clips.whole(path, size, frames)
        except ForetellError as error:
            raise ForetellError(str(error).removeprefix(f"{path}: ")) from None


def photograph(file: str | bytes, size: int, most: int = images.MAX_PIXELS) -> Iterator[tuple[np.ndarray, bytes]]:
    """As `still`, with a thumbnail of all of it."""
    with _told():
        raw = Path(file) if isinstance(file, str) else file
        _check_pixels(raw, most)
        pixels, small = images.decode_shown(raw, size, thumbnails.SIDE)
        yield pixels, thumbnails.of_picture(small)


def step(path: str, size: int, frames: int, most: int = images.MAX_PIXELS) -> Iterator[tuple[np.ndarray, bytes]]:
    """As `whole`, with a thumbnail."""
    count, side = thumbnails.frames_of(frames)
    for pixels in whole(path, size, frames, most):
        for shown in whole(path, side, count, most):
            yield pixels, thumbnails.of_frames(shown)


def film(path: str, cut: dict[str, Any], most: int = images.MAX_PIXELS) -> Iterator[Any]:
    """First the spans of a video's clips in seconds and its damage, then each clip's place, pixels and thumbnail.

    Raises:
        ForetellError: as `still`.
    """
    with _told():
        _check_frames(path, most)
        clipping = Clipping(**cut)
        found = Film(Path(path), clipping, thumbnails.frames_of(clipping.frames))
        yield found.spans, found.damage
        for place, pixels, shown in found.clips():
            yield place, pixels, thumbnails.of_frames(shown)


def _check_pixels(raw: Path | bytes, most: int) -> None:
    """Read the head of a photograph's file. A file that Pillow cannot open is left to `decode`, which says why."""
    if most == images.MAX_PIXELS:
        return
    width = height = 0
    with images.quiet_pillow(), suppress(Exception):  # Pillow's plugins raise errors of any type on bad files
        width, height = Image.open(io.BytesIO(raw) if isinstance(raw, bytes) else raw, formats=images.FORMATS).size
    if width * height > most:
        raise Unusable(f"{width} × {height} pixels are more than {most // 10**6} megapixels; send a smaller one")


def _check_frames(path: str, most: int) -> None:
    if most == images.MAX_PIXELS:  # `decode_video` looks itself
        return
    if not Path(path).stat().st_size:
        raise Unusable("empty file")
    with frames.reasons(), frames.opened(Path(path)) as (_, stream):
        if stream.codec_context.width * stream.codec_context.height > most:
            raise Unusable(f"frames of more than {most // 10**6} megapixels; send a smaller one")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (Unusable, OSError) as error:
        raise ForetellError(str(error)) from None
