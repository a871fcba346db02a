"""Annotated procedures: each layout by a small example, features from each kind of file, and what cannot be used."""

import gzip
import json

import numpy as np
import pytest
import torch

from foretell.data import StepLatents, load, train_test
from foretell.data.annotations.simulate import Simulated
from foretell.data.made import graphs
from foretell.errors import ForetellError


def video(*steps, task="MakeTea", subset="training", duration=60.0):
    annotation = [{"id": "1", "label": label, "segment": [start, end]} for label, start, end in steps]
    return {"class": task, "subset": subset, "duration": duration, "annotation": annotation}


VIDEOS = {
    "a": video(("pour hot water", 10.0, 20.0), ("boil water", 0.0, 10.0)),
    "b": video(("boil water", 0.0, 5.0), ("drink", 5.0, 9.0), ("clean up", 9.0, 12.0)),
    "c": video(("clean up", 0.0, 5.0), ("boil eggs", 5.0, 9.0), task="CookEggs", subset="testing"),
}


@pytest.fixture
def coin(tmp_path):
    path = tmp_path / "COIN.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"database": VIDEOS}).encode()))
    return path


def read(spec, tmp_path, **more):
    return load(spec, StepLatents(), cache_dir=tmp_path / "cache", progress=False, **more)


def test_coin(coin, tmp_path):
    train, test = train_test(f"coin:{coin}#width=6", StepLatents(), cache_dir=tmp_path / "cache", progress=False)
    assert train.lengths.tolist() == [2, 3]
    assert train.steps == test.steps  # names are those of all splits
    named = [train.steps[n] for n in train.batch([0]).ragged("step")[0].tolist()]
    assert named == ["boil water", "pour hot water"]  # in the order of time
    assert "clean up (make tea)" in train.steps
    assert "clean up (cook eggs)" in train.steps
    assert train.classes == ("cook eggs", "make tea")
    verbs, nouns = train.batch([0]).ragged("verb")[0], train.batch([0]).ragged("noun")[0]
    assert [train.names["verb"][n] for n in verbs] == ["boil", "pour"]
    assert [train.names["noun"][n] for n in nouns] == ["water", "water"]
    assert train.shape == (1, 6)
    assert train.clip(0, 1) == ("a", 10.0, 20.0)
    assert train.note == "Latents are simulated; the sequences of steps are real."
    assert train.fingerprint == read(f"coin:{coin}#width=6", tmp_path).fingerprint
    assert train.fingerprint != read(f"coin:{coin}#width=6", tmp_path, seed=1).fingerprint


def test_simulated_latents_have_the_shares_they_were_given():
    made = Simulated(0, step=0.5, task=0.2, video=0.1, width=4000)
    first, again = made.latents("one", "tea", ["boil", "boil"])[:, 0]
    (other,) = made.latents("two", "tea", ["pour"])[:, 0]
    assert np.mean(first * first) == pytest.approx(1, abs=0.1)
    assert np.mean(first * again) == pytest.approx(0.8, abs=0.1)  # all but the noise
    assert np.mean(first * other) == pytest.approx(0.2, abs=0.1)  # the task alone
    np.testing.assert_array_equal(first, made.latents("one", "tea", ["boil", "boil"])[0, 0])


def save(folder, name, ending, array):
    path = folder / f"{name}{ending}"
    if ending == ".npy":
        np.save(path, array)
    elif ending == ".npz":
        np.savez(path, features=array)
    elif ending == ".pt":
        torch.save(torch.from_numpy(array), path)
    elif ending == ".h5":
        h5py = pytest.importorskip("h5py", reason="HDF5 is read by h5py, which is not installed")
        with h5py.File(path, "w") as file:
            file["features"] = array
    else:
        pq = pytest.importorskip("pyarrow.parquet")
        import pyarrow as pa

        pq.write_table(pa.table({"features": array.tolist()}), path)


@pytest.mark.parametrize("ending", [".npy", ".npz", ".pt", ".h5", ".parquet"])
def test_features_of_a_step_are_the_mean_of_its_time(coin, tmp_path, ending):
    folder = tmp_path / "features"
    folder.mkdir()
    rows = np.arange(60, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    for name in ("a", "b", "c"):
        save(folder, name, ending, rows)
    data = read(f"coin:{coin}#features={folder}", tmp_path)
    assert data.note == ""
    assert data.batch([0]).ragged("latents")[0][:, 0, 0].tolist() == [4.5, 14.5]  # seconds 0 to 10, and 10 to 20
    halves = read(f"coin:{coin}#features={folder},count=2", tmp_path)
    assert halves.batch([0]).ragged("latents")[0][0, :, 0].tolist() == [2.0, 7.0]


def test_features_that_cannot_be_used(coin, tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    np.save(folder / "a.npy", np.ones((60, 3), np.float32))
    np.save(folder / "b.npy", np.ones((60, 5), np.float32))
    data = read(f"coin:{coin}#features={folder},fps=1", tmp_path)
    assert len(data) == 1
    assert "1 × 5 a step, and those of the first procedure 1 × 3" in data.skipped[0].reason
    np.save(folder / "b.npy", np.ones((7, 3), np.float32))
    data = read(f"coin:{coin}#features={folder},fps=1", tmp_path)
    assert "step 3 is from 9 to 12 s, and the video's features end at 7 s" in data.skipped[0].reason
    np.save(folder / "b.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    assert "cannot be read" in read(f"coin:{coin}#features={folder},fps=1", tmp_path).skipped[0].reason
    (folder / "b.npy").unlink()
    assert "no features of it" in read(f"coin:{coin}#features={folder},fps=1", tmp_path).skipped[0].reason


def test_procedures_that_cannot_be_used(tmp_path):
    videos = {
        "none": video(),
        "unnamed": video(("boil water", 0.0, 5.0), ("", 5.0, 6.0)),
        "late": video(("boil water", 0.0, 5.0), ("drink", 70.0, 80.0)),
        "good": VIDEOS["a"],
    }
    path = tmp_path / "COIN.json"
    path.write_text(json.dumps({"database": videos}))
    data = read(f"coin:{path}", tmp_path)
    reasons = {each.name: each.reason for each in data.skipped}
    assert reasons["none"] == "it has no steps"
    assert reasons["unnamed"] == "step 2 has no label"
    assert reasons["late"] == "step 2 starts at 70 s, and the video is 60 s long"
    assert len(data) == 1


def test_crosstask(tmp_path):
    (tmp_path / "annotations").mkdir()
    block = ["1", "Make Tea", "http://x", "2", "boil water,pour water", ""]
    (tmp_path / "tasks_primary.txt").write_text("\n".join(block))
    (tmp_path / "annotations" / "1_vid.csv").write_text("1,0.0,3.0\n2,4.0,6.0\n")
    (tmp_path / "annotations" / "1_other_1.csv").write_text("2,0.0,3.0\n")
    (tmp_path / "videos_val.csv").write_text("1,other_1,http://y\n")
    train, test = train_test(f"crosstask:{tmp_path}", StepLatents(), cache_dir=tmp_path / "c", progress=False)
    assert (train.lengths.tolist(), test.lengths.tolist()) == ([2], [1])
    assert train.steps == ("boil water", "pour water")
    (tmp_path / "annotations" / "1_vid.csv").write_text("3,0.0,3.0\n")
    with pytest.raises(ForetellError, match="step 3 is not one of the task's 2 steps"):
        read(f"crosstask:{tmp_path}", tmp_path)


def test_niv_windows_of_one_video_are_joined(tmp_path):
    first = {"id": {"vid": "x.npy", "task_id": 0, "legal_range": [[0, 1, 0], [2, 3, 1]]}}
    second = {"vid": "x", "task_id": 0, "legal_range": [[2, 3, 1], [4, 5, 2]]}
    (tmp_path / "train70.json").write_text(json.dumps([first, second]))
    (tmp_path / "steps.json").write_text(json.dumps(["jack up", "loosen nuts", "lower car"]))
    data = read(f"niv:{tmp_path}", tmp_path)
    assert [data.steps[n] for n in data.batch([0]).ragged("step")[0].tolist()] == [
        "jack up",
        "loosen nuts",
        "lower car",
    ]


def test_ego4d_has_verbs_and_nouns(tmp_path):
    def action(place, verb, noun):
        times = {"action_clip_start_sec": 2.0 * place, "action_clip_end_sec": 2.0 * place + 1}
        return {"clip_uid": "u", "action_idx": place, "verb": verb, "noun": noun, **times}

    clips = [action(1, "cut", "onion"), action(0, "take", "knife")]
    (tmp_path / "fho_lta_train.json").write_text(json.dumps({"clips": clips}))
    data = read(f"ego4d:{tmp_path}", tmp_path)
    assert [data.steps[n] for n in data.batch([0]).ragged("step")[0].tolist()] == ["take knife", "cut onion"]
    assert data.names["verb"] == ("cut", "take")
    assert data.labels is None


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("coin:/nowhere.json", "not found, expected coin:FILE"),
        ("nothing", "no procedures, expected"),
        ("graphs:many", "'many' is not a number of procedures"),
        ("graphs:8#branch=2", "branch is 2, expected 0 to 1"),
        ("graphs:8#step=0.9,task=0.3", "add up to 1.45, expected at most 1"),
        ("graphs:8#colour=1", "'colour' is not an option here"),
        ("graphs:8#step", "'step' after # is not an option"),
    ],
)
def test_places_that_cannot_be(spec, said, tmp_path):
    with pytest.raises(ForetellError, match=said):
        read(spec, tmp_path)


def test_a_file_of_another_layout(tmp_path):
    path = tmp_path / "COIN.json"
    path.write_text("[]")
    with pytest.raises(ForetellError, match="no field 'database'"):
        read(f"coin:{path}", tmp_path)
    path.write_text("{")
    with pytest.raises(ForetellError, match="cannot be read as JSON"):
        read(f"coin:{path}", tmp_path)


@pytest.mark.parametrize(
    ("video", "said"),
    [
        (video(("boil", "soon", 3.0)), r"segment is \['soon', 3.0\], expected \[start, end\] in seconds"),
        (video(("boil", 0.0, 3.0), duration="long"), "duration is 'long', expected seconds"),
    ],
)
def test_times_that_are_none(video, said, tmp_path):
    path = tmp_path / "COIN.json"
    path.write_text(json.dumps({"database": {"a": video}}))
    with pytest.raises(ForetellError, match=said):
        read(f"coin:{path}", tmp_path)


def test_a_step_that_ends_before_it_begins_leaves_its_video_out(tmp_path):
    path = tmp_path / "COIN.json"
    path.write_text(json.dumps({"database": VIDEOS | {"d": video(("boil water", 5.0, 3.0), ("drink", 6.0, 7.0))}}))
    (skipped,) = read(f"coin:{path}", tmp_path).skipped
    assert skipped.reason == "step 1 is from 5 to 3 s, expected an end after its start"


def test_branching_is_a_dial(tmp_path):
    def ways(spec):
        data = read(spec, tmp_path)
        return {tuple(row.tolist()) for row in (data.batch([n]).ragged("step")[0] for n in range(len(data)))}

    assert len(ways("graphs:60#branch=0,width=2")) == 3  # a way a task
    assert len(ways("graphs:60#branch=1,width=2")) > 12


def test_the_best_forecaster_of_graphs_by_hand():
    """Nine next steps: at chance two are right in 40 %, and the last step alone hides the order and the first way."""
    assert graphs.optimum(0.0) == {"forecast": 1.0, "sr 3": 1.0, "sr 4": 1.0}
    assert graphs.optimum(1.0)["forecast"] == pytest.approx((7 + 0.4 + 0.4) / 9)
    assert graphs.optimum(1.0, memory=1)["forecast"] == pytest.approx((6 + 0.4 + 0.4 + 0.0) / 9)
    assert graphs.optimum(1.0)["sr 4"] == pytest.approx((3 + 0.7 + 0.4 + 0.7 + 0.4) / 7)


def test_graphs_are_drawn_from_their_paths(tmp_path):
    known = graphs.paths(0.5)
    assert sum(share for _, share in known) == pytest.approx(1.0)
    assert len({path for path, _ in known}) == len(known)
    data = read("graphs:60#branch=1,width=2", tmp_path)
    names = {path for path, _ in known}
    for row in range(len(data)):
        nouns = [data.names["noun"][n] for n in data.batch([row]).ragged("noun")[0].tolist()]
        assert tuple(" ".join(noun.split("-")[2:]) for noun in nouns) in names
