"""Frames out of any video file that FFmpeg's libraries read, as uint8 [3, size, size], or the reason why not.

The packets' time stamps say first which frames there are. Then only the wanted frames are decoded, from the key frame
before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foretell.data.images.decode import MAX_PIXELS, reason
from foretell.data.items import Unusable
from foretell.extras import needed

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

FORMATS = "mov,matroska,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,asf,flv,ogg,gif,wav,mp3"
"""The formats of FFmpeg that are read, some of sound to say so. Of 350 more some read other files, or never end."""


@contextmanager
def reasons() -> Iterator[None]:
    """FFmpeg's message, as the reason why a video is unusable."""
    needed("av", "reading videos")
    import av

    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, av.InvalidDataError | av.EOFError):
            raise Unusable("not a video, or damaged at its beginning") from error
        raise Unusable(reason(error) if isinstance(error, OSError) else f"damaged: {error.strerror}") from error


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A file and its video stream. Raises Unusable where it has none that can be decoded."""
    needed("av", "reading videos")
    import av
    from av.stream import Disposition

    # A play list must not make FFmpeg ask the network, and a file name must not be taken for another protocol.
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
        # the cover of a song is a video stream too
        streams = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
        if not streams:
            raise Unusable("no video in it, only sound" if container.streams.audio else "no video in it")
        stream = streams[0]
        if stream.codec_context is None:
            raise Unusable("no decoder for its contents")
        # one thread: videos are decoded side by side
        stream.codec_context.thread_count = 1
        if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
            raise Unusable(f"frames of more than {MAX_PIXELS // 10**6} megapixels")
        yield container, stream


def told(path: Path) -> tuple[np.ndarray, np.ndarray, float, float]:
    """A video's metadata: the time stamps of its frames and of its key frames, seconds a unit, and its length.

    The length is in seconds, as the file says it; 0 where it does not.
    """
    if not path.stat().st_size:
        raise Unusable("empty file")
    with opened(path) as (container, stream):
        unit = float(stream.time_base or 1)
        alone = len(container.streams) == 1  # otherwise this may be the length of the sound
        promised = stream.duration * unit if stream.duration else (container.duration or 0) / 1e6 if alone else 0.0
        return *_stamps(container, stream), unit, promised


def _stamps(container: InputContainer, stream: VideoStream) -> tuple[np.ndarray, np.ndarray]:
    """The time stamps of all frames in the order of display, and of the key frames: int64, in the stream's unit."""
    shown: list[int | None] = []
    keys: list[int] = []
    for packet in _packets(container, stream):
        if packet.size and not packet.is_discard:
            shown.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
    if None in shown or len(set(shown)) < len(shown):  # a container without them: the decoder works them out
        container.seek(0)
        frames = [frame for packet in _packets(container, stream) for frame in frames_of(packet)]
        shown, keys = [frame.pts for frame in frames], []
    return np.unique([each for each in shown if each is not None]).astype(np.int64), np.unique(keys).astype(np.int64)


def decode(
    container: InputContainer, stream: VideoStream, wanted: np.ndarray, keys: np.ndarray, size: int
) -> dict[int, np.ndarray]:
    """The frames with the wanted time stamps (in order), without those that are damaged: uint8 [3, size, size]."""
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()  # keeps its tables from frame to frame
    kept: dict[int, np.ndarray] = {}
    for start, run in _runs(wanted, keys):
        if start is not None:
            container.seek(start, stream=stream)
        needed = set(run.tolist())
        for stamp, frame in until(container, stream, int(run[-1])):
            if stamp in needed and not frame.is_corrupt:
                kept[stamp] = square(frame, stream, reformatter, size)
    return kept


def _runs(wanted: np.ndarray, keys: np.ndarray) -> list[tuple[int | None, np.ndarray]]:
    """The wanted frames, in runs that no key frame would shorten, and the key frame to start from; None: the
    beginning.
    """
    if not len(keys):
        return [(None, wanted)]
    section = np.maximum(np.searchsorted(keys, wanted, side="right") - 1, 0)
    cuts = np.flatnonzero(np.diff(section) > 1) + 1
    starts = keys[section[np.concatenate([[0], cuts])]]
    return list(zip(starts.tolist(), np.split(wanted, cuts), strict=True))


def until(container: InputContainer, stream: VideoStream, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decoded frames up to a time stamp, with theirs."""
    for packet in _packets(container, stream):
        for frame in frames_of(packet):
            if frame.pts is not None:
                yield frame.pts, frame
                if frame.pts >= last:
                    return


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """The packets that can be read; a file that was cut short ends where it ends."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


def frames_of(packet: av.Packet[VideoStream]) -> list[av.VideoFrame]:
    """The frames that a packet completes; none if it is damaged."""
    import av

    try:
        return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
    except av.FFmpegError:
        return []


def square(frame: av.VideoFrame, stream: VideoStream, reformatter: VideoReformatter, size: int) -> np.ndarray:
    """The centre of a frame, upright and with square pixels: uint8 [3, size, size]."""
    wide = frame.width * float(stream.sample_aspect_ratio or 1)
    scale = size / min(wide, frame.height)
    width, height = max(size, round(wide * scale)), max(size, round(frame.height * scale))
    if width * height > MAX_PIXELS:
        raise Unusable(f"frames of {frame.width} × {frame.height} pixels")
    small = reformatter.reformat(frame, width, height, "rgb24", interpolation="BICUBIC", threads=1)
    left, top = (width - size) // 2, (height - size) // 2
    pixels = small.to_ndarray()[top : top + size, left : left + size]
    return np.rot90(pixels, round(frame.rotation / 90)).transpose(2, 0, 1)
