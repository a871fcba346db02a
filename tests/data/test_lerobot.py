"""Episodes in LeRobot's layout, with lists of numbers; and episodes that are written here."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foretell.cli import main
from foretell.data import EpisodeClips, load, train_test
from foretell.data.made import pusher
from foretell.errors import ForetellError

from .conftest import film

FRAMES = 8


@pytest.fixture
def layout(tmp_path):
    """Five episodes of eight frames; the state is the frame's number in its first column."""

    def write(episodes=5, **info):
        root = tmp_path / "robot"
        for number in range(episodes):
            film(root / f"videos/chunk-000/top/episode_{number:06d}.mp4", FRAMES, grey=20)
            film(root / f"videos/chunk-000/wrist/episode_{number:06d}.mp4", FRAMES, grey=5)
            states = [[float(frame), 100.0 + number] for frame in range(FRAMES)]
            actions = [[0.5 * frame, -1.0] for frame in range(FRAMES)]
            table = pa.table(
                {"observation.state": states, "action": actions, "ee": actions, "index": list(range(FRAMES))}
            )
            path = root / f"data/chunk-000/episode_{number:06d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, path)
        said = {
            "codebase_version": "v2.1",
            "fps": 10,
            "total_episodes": episodes,
            "chunks_size": 1000,
            "splits": {"train": f"0:{episodes}"},
            "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
            "features": {
                "top": {"dtype": "video", "shape": [16, 16, 3]},
                "wrist": {"dtype": "video", "shape": [16, 16, 3]},
                "observation.state": {"dtype": "float32", "shape": [2], "names": {"motors": ["x", "y"]}},
                "action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]},
                "ee": {"dtype": "float32", "shape": [2], "names": None},
            },
        } | info
        (root / "meta").mkdir(exist_ok=True)
        (root / "meta" / "info.json").write_text(json.dumps(said))
        return root

    return write


def read(root, tmp_path, verb=load, **given):
    return verb(root, EpisodeClips(8, frames=4, **given), cache_dir=tmp_path / ".cache", progress=False)


def test_states_and_actions_are_lists(layout, tmp_path):
    data = read(layout(), tmp_path)
    assert (len(data), data.state_names, data.action_names) == (5, ("state_x", "state_y"), ("action_x", "action_y"))
    batch = data.batch([3])
    first = int(batch["states"][0, 0, 0])  # the middle of the video
    assert batch["states"][0].tolist() == [[first + n, 103.0] for n in range(3)]
    assert batch["actions"][0].tolist() == [[0.5 * (first + n), -1.0] for n in range(3)]
    assert np.abs(batch.pixels[0, 0, :, 4, 4].numpy() - 20.0 * (first + np.arange(4))).max() < 8


def test_other_features_are_read_where_they_are_asked_for(layout, tmp_path):
    data = read(layout(), tmp_path, state="", action="ee", camera="wrist")
    assert (data.state_names, data.action_names) == ((), ("action_0", "action_1"))
    assert data.batch([0]).pixels.max() < 60


def test_its_splits_are_taken_where_it_names_two(layout, tmp_path):
    learned, held_out = read(layout(splits={"train": "0:4", "test": "4:5"}), tmp_path, train_test)
    assert (len(learned), len(held_out)) == (4, 1)
    assert held_out.batch([0])["states"][0, 0, 1] == 104
    learned, held_out = read(layout(), tmp_path, train_test)
    assert (len(learned), len(held_out)) == (4, 1)


@pytest.mark.parametrize(
    ("info", "given", "said"),
    [
        ({"codebase_version": "v3.0"}, {}, r"codebase_version is 'v3\.0', expected v2\.0 or v2\.1"),
        ({}, {"state": "state"}, "no feature 'state', expected the state among observation.state, action, ee"),
        ({}, {"camera": "left"}, "camera is 'left', expected one of dtype video: top, wrist"),
        ({"splits": {"train": "0:9"}}, {}, r"splits\.train is '0:9', expected episodes of 0 to 5"),
        ({"features": None}, {}, "lacks features"),
    ],
)
def test_what_cannot_be_read_is_named(layout, tmp_path, info, given, said):
    with pytest.raises(ForetellError, match=said):
        read(layout(**info), tmp_path, **given)


def test_an_episode_without_its_files_is_left_out(layout, tmp_path):
    root = layout()
    (root / "data/chunk-000/episode_000002.parquet").unlink()
    data = read(root, tmp_path)
    assert len(data) == 4
    assert [(each.name, each.reason) for each in data.skipped] == [("episode 2", "episode_000002.parquet is not there")]


def test_episodes_of_the_pusher_are_written_as_they_are_read(tmp_path, capsys):
    main(["episodes", "pusher", "--out", str(tmp_path / "out"), "--n", "2", "--frames", "5", "--size", "16"])
    assert "4 files in" in capsys.readouterr().out
    data = load(tmp_path / "out", EpisodeClips(16, frames=5), cache_dir=tmp_path / ".cache", progress=False)
    assert (data.state_names, data.action_names) == (("state_x", "state_y"), ("action_x", "action_y"))
    for number in range(2):
        pixels, states, actions = pusher.episode(0, number, 5, 16)
        found = data.batch([number])
        np.testing.assert_allclose(found["states"][0], states[:-1], atol=1e-6)
        np.testing.assert_allclose(found["actions"][0], actions, atol=1e-6)
        assert np.abs(found.pixels[0].transpose(0, 1).numpy().astype(int) - pixels).mean() < 6
    with pytest.raises(SystemExit):
        main(["episodes", "pusher", "--out", str(tmp_path / "out")])
    assert "not an empty folder" in capsys.readouterr().err
