"""Videos that are no video files: folders of pictures, and animated WebP."""

import numpy as np
import pytest
from PIL import Image

from foretell.data import Clips, load
from foretell.data.video import read_video
from foretell.errors import ForetellError


def grey(value):
    return Image.new("RGB", (12, 10), (value, value, value))


@pytest.fixture
def folder(tmp_path):
    """Twelve frames, 1.png to 12.png: 2 comes before 10."""
    (tmp_path / "frames").mkdir()
    for number in range(1, 13):
        grey(20 * number).save(tmp_path / "frames" / f"{number}.png")
    return tmp_path / "frames"


@pytest.fixture
def animation(tmp_path):
    path = tmp_path / "a.webp"
    first, *others = [grey(20 * number) for number in range(1, 13)]
    first.save(path, save_all=True, append_images=others, duration=[100] * 6 + [200] * 6, lossless=True)
    return path


def test_a_folder_of_pictures_is_a_video(folder):
    pixels, seconds = read_video(folder, 4, fps=10)
    assert pixels[:, 0, 0, 0].tolist() == [20 * number for number in range(1, 13)]
    np.testing.assert_allclose(seconds, np.arange(12) / 10)
    assert read_video(folder, 4)[1][1] == pytest.approx(1 / 25)
    assert read_video(folder, 4, fps=10, stride=2)[0][:, 0, 0, 0].tolist() == [20, 60, 100, 140, 180, 220]


def test_an_animated_webp_is_a_video_with_its_own_times(animation):
    pixels, seconds = read_video(animation, 4)
    assert pixels[:, 0, 0, 0].tolist() == [20 * number for number in range(1, 13)]
    np.testing.assert_allclose(seconds, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6])
    again = read_video(animation, 4, fps=5)[0][:, 0, 0, 0].tolist()  # 1.8 seconds
    assert again == [20, 60, 100, 140, 160, 180, 200, 220, 240]


def test_animations_are_found_in_folders(animation, tmp_path):
    clips = load(tmp_path, Clips(8, frames=4), cache_dir=tmp_path / ".cache", progress=False)
    assert clips.take([0]).shape == (1, 3, 4, 8, 8)


def test_what_is_no_video_is_refused_by_its_kind(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ForetellError, match="a folder without pictures"):
        read_video(tmp_path / "empty", 4)
    grey(3).save(tmp_path / "still.webp")
    with pytest.raises(ForetellError, match=r"still\.webp: a picture, not a video"):
        read_video(tmp_path / "still.webp", 4)
    (tmp_path / "odd.webp").write_bytes(b"RIFF")
    with pytest.raises(ForetellError, match=r"odd\.webp: not an animation, or damaged"):
        read_video(tmp_path / "odd.webp", 4)
    (folder / "3.png").write_bytes(b"nothing")
    with pytest.raises(ForetellError, match=r"3\.png: not an image"):
        read_video(folder, 4)
    with pytest.raises(ForetellError, match="are joined first: ffmpeg"):
        load(folder, Clips(8, frames=4), cache_dir=tmp_path / ".cache", progress=False)
