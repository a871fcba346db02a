"""Videos with a table of steps: which frames become a clip, and what is said of tables and videos that are wrong."""

import csv
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foretell.data import StepLatents, load
from foretell.data.clips import read as read_clip
from foretell.data.clips import whole
from foretell.data.procedures import NONE, ClipOf
from foretell.data.reads import ClipEncoder
from foretell.errors import ForetellError, ForetellWarning

from .conftest import film

GREY = 10
ENCODER = ClipEncoder(lambda x: x.float().mean((1, 3, 4))[..., None] / GREY, "greys", size=16, frames=4)
ROWS = [
    {"video": "a.mp4", "start": 1, "end": 2, "label": "pour milk", "task": "coffee", "verb": "pour", "noun": "milk"},
    {"video": "a.mp4", "start": 0, "end": 0.8, "label": "boil", "task": "coffee", "verb": "boil", "noun": ""},
    {"video": "b.mp4", "start": "0:00.4", "end": "00:01.2", "label": "boil", "task": "tea", "verb": "boil", "noun": ""},
    {"video": "b.mp4", "start": 1.2, "end": 2, "label": "drink", "task": "tea", "verb": "drink", "noun": ""},
]


def write(folder, rows, ending=".csv"):
    path = folder / f"steps{ending}"
    names = list(dict.fromkeys(name for row in rows for name in row))
    if ending == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows(rows)
    elif ending == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        pq.write_table(
            pa.table({name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in names}),
            path,
        )
    return folder


@pytest.fixture
def folder(tmp_path):
    """Two videos of two seconds, ten frames a second, a frame's grey ten times its number."""
    for name in ("a.mp4", "b.mp4"):
        film(tmp_path / "data" / name, 20, GREY)
    return tmp_path / "data"


@pytest.fixture
def read(tmp_path):
    def load_steps(spec, reads=None, **more):
        return load(spec, reads or StepLatents(ENCODER), cache_dir=tmp_path / "cache", progress=False, **more)

    return load_steps


def latents(data, row):
    return np.rint(data.batch([row]).ragged("latents").values[..., 0].numpy()).astype(int).tolist()


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_a_video_is_a_procedure_and_its_steps_are_in_order_of_time(folder, read, ending):
    data = read(write(folder, ROWS, ending))
    assert (len(data), data.classes, data.steps) == (2, ("coffee", "tea"), ("boil", "drink", "pour milk"))
    assert [data.steps[number] for number in data.batch([0]).ragged("step")[0]] == ["boil", "pour milk"]
    assert data.batch([0]).ragged("noun")[0].tolist() == [NONE, 0]
    assert data.clip(0, 1) == ClipOf(str(folder / "a.mp4"), 1.0, 2.0)
    assert data.clip(1, 0).start == pytest.approx(0.4)
    # four frames spread over 0 to 0.8 s of ten a second, and over 1 to 2 s
    assert latents(data, 0) == [[1, 3, 5, 7], [11, 13, 16, 18]]


def test_with_a_pace_the_clip_is_the_middle_of_its_step(folder, read):
    paced = StepLatents(ClipEncoder(ENCODER.encode, "paced", 16, 4, fps=10.0))
    data = read(write(folder, ROWS), paced)
    assert latents(data, 0) == [[2, 3, 4, 5], [13, 14, 15, 16]]
    short = [{"video": "a.mp4", "start": s, "end": s + 0.2, "label": "x"} for s in (0.0, 1.8)]
    assert latents(read(write(folder, short), paced), 0) == [[0, 1, 2, 3], [16, 17, 18, 19]]  # never beyond the video


def test_a_table_by_itself_splits_and_missing_columns(folder, read):
    rows = [{"video": v, "start": s, "end": s + 0.5, "label": "x"} for v in ("a.mp4", "b.mp4") for s in (0, 1)]
    data = read(write(folder, rows) / "steps.csv")
    assert (len(data), data.labels, data.classes) == (2, None, ())
    split = [row | {"split": "train" if row["video"] == "a.mp4" else "val"} for row in rows]
    write(folder, split)
    assert [len(read(folder, split=name)) for name in ("train", "test")] == [1, 1]


def test_folders_named_train_and_test_are_splits(tmp_path, read):
    for name in ("train/a.mp4", "test/b.mp4"):
        film(tmp_path / "data" / name, 20, GREY)
    rows = [
        {"video": v, "start": s, "end": s + 1, "label": str(s)} for v in ("train/a.mp4", "test/b.mp4") for s in (0, 1)
    ]
    write(tmp_path / "data", rows)
    assert [len(read(tmp_path / "data", split=name)) for name in ("train", "test")] == [1, 1]


def a_bad(**change):
    """Rows whose first one, the second step of a.mp4, is changed."""
    return [ROWS[0] | change, *ROWS[1:]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (a_bad(label=" "), "step 2 has no label"),
        (a_bad(end=1), r"step 2 \('pour milk'\) ends at 1 s, and starts at 1 s"),
        (a_bad(start=2, end=1.5), r"step 2 \('pour milk'\) ends at 1.5 s, and starts at 2 s"),
        (a_bad(start=0.5), r"step 2 \('pour milk'\) starts at 0.5 s, before step 1 ends at 0.8 s"),
        (a_bad(end=3), "step 2 is at 1 to 3 s, and the video is 2.0 s long"),
        (ROWS[1:], "it has one step; what comes next needs two or more"),
        ([row | {"video": row["video"].replace("a.mp4", "gone.mp4")} for row in ROWS], "this video is not there"),
    ],
)
def test_videos_that_are_wrong_are_skipped_with_a_sentence(folder, read, rows, said):
    data = read(write(folder, rows))
    assert len(data) == 1
    [(_, reason)] = data.skipped
    assert re.search(said, reason)


def test_a_damaged_video_is_skipped(folder, read):
    (folder / "a.mp4").write_bytes(b"no video")
    [skipped] = read(write(folder, ROWS)).skipped
    assert skipped == ("a.mp4", "not a video, or damaged at its beginning")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{"video": "a.mp4", "start": 0, "end": 1, "labels": "x"}],
            "no column 'label'; found video, start, end, labels, expected",
        ),
        (a_bad(start="soon"), "row 1: start is 'soon', expected seconds, or mm:ss, from 0 on"),
        (a_bad(start=-1), "row 1: start is '-1', expected seconds"),
        (a_bad(start="nan"), "row 1: start is 'nan', expected seconds"),
        (a_bad(video=""), "row 1 names no video"),
        (a_bad(task="tea"), "row 2: task is 'coffee', and 'tea' in a row before, expected one task a video"),
        ([row | {"split": "later"} for row in ROWS], "a.mp4 has split 'later', expected train or test"),
        ([row | {"split": "test"} for row in ROWS], "all videos are in split 'test'"),
        ([row | {"label": ""} for row in ROWS], "no step has a label"),
        (
            [{"video": "a.mp4", "start": 0, "end": 1, "label": "x"}],
            "no usable procedure among 1",
        ),
    ],
)
def test_tables_that_are_wrong_are_refused(folder, read, rows, said):
    with pytest.raises(ForetellError, match=said):
        read(write(folder, rows))


def test_columns_that_say_nothing_are_told_of(folder, read):
    with pytest.warns(ForetellWarning, match="left out: Task, note"):
        read(write(folder, [row | {"Task": "x", "note": "y"} for row in ROWS]))


def test_places_that_are_wrong_are_refused(folder, read, tmp_path):
    with pytest.raises(ForetellError, match=r"found no table of steps, expected one of steps\.csv"):
        read(folder)
    write(folder, ROWS)
    write(folder, ROWS, ".jsonl")
    with pytest.raises(ForetellError, match=r"found steps\.csv and steps\.jsonl, expected one of"):
        read(folder)
    with pytest.raises(ForetellError, match="nothing encodes them"):
        read(folder / "steps.csv", StepLatents())
    with pytest.raises(ForetellError, match="no procedures, expected procedures, a folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(ForetellError, match="not a table of steps"):
        read(folder / "a.mp4")
    (folder / "steps.csv").write_text("video,start,end,label\na.mp4,1\n")
    with pytest.raises(ForetellError, match="row 1 has 2 fields, expected 4"):
        read(folder / "steps.csv")
    (folder / "steps.csv").write_text("")
    with pytest.raises(ForetellError, match="it has no row"):
        read(folder / "steps.csv")
    (folder / "steps.jsonl").write_text("[1]\n")
    with pytest.raises(ForetellError, match="row 1 is"):
        read(folder / "steps.jsonl")
    (folder / "steps.jsonl").write_text("{\n")
    with pytest.raises(ForetellError, match="cannot be read as a table"):
        read(folder / "steps.jsonl")


def test_a_clip_that_cannot_be_had_is_told_of(folder):
    with pytest.raises(ForetellError, match="expected the video of a step"):
        read_clip(ClipOf(str(folder / "gone.mp4"), 0, 1), 16, 4)
    with pytest.raises(ForetellError, match=r"the video is 2\.0 s long"):
        read_clip(ClipOf(str(folder / "a.mp4"), 1, 9), 16, 4)
    assert read_clip(ClipOf(str(folder / "a.mp4"), 0, 1), 16, 4).shape == (4, 3, 16, 16)


def test_a_file_can_be_one_clip(folder):
    assert np.rint(whole(folder / "a.mp4", 16, 4).mean((1, 2, 3)) / GREY).tolist() == [2, 7, 12, 17]
    (folder / "a.mp4").write_bytes(b"no video")
    with pytest.raises(ForetellError, match="not a video, or damaged"):
        whole(folder / "a.mp4", 16, 4)
