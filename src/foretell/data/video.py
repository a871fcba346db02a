"""Clips out of any video file that FFmpeg's libraries read, as uint8 [n, T, 3, size, size], or the reason why not.

The packets' time stamps say first which frames there are; then only what the clips need is decoded, from the key
frame before it. So a clip out of a long film costs little, frame rates may vary, and nothing is read into memory but
the frames that are kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from foretell.errors import ForetellError, ForetellWarning, Range, within

from .cache import Form
from .decode import MAX_PIXELS, Decoded, Item, Label, Raw, Unusable, in_threads, reason
from .images import Skipped, Videos
from .source import Contents, Source, Splits, file_at, identity

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

ENDINGS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts"}
    | {".wmv", ".flv", ".ogv", ".3gp", ".gif"}
)
VERSION = 1  # raise it when the same video gives other clips
DAMAGED = "damaged: some frames cannot be decoded"


@dataclass(frozen=True)
class Cut:
    """How clips are cut out of a video.

    size: side of the square in pixels: the shorter side is resized to it, the centre kept.
    frames: of a clip.
    fps: frames a second after resampling by time stamps: at each moment the frame that was on display; None takes the
        frames as they come.
    stride: of these, every so many make the clip.
    clips: of a video at most, from its beginning to its end; one comes from the middle.
    """

    size: int
    frames: int = 16
    fps: float | None = None
    stride: int = 1
    clips: int = 1

    def __post_init__(self) -> None:
        within(self, **dict.fromkeys(("size", "frames", "stride", "clips"), Range(1, whole=True)))
        within(self, fps=Range(0, 1000, above=True))

    @property
    def span(self) -> int:
        """Frames from a clip's first to its last, before the stride."""
        return (self.frames - 1) * self.stride + 1


def videos(cut: Cut) -> Form[Videos]:
    """Clips cut in this way, for the cache."""
    return Form(
        "videos",
        Videos,
        (cut.frames, 3, cut.size, cut.size),
        f"video {VERSION} {astuple(cut)}",
        lambda items: in_threads(items, lambda some: decode_items(some, cut, partial(_clips, cut=cut)), 1),
        cut.clips,
    )


def find(path: Path) -> Splits:
    """The one split of a video file."""
    file = file_at(path)
    item = Item(path.name, lambda: (path, None))
    return {"all": Source(path.name, identity("video", path, file), lambda: Contents(1, (), [item]))}


def decode_video(path: Path, cut: Cut) -> tuple[np.ndarray, str | None]:
    """The clips of a video, and what is wrong with it if not all of them could be decoded, or not all of it is there.

    Returns:
        uint8 [n, T, 3, size, size], 1 ≤ n ≤ `cut.clips` (fewer where a video is too short for so many different ones,
        or damaged), and None or the damage.

    Raises:
        Unusable: no clip can be had; the message is the reason.
    """
    cuts = cut_video(path, cut)
    return cuts.pixels, cuts.damage


class Cuts(NamedTuple):
    """The clips of a video, and where they lie in it."""

    pixels: np.ndarray
    """uint8 [n, T, 3, size, size]."""
    frames: np.ndarray
    """int64 [n, T]: which frame of the video each is."""
    seconds: np.ndarray
    """float64 [n, T]: when it comes, after the first frame of the video."""
    length: int
    """Frames of the whole video."""
    damage: str | None
    """What is wrong with it, if not all clips could be decoded, or not all of it is there."""


def cut_video(path: Path, cut: Cut) -> Cuts:
    """As `decode_video`, and where the clips lie."""
    with _reasons():
        stamps, keys, unit, promised = _told(path)
        if not len(stamps):
            raise Unusable("holds no frame")
        times, end = _times(stamps, unit)
        plan = _plan(times, end, cut)
        wanted, kept = stamps[np.unique(plan)], {}
        # Some containers can only be entered behind the key frame that was asked for: those from their beginning.
        for starts in (keys, keys[:0]):
            with _opened(path) as (container, stream):
                kept |= _decode(container, stream, wanted, starts, cut.size)
            if len(kept) == len(wanted):
                break
    whole = plan[[all(stamp in kept for stamp in clip) for clip in stamps[plan].tolist()]]
    if not len(whole):
        raise Unusable(DAMAGED)
    pixels = np.stack([[kept[stamp] for stamp in clip] for clip in stamps[whole].tolist()])
    damage = _cut_short(times, end, stamps[0] * unit, promised) if len(whole) == len(plan) else DAMAGED
    return Cuts(pixels, whole, times[whole], len(stamps), damage)


class Film:
    """A video from end to end, as clips one after the other; the last one ends where the video ends.

    Args:
        path: of the file.
        cut: how; `clips` says nothing here.

    Raises:
        Unusable: no clip can be had; the message is the reason.
    """

    def __init__(self, path: Path, cut: Cut) -> None:
        self._path, self._cut = path, cut
        with _reasons():
            self._stamps, _, unit, promised = _told(path)
            if len(self._stamps) < 2:
                raise Unusable("holds one frame, or none: a picture, not a video")
            times, end = _times(self._stamps, unit)
            moments = _moments(times, end, cut)
            free = len(moments) - cut.span
            starts = np.append(np.arange(0, free, cut.span), free)
            self._plan = moments[starts[:, None] + np.arange(0, cut.span, cut.stride)]
            edges, ticks = np.stack([starts, starts + cut.span], 1), np.append(times, end)
            seconds = ticks[edges] if cut.fps is None else np.minimum(edges / cut.fps, end)
        self.spans: list[tuple[float, float]] = [(start, stop) for start, stop in seconds.round(3).tolist()]
        """Start and end of each clip, in seconds from the first frame."""
        self.damage = _cut_short(times, end, self._stamps[0] * unit, promised)
        """What is wrong with the video, if not all of it is there."""

    def clips(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each clip's place in `spans` and its pixels, uint8 [T, 3, size, size], without the damaged ones.

        The video is read once from its beginning; in memory are a clip's frames, and no others.
        """
        from av.video.reformatter import VideoReformatter

        reformatter, kept, place = VideoReformatter(), dict[int, np.ndarray](), 0
        plan = self._stamps[self._plan]
        needed = set(np.unique(plan).tolist())
        with _reasons(), _opened(self._path) as (container, stream):
            for stamp, frame in _until(container, stream, int(plan[-1, -1])):
                while place < len(plan) and plan[place, -1] < stamp:  # a frame of it was damaged
                    place += 1
                if stamp not in needed or frame.is_corrupt:
                    continue
                kept[stamp] = _square(frame, stream, reformatter, self._cut.size)
                while place < len(plan) and plan[place, -1] == stamp:
                    if all(each in kept for each in plan[place].tolist()):
                        yield place, np.stack([kept[each] for each in plan[place].tolist()])
                    place += 1
                if place < len(plan):
                    kept = {each: pixels for each, pixels in kept.items() if each >= plan[place, 0]}


def read_video(
    path: str | Path, size: int, *, fps: float | None = None, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """A whole video as uint8 [F, 3, size, size], and when each frame comes, in seconds [F] after the first.

    Arguments are as of `load_videos`. Of what is missing of a damaged video a `ForetellWarning` tells.

    Raises:
        ForetellError: the file is missing, or no frame can be had of it.
    """
    try:
        every = cut_video(Path(path), Cut(size, frames=1, fps=fps, clips=10**9))
    except FileNotFoundError:
        raise ForetellError(f"{path}: not found; expected a video file") from None
    except (Unusable, OSError) as error:
        raise ForetellError(f"{path}: {error}") from None
    if every.damage:
        warnings.warn(f"{path}: {every.damage}", ForetellWarning, stacklevel=2)
    return every.pixels[::stride, 0], every.seconds[::stride, 0]


Clips = Callable[[Raw, Label], tuple[np.ndarray, Sequence[Label], str | None]]
"""What an item gives: its clips, a label each, and what is wrong with it if not all of them could be had."""


def decode_items(items: list[Item], cut: Cut, clips_of: Clips) -> Decoded:
    """The clips of each item."""
    pixels, labels, skipped = [np.empty((0, cut.frames, 3, cut.size, cut.size), np.uint8)], [], []
    for item in items:
        try:
            clips, known, damage = clips_of(*item.read())
        except Exception as error:  # one bad video never stops the others
            skipped.append(Skipped(item.name, reason(error)))
            continue
        pixels.append(clips)
        labels += known
        if damage:
            skipped.append(Skipped(item.name, f"{damage}; kept {len(clips)} clips"))
    return Decoded(np.concatenate(pixels), labels, skipped, len(items))


def _clips(raw: Raw, label: Label, cut: Cut) -> tuple[np.ndarray, Sequence[Label], str | None]:
    """A video's clips; of one that is decoded already, itself."""
    if isinstance(raw, Path):
        clips, damage = decode_video(raw, cut)
        return clips, [label] * len(clips), damage
    if isinstance(raw, np.ndarray):
        return raw[None], [label], None
    raise Unusable("not a video")


@contextmanager
def _reasons() -> Iterator[None]:
    """What FFmpeg complains of, as the reason why a video is unusable."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, av.InvalidDataError | av.EOFError):
            raise Unusable("not a video, or damaged at its beginning") from error
        raise Unusable(reason(error) if isinstance(error, OSError) else f"damaged: {error.strerror}") from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    import av
    from av.stream import Disposition

    # A play list must not make FFmpeg ask the network, nor a file name pass for another protocol.
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
        # the cover of a song is a video stream too
        streams = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
        if not streams:
            raise Unusable("no video in it, only sound" if container.streams.audio else "no video in it")
        stream = streams[0]
        if stream.codec_context is None:
            raise Unusable("no decoder for what is in it")
        # one thread: videos are decoded side by side
        stream.codec_context.thread_count = 1
        if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
            raise Unusable(f"frames of more than {MAX_PIXELS // 10**6} megapixels")
        yield container, stream


def _told(path: Path) -> tuple[np.ndarray, np.ndarray, float, float]:
    """What a video tells: the time stamps of its frames and of its key frames, seconds a unit, and its length.

    The length is in seconds, as the file says it; 0 where it does not.
    """
    if not path.stat().st_size:
        raise Unusable("empty file")
    with _opened(path) as (container, stream):
        unit = float(stream.time_base or 1)
        alone = len(container.streams) == 1  # or else it may be the sound that is so long
        promised = stream.duration * unit if stream.duration else (container.duration or 0) / 1e6 if alone else 0.0
        return *_stamps(container, stream), unit, promised


def _cut_short(times: np.ndarray, end: float, first: float, promised: float) -> str | None:
    """What is wrong with a video that ends before it promises to. A long last picture may be meant."""
    longest = float(np.diff(times).max()) if len(times) > 1 else promised
    until = end + max(first, 0.0)  # some count from the first frame, and some from zero
    if promised - until <= max(1.0, 2 * longest):
        return None
    return f"cut short: of {promised:.1f} seconds {until:.1f} are there"


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
        frames = [frame for packet in _packets(container, stream) for frame in _frames(packet)]
        shown, keys = [frame.pts for frame in frames], []
    return np.unique([each for each in shown if each is not None]).astype(np.int64), np.unique(keys).astype(np.int64)


def _plan(times: np.ndarray, end: float, cut: Cut) -> np.ndarray:
    """Which frames make which clip: int64 [n, T] positions in `times`."""
    moments = _moments(times, end, cut)
    free = len(moments) - cut.span
    count = min(cut.clips, free + 1)
    starts = [free // 2] if count == 1 else [round(n * free / (count - 1)) for n in range(count)]
    return moments[np.array(starts)[:, None] + np.arange(0, cut.span, cut.stride)]


def _times(stamps: np.ndarray, unit: float) -> tuple[np.ndarray, float]:
    """When each frame comes, in seconds after the first, and when the last one goes: it stays as long as frames do."""
    times = (stamps - stamps[0]) * unit
    return times, times[-1] + (float(np.median(np.diff(times))) if len(times) > 1 else 0.0)


def _moments(times: np.ndarray, end: float, cut: Cut) -> np.ndarray:
    """The frames after resampling, as positions: at least a clip's. Raises Unusable where there are fewer."""
    if cut.fps is None:
        moments = np.arange(len(times))
    else:
        moments = np.searchsorted(times, np.arange(ceil(end * cut.fps - 1e-6)) / cut.fps + 1e-6, side="right") - 1
    if len(moments) < cut.span:
        rate = f" at {cut.fps:g} a second" if cut.fps else ""
        raise Unusable(f"too short: {len(moments)} frames{rate}, and a clip spans {cut.span}")
    return moments


def _decode(
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
        for stamp, frame in _until(container, stream, int(run[-1])):
            if stamp in needed and not frame.is_corrupt:
                kept[stamp] = _square(frame, stream, reformatter, size)
    return kept


def _runs(wanted: np.ndarray, keys: np.ndarray) -> list[tuple[int | None, np.ndarray]]:
    """What is wanted, in runs that no key frame would shorten, and the key frame to start from; None: the beginning."""
    if not len(keys):
        return [(None, wanted)]
    section = np.maximum(np.searchsorted(keys, wanted, side="right") - 1, 0)
    cuts = np.flatnonzero(np.diff(section) > 1) + 1
    starts = keys[section[np.concatenate([[0], cuts])]]
    return list(zip(starts.tolist(), np.split(wanted, cuts), strict=True))


def _until(container: InputContainer, stream: VideoStream, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decoded frames up to a time stamp, with theirs."""
    for packet in _packets(container, stream):
        for frame in _frames(packet):
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


def _frames(packet: av.Packet[VideoStream]) -> list[av.VideoFrame]:
    """The frames that a packet completes; none if it is damaged."""
    import av

    try:
        return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
    except av.FFmpegError:
        return []


def _square(frame: av.VideoFrame, stream: VideoStream, reformatter: VideoReformatter, size: int) -> np.ndarray:
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
