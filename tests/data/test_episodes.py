"""Videos with tables, and the table with the pusher: frames and actions."""

import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from foretell.data import Clips, EpisodeClips, load, train_test
from foretell.data.made import pusher
from foretell.data.made.pusher import LIMIT, RADIUS, RIM, TASKS, Table, episode, start
from foretell.errors import ForetellError

from .conftest import film, reader

FRAMES = 9


def write(path, columns):
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
        return
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


def steps(rows=FRAMES):
    """State 0, 1, 4, 9 …: its changes are 1, 3, 5 …; actions that are something else."""
    k = np.arange(rows)
    return {"note": ["x"] * rows, "state_x": k**2, "action_x": 10.0 * k, "action_y": -k}


@pytest.fixture
def folder(tmp_path):
    film(tmp_path / "data" / "one.mp4")
    write(tmp_path / "data" / "one.csv", steps())
    return tmp_path / "data"


@pytest.fixture
def read(tmp_path):
    return reader(load, EpisodeClips, tmp_path / "cache", size=8, frames=4)


def test_a_row_is_a_frame(folder, read):
    found = read(folder, clips=3)
    assert (found.state_names, found.action_names) == (("state_x",), ("action_x", "action_y"))
    assert (len(found), found.skipped, found.labels) == (3, (), None)
    batch = found.batch([1, 2])
    pixels, states, actions = batch.pixels, batch["states"], batch["actions"]
    assert pixels.shape == (2, 3, 4, 8, 8)
    assert states[..., 0].tolist() == [[4, 9, 16], [25, 36, 49]]  # clips from frames 2 and 5
    assert actions.tolist() == [[[20, -2], [30, -3], [40, -4]], [[50, -5], [60, -6], [70, -7]]]
    assert torch.equal(found.subset([2, 0]).batch([0])["states"], states[1:])
    assert torch.equal(found.take([1, 2]), pixels)


def test_folders_are_no_classes_and_no_episode_a_stray(folder, read):
    for name in ("a/1", "a/2", "b/1", "b/2"):
        film(folder / f"{name}.mp4")
        write(folder / f"{name}.csv", steps())
    found = read(folder)
    assert (len(found), found.skipped) == (5, ())


def test_without_actions_they_are_the_changes_of_the_state(folder, read):
    columns = steps()
    write(folder / "one.csv", {"state_x": columns["state_x"], "state_y": -columns["state_x"]})
    found = read(folder)
    assert found.action_names == ("action_x", "action_y")
    assert found.batch([0])["actions"][0].tolist() == [
        [5, -5],
        [7, -7],
        [9, -9],
    ]  # from frame 2


def test_without_states_there_are_none(folder, read):
    write(folder / "one.csv", {"action_x": np.arange(FRAMES)})
    assert read(folder).batch([0])["states"].shape == (1, 3, 0)


def test_actions_of_skipped_frames_are_added_up(folder, read):
    states, actions = read(folder, stride=2).steps([0])
    assert states[0, :, 0].tolist() == [1, 9, 25]  # frames 1, 3, 5 and 7
    assert actions[0, :, 0].tolist() == [10 + 20, 30 + 40, 50 + 60]
    still = read(folder, fps=20.0).batch([0])["actions"][0, :, 0].tolist()  # each frame is shown twice
    assert sorted(still)[:1] == [0.0]


def test_parquet_and_a_row_a_step_will_do_too(folder, read):
    first = read(folder).batch([0])
    (folder / "one.csv").unlink()
    write(folder / "one.parquet", steps(FRAMES - 1))
    second = read(folder).batch([0])
    assert all(torch.equal(first[name], second[name]) for name in ("pixels", "states", "actions"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state_x": [0, 1, "two", *range(3, FRAMES)]}, "bad.csv: column state_x, row 3 is 'two', expected a number"),
        ({"action_y": [*range(FRAMES - 1), "nan"]}, "bad.csv: column action_y, row 9 is 'nan', expected a number"),
        ({"action_y": None}, "bad.csv: no column 'action_y', which the other tables have"),
        ({"rows": FRAMES + 1}, "its table has 10 rows, and the video has 9 frames: expected a row a frame"),
        ({"rows": FRAMES - 2}, "its table has 7 rows, and the video has 9 frames: expected a row a frame"),
        (None, "no table of its name beside it"),
    ],
)
def test_an_episode_whose_table_is_wrong_is_left_out(folder, read, change, reason):
    film(folder / "bad.mp4")
    if change is not None:
        columns = steps(change.pop("rows", FRAMES)) | change
        write(folder / "bad.csv", {name: values for name, values in columns.items() if values is not None})
    write(folder / "a.csv", steps())  # the first table tells which columns there are
    found = read(folder)
    assert len(found) == 1
    assert [each.name for each in found.skipped] == ["bad.mp4"]
    assert found.skipped[0].reason == reason


def test_a_table_with_other_fields_in_a_row_is_said(folder, read):
    with (folder / "one.csv").open("a") as file:
        file.write("1,2\n")
    with pytest.raises(ForetellError, match=r"row 10 has 2 fields, expected 4"):
        read(folder)


def test_a_changed_table_is_read_anew(folder, read):
    before = read(folder)
    write(folder / "one.csv", steps() | {"action_x": np.arange(FRAMES)})
    assert read(folder).batch([0])["actions"][0, 0, 0] == 2.0
    assert before.batch([0])["actions"][0, 0, 0] == 20.0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere", "not found; expected a folder of videos, each with a table"),
        ("pusher:three", "expected pusher, or pusher:N"),
    ],
)
def test_what_is_no_source_is_said(spec, message, read):
    with pytest.raises(ForetellError, match=message):
        read(spec)


def test_a_folder_without_tables_or_columns_is_said(tmp_path, read):
    film(tmp_path / "data" / "one.mp4")
    with pytest.raises(ForetellError, match="no table beside the videos"):
        read(tmp_path / "data")
    write(tmp_path / "data" / "one.csv", {"x": [1] * FRAMES})
    with pytest.raises(ForetellError, match=r"none of its columns x is state_\* or action_\*"):
        read(tmp_path / "data")


def test_the_pusher_goes_where_it_is_told_and_no_farther():
    table = Table(start(0, 3))
    for body in table.bodies[1:]:
        body.position = 5.0, 5.0  # nothing in the way
    table.bodies[0].position = 0.5, 0.5
    assert np.allclose(table.step((0.05, -0.02)), (0.05, -0.02), atol=1e-6)
    assert np.allclose(table.step((1.0, 0.0)), (LIMIT, 0.0), atol=1e-6)
    for _ in range(8):
        table.step((1.0, 1.0))
    assert np.allclose(table.state, 1 - RIM - RADIUS, atol=1e-3)


def test_what_it_touches_is_pushed_and_stays_on_the_table():
    moved = 0
    for number in range(8):
        table = Table(start(1, number))
        before = table.places[1, :2]
        for _ in range(12):
            table.step(table.places[1, :2] - table.state)
        moved += np.linalg.norm(table.places[1, :2] - before) > 0.02
        assert (table.places[:, :2] > 0).all()
        assert (table.places[:, :2] < 1).all()
    assert moved >= 6


def test_episodes_are_functions_of_their_number():
    first, again, other = (episode(0, number, 4, 16) for number in (7, 7, 8))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    pixels, states, actions = first
    assert (pixels.shape, states.shape, actions.shape) == ((4, 3, 16, 16), (4, 2), (3, 2))
    assert np.allclose(states[1:] - states[:-1], actions)
    assert np.array_equal(pixels[0], Table(start(0, 7)).picture(16))


def test_the_pusher_is_a_data_set_like_others(tmp_path):
    options = {"cache_dir": tmp_path, "progress": False}
    train, test = train_test("pusher:16", EpisodeClips(16, frames=3), **options)
    assert (len(train), len(test)) == (16, 2)
    pixels, states, actions = episode(0, 5, 3, 16)
    found = train.batch([5])
    assert np.array_equal(found.pixels[0].transpose(0, 1).numpy(), pixels)
    assert np.array_equal(found["states"][0].numpy(), states[:-1])
    assert np.array_equal(found["actions"][0].numpy(), actions)
    videos = load("pusher:16", Clips(16, frames=3), **options)
    assert (videos.labels, videos.classes) == (None, ())
    assert torch.equal(videos.take([5]), found.pixels)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_can_be_done(name):
    """Going straight to where one has to go, or pushing straight on, does it."""
    for number in range(5):
        task = TASKS[name](0, number)
        table = Table(task.scene)
        begin = task.distance(table)
        assert begin > 0.15
        way = task.goal[task.who, :2] - table.places[task.who, :2]
        for _ in range(4):
            table.step(task.goal[0, :2] - table.state if task.who == 0 else 0.07 * way / np.linalg.norm(way))
        assert task.distance(table) < (0.01 if name == "reach" else begin)
        assert task.picture(16).shape == (3, 16, 16)
    assert pusher.reach(0, 1).who == 0
