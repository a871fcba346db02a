"""Video files of all kinds, made here by PyAV: the frames of their clips, and the reports of files that give none."""

import re
import struct
import wave
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from foretell.data import Clips, load, train_test
from foretell.data.items import Unusable
from foretell.data.video import DAMAGED, decode_video
from foretell.errors import ForetellError

from .conftest import reader

GREYS = 8  # a frame's grey is eight times its number: encoding may be off by less than half of that


@pytest.fixture
def film(tmp_path):
    """Write a video of frames whose grey is their number; `stamps` in thousandths of a second. Returns its path."""

    def write(
        name="a.mp4", count=24, codec="libx264", size=(48, 32), stamps=None, key=6, fps=25, picture=None, **options
    ):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps, options={"crf": "10"} if codec == "libx264" else {})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.gop_size = key
            for name, value in options.items():
                setattr(stream, name, value)
            if stamps is not None:
                stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            for number in range(count):
                pixels = np.full((size[1], size[0], 3), GREYS * number % 256, np.uint8) if picture is None else picture
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                if stamps is not None:
                    frame.pts, frame.time_base = stamps[number], Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture
def read(tmp_path):
    return reader(load, Clips, tmp_path / "cache", size=8, frames=4)


def numbers(clips):
    """The numbers of the frames, by their grey: [n, T]."""
    return np.rint(np.asarray(clips, float).mean(axis=(2, 3, 4)) / GREYS).astype(int).tolist()


def numbers_of(path, **cut):
    clips, damage = decode_video(path, Clips(8, **cut))
    assert damage is None
    assert clips.dtype == np.uint8
    return numbers(clips)


# Which frames -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mkv", "libx264"),
        ("a.avi", "mpeg4"),
        ("a.webm", "libvpx-vp9"),
        ("a.mov", "mpeg4"),
        ("a.ts", "libx264"),
        ("a.mpg", "mpeg2video"),
        ("a.mkv", "ffv1"),
    ],
)
def test_containers_and_codecs(film, name, codec):
    assert numbers_of(film(name, codec=codec), frames=4, clips=3) == [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]


def test_one_clip_is_from_the_middle_and_clips_are_spread_evenly(film):
    path = film(count=24)
    assert numbers_of(path, frames=4) == [[10, 11, 12, 13]]
    assert numbers_of(path, frames=4, stride=3) == [[7, 10, 13, 16]]
    assert numbers_of(path, frames=2, clips=4) == [[0, 1], [7, 8], [15, 16], [22, 23]]
    assert numbers_of(path, frames=23, clips=9) == [[*range(23)], [*range(1, 24)]]  # there are only two


def test_a_clip_out_of_the_middle_decodes_only_from_its_key_frame(film, monkeypatch):
    from foretell.data.video import frames as video

    path, seen, frames = film(count=30, key=5), [], video.frames_of
    monkeypatch.setattr(video, "frames_of", lambda packet: [seen.append(f.pts) or f for f in frames(packet)])
    assert numbers_of(path, frames=3) == [[13, 14, 15]]
    assert len(seen) <= 12  # of thirty


def test_frame_rates_are_resampled_by_time_stamps(film):
    steady = film("steady.mp4", count=24, fps=24)
    assert numbers_of(steady, frames=4, fps=8) == [[6, 9, 12, 15]]
    assert numbers_of(steady, frames=5, fps=48, clips=1) == [[10, 11, 11, 12, 12]]
    uneven = film("uneven.mkv", count=8, stamps=[0, 100, 200, 300, 700, 1100, 1500, 1600])
    # on display at 0, 250, 500, 750, 1000, 1250, 1500 milliseconds
    assert numbers_of(uneven, frames=6, fps=4, clips=9) == [[0, 2, 3, 4, 4, 5], [2, 3, 4, 4, 5, 6]]
    assert numbers_of(uneven, frames=8) == [[0, 1, 2, 3, 4, 5, 6, 7]]


# How they look ------------------------------------------------------------------------------------------------


def quarters(width, height):
    """Red, green, blue and white quarters: top left, top right, bottom left, bottom right."""
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = np.arange(height)[:, None] < height // 2, np.arange(width) < width // 2
    for where, colour in ((top & left, 0), (top & ~left, 1), (~top & left, 2)):
        picture[where, colour] = 255
    picture[~top & ~left] = 255
    return picture


def corners(clip):
    """The names of the colours of a clip's corners, in the same order."""
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    frame = clip[0] > 127
    return [names[tuple(frame[:, y, x].astype(int).tolist())] for y in (1, -2) for x in (1, -2)]


def test_rotation_in_the_metadata_is_undone(film):
    path = film(count=4, picture=quarters(32, 32), size=(32, 32))
    upright = corners(decode_video(path, Clips(16, 4))[0][0])
    assert upright == ["red", "green", "blue", "white"]
    data = path.read_bytes()
    place = data.index(b"tkhd") + 4 + 40  # the display matrix of the track's header
    one = 1 << 16
    for matrix, expected in (
        (
            (0, one, 0, -one, 0, 0, 0, 0, 1 << 30),
            ["blue", "red", "white", "green"],
        ),  # as phones held upright: 90° right
        ((-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30), ["white", "blue", "green", "red"]),
    ):
        path.write_bytes(data[:place] + struct.pack(">9i", *matrix) + data[place + 36 :])
        assert corners(decode_video(path, Clips(16, 4))[0][0]) == expected


def test_the_centre_is_kept_and_pixels_become_square(film):
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[:, 32:64] = 255
    clip = decode_video(film(count=4, picture=picture, size=(96, 32)), Clips(16, 4))[0][0]
    assert clip.mean() > 240
    wide = film("wide.mkv", count=4, picture=quarters(32, 64), size=(32, 64), sample_aspect_ratio=Fraction(2, 1))
    clip = decode_video(wide, Clips(16, 4))[0][0]  # 64 × 64 on display: nothing is cut off
    assert corners(clip) == ["red", "green", "blue", "white"]


# Files that give none -----------------------------------------------------------------------------------------


def test_bad_files_are_skipped_with_reasons(film, read, tmp_path):
    root = film("good.mp4").parent
    film("one.mp4", count=1)
    (root / "empty.mp4").write_bytes(b"")
    (root / "text.mp4").write_text("no video")
    (root / "gone.mp4").symlink_to(root / "nothing.mp4")
    whole = film("whole.mp4").read_bytes()
    (root / "whole.mp4").unlink()
    (root / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index was at the end
    (root / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    with wave.open(str(root / "sound.avi"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    videos = read(root)
    assert len(videos) == 1
    reasons = {each.name: each.reason for each in videos.skipped}
    assert reasons.keys() == {"one.mp4", "empty.mp4", "text.mp4", "gone.mp4", "cut.mp4", "list.mp4", "sound.avi"}
    assert reasons["one.mp4"] == "too short: 1 frames, and a clip spans 4"
    assert reasons["empty.mp4"] == "empty file"
    assert reasons["text.mp4"] == reasons["cut.mp4"] == "not a video, or damaged at its beginning"
    assert reasons["gone.mp4"] == "the file does not exist (a broken link?)"
    assert reasons["sound.avi"] == "no video in it, only sound"
    assert not any(str(tmp_path) in reason for reason in reasons.values())


def test_what_is_whole_of_a_truncated_video_is_kept(film, read):
    path = film("a.ts", count=24, key=4, size=(192, 128))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    videos = read(path, clips=2)
    assert 1 <= len(videos) <= 2
    assert max(max(clip) for clip in numbers(videos.pixels)) < 23


@pytest.mark.parametrize(
    ("stamps", "whole"), [(None, True), ([40 * n + 5000 for n in range(120)], True), (None, False)]
)
def test_a_video_that_ends_before_it_promises_to_is_said(film, read, stamps, whole):
    path = film("a.mkv", count=120, fps=25, key=4, size=(192, 128), stamps=stamps)
    if not whole:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
    videos = read(path.parent)
    assert len(videos) == 1
    reasons = [reason for _, reason in videos.skipped]
    assert whole or re.fullmatch(r"cut short: of 4\.8 seconds [12]\.\d are there; kept 1 clips", reasons[0])
    assert bool(reasons) != whole


def test_damage_in_the_middle_costs_only_the_clips_there(film, read, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    path = film("a.mp4", count=24, key=6, size=(96, 64), picture=noise)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat")
    third = (len(data) - start) // 3
    data[start + third : start + 2 * third] = bytes(third)
    path.write_bytes(data)
    clips, damage = decode_video(path, Clips(8, 4, clips=4))
    assert damage == DAMAGED
    assert 1 <= len(clips) < 4


def test_frames_too_large(film, monkeypatch):
    monkeypatch.setattr("foretell.data.video.frames.MAX_PIXELS", 1000)
    with pytest.raises(Unusable, match="megapixels"):
        decode_video(film(), Clips(8))


def test_any_bytes_are_a_video_or_a_reason(tmp_path, film):
    whole, chance = film(count=6).read_bytes(), np.random.default_rng(0)
    for _ in range(25):
        data = bytearray(whole)
        for place in chance.integers(0, len(data), 40):
            data[place] = chance.integers(256)
        (tmp_path / "any.mp4").write_bytes(data)
        with suppress(Unusable):
            clips, _ = decode_video(tmp_path / "any.mp4", Clips(8, 2))
            assert clips.shape[1:] == (2, 3, 8, 8)


# Sources ------------------------------------------------------------------------------------------------------


def test_class_folders_and_what_take_gives(film, read):
    for name in ("run/a.mp4", "walk/b.mkv", "walk/c.mp4"):
        root = film(name).parents[1]
    (root / "notes.txt").write_text("no video")
    videos = read(root, clips=2)
    assert videos.classes == ("run", "walk")
    assert videos.labels.tolist() == [0, 0, 1, 1, 1, 1]
    assert videos.pixels.shape == (6, 4, 3, 8, 8)
    assert isinstance(videos.pixels, np.memmap)
    batch = videos.take([0, 5])
    assert batch.shape == (2, 3, 4, 8, 8)
    assert batch.dtype == torch.uint8
    assert torch.equal(batch[1, :, 2], torch.from_numpy(np.array(videos.pixels[5, 2])))
    assert videos.subset([5, 0]).labels.tolist() == [1, 0]
    assert read(root, clips=2).fingerprint == videos.fingerprint
    assert read(root, clips=2, stride=2).fingerprint != videos.fingerprint


def test_train_and_test(film, tmp_path):
    for number in range(10):
        root = film(f"{number}.mp4", count=4).parent
    learn, test = train_test(root, Clips(8, frames=4), cache_dir=tmp_path / "cache", progress=False)
    assert (len(learn), len(test)) == (8, 2)


@pytest.mark.parametrize(
    ("lines", "classes", "labels"),
    [
        (["a.mp4 3", "with space/b.mp4 0"], ("0", "1", "2", "3"), [3, 0]),
        (["path,label", '"a.mp4",run', "with space/b.mp4,walk"], ("run", "walk"), [0, 1]),
        (["a.mp4\t1", "with space/b.mp4\t1"], ("0", "1"), [1, 1]),
        (["a.mp4", "with space/b.mp4"], (), None),
    ],
)
def test_lists(film, read, lines, classes, labels):
    root = film("a.mp4").parent
    film("with space/b.mp4")
    (root / "list.csv").write_text("\n".join([*lines, ""]))
    videos = read(root / "list.csv")
    assert videos.classes == classes
    assert (videos.labels if labels is None else videos.labels.tolist()) == labels
    assert len(videos) == 2


def test_a_list_with_a_missing_file_and_lists_that_are_none(film, read):
    root = film("a.mp4").parent
    (root / "list.csv").write_text("a.mp4 0\nb.mp4 1\n")
    assert [each.name for each in read(root / "list.csv").skipped] == ["b.mp4"]
    for text, said in (("", "empty"), ("a.mp4 0\nc.mp4\n", "has no label"), ("a,b,c,d\n", "expected 'path label'")):
        (root / "list.csv").write_text(text)
        with pytest.raises(ForetellError, match=said):
            read(root / "list.csv")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": "/no/such"}, "not found"),
        ({"frames": 0}, "frames is 0, expected a whole number"),
        ({"fps": -1.0}, "fps is -1, expected above 0"),
        ({"spec": "scenes:many"}, "scenes:N"),
        ({"spec": "scenes", "fps": 3.0}, "at another pace"),
        ({"split": "all"}, "split: found 'all'"),
    ],
)
def test_wrong_arguments(film, read, change, said):
    with pytest.raises(ForetellError, match=said):
        read(**({"spec": film()} | change))


def test_a_folder_without_a_video(read, tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(ForetellError, match="no video in this folder"):
        read(tmp_path)


def test_scenes(read):
    videos = read("scenes:8", frames=8)
    assert videos.pixels.shape == (8, 8, 3, 8, 8)
    assert "collide" in videos.classes
    assert len(read("scenes:8", frames=8, split="test")) == 1
