"""Images with captions, from every kind of file; what is wrong with one is a sentence."""

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from foretell.data import Captioned, Captions, load, train_test
from foretell.data.captions.text import LONGEST, cleaned
from foretell.data.dataset import joined
from foretell.errors import ForetellError


def png(grey):
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (grey,) * 3).save(file, "PNG")
    return file.getvalue()


def pictures(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).write_bytes(png(20 * number))


@pytest.fixture
def read(tmp_path):
    def reading(spec, verb=load, **given):
        return verb(spec, Captions(16), cache_dir=tmp_path / "cache", progress=False, **given)

    return reading


def greys(data):
    return [int(value) // 20 for value in data.take(range(len(data)))[:, 0, 8, 8]]


def all_of(data):
    """Number of each picture, and its captions."""
    return dict(zip(greys(data), data.texts(range(len(data))), strict=True))


def test_a_text_beside_each_picture(tmp_path, read):
    pictures(tmp_path / "own", "a.png", "b.png", "c.png")
    (tmp_path / "own" / "a.txt").write_text("a dog\n\na hound\n")
    (tmp_path / "own" / "b.txt").write_text("a cat")
    data = read(tmp_path / "own")
    assert isinstance(data, Captioned)
    assert all_of(data) == {0: ["a dog", "a hound"], 1: ["a cat"]}
    assert [(each.name, each.reason) for each in data.skipped] == [("c.png", "has no caption: no c.txt beside it")]
    assert data.labels is None


def test_splits_of_folders(tmp_path, read):
    for split, text in (("train", "a dog"), ("test", "a cat")):
        pictures(tmp_path / "own" / split, "a.png")
        (tmp_path / "own" / split / "a.txt").write_text(text)
    train, test = read(tmp_path / "own", train_test)
    assert (train.texts([0]), test.texts([0])) == ([["a dog"]], [["a cat"]])


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_beside_pictures(tmp_path, read, kind):
    folder = tmp_path / "own"
    pictures(folder / "images", "a.png", "b.png", "c.png")
    rows = [("a.png", "a dog, asleep"), ("b.png", "a cat"), ("a.png", "a hound"), ("d.png", "a bird")]
    table = folder / f"captions.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"file_name": [r[0] for r in rows], "caption": [r[1] for r in rows]}), table)
    elif kind == "jsonl":
        table.write_text("\n".join(json.dumps({"file_name": name, "caption": text}) for name, text in rows))
    else:
        mark = "," if kind == "csv" else "\t"
        table.write_text("\n".join([f"file_name{mark}caption", *(f'{name}{mark}"{text}"' for name, text in rows)]))
    for spec in (folder, table):
        data = read(spec)
        assert all_of(data) == {0: ["a dog, asleep", "a hound"], 1: ["a cat"]}
        told = {each.name: each.reason for each in data.skipped}
        assert told == {
            f"captions.{kind} row 4": "names d.png, which is not there",
            "images/c.png": f"has no caption: captions.{kind} does not name it",
        }


def test_a_column_of_splits_and_lists_of_captions(tmp_path, read):
    folder = tmp_path / "own"
    pictures(folder, "a.png", "b.png")
    lines = [
        {"image": "a.png", "captions": ["a dog", "a hound"], "split": "train"},
        {"image": "b.png", "captions": ["a cat"], "split": "val"},
    ]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    train, test = read(folder, train_test)
    assert (train.texts([0]), test.texts([0])) == ([["a dog", "a hound"]], [["a cat"]])


def test_coco(tmp_path, read):
    pictures(tmp_path / "coco" / "train2017", "1.png", "2.png")
    (tmp_path / "coco" / "annotations").mkdir()
    about = {
        "images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png"}, {"id": 3, "file_name": "3.png"}],
        "annotations": [
            {"image_id": 1, "caption": "a dog"},
            {"image_id": 1, "caption": "a hound"},
            {"image_id": 3, "caption": "a bird"},
        ],
    }
    file = tmp_path / "coco" / "annotations" / "captions_train2017.json"
    file.write_text(json.dumps(about))
    for spec in (file, tmp_path / "coco"):
        data = read(spec)
        assert data.texts([0]) == [["a dog", "a hound"]]
        assert [each.name for each in data.skipped] == ["2.png", "3.png"]
        assert "has no caption in captions_train2017.json" in data.skipped[0].reason
        assert "names it, and it is not in" in data.skipped[1].reason


def test_the_layout_of_karpathy(tmp_path, read):
    pictures(tmp_path / "set" / "images", "1.png", "2.png")
    images = [
        {"filename": "1.png", "split": "train", "sentences": [{"raw": "a dog"}, {"raw": "a hound"}]},
        {"filename": "2.png", "split": "test", "sentences": [{"raw": "a cat"}]},
    ]
    (tmp_path / "set" / "captions.json").write_text(json.dumps({"images": images}))
    train, test = read(tmp_path / "set", train_test)
    assert (train.texts([0]), test.texts([0])) == ([["a dog", "a hound"]], [["a cat"]])


def test_coco_small(shared_data, read):
    data = read(shared_data / "coco-small")
    assert len(data) == 51
    assert sum(map(len, data.texts(range(51)))) == 255
    assert data.skipped == ()


def test_parquet_with_bytes_and_labels(tmp_path, read):
    table = pa.table(
        {
            "image": [{"bytes": png(20 * n), "path": None} for n in range(4)],
            "caption": ["a dog", "a cat", "", "a bird"],
            "label": ["pet", "pet", "pet", "wild"],
        }
    )
    pq.write_table(table, tmp_path / "set.parquet")
    data = read(tmp_path / "set.parquet")
    assert all_of(data) == {0: ["a dog"], 1: ["a cat"], 3: ["a bird"]}
    assert data.classes == ("pet", "wild")
    assert data.labels.tolist() == [0, 0, 1]
    assert [each.reason for each in data.skipped] == ["has no caption"]


def test_parquet_with_paths_and_numbered_captions(tmp_path, read):
    pictures(tmp_path / "set" / "photos", "a.png", "b.png")
    (tmp_path / "set" / "data").mkdir()
    table = pa.table(
        {
            "image_path": ["photos/a.png", "photos/c.png"],
            "caption_0": ["a dog", "x"],
            "caption_1": ["a hound", "y"],
            "license": ["", ""],
        }
    )
    pq.write_table(table, tmp_path / "set" / "data" / "part.parquet")
    data = read(tmp_path / "set")
    assert all_of(data) == {0: ["a dog", "a hound"]}
    assert data.skipped[0].reason == "names photos/c.png, which is not there"


def test_shards_of_webdataset(tmp_path, read):
    shards = {
        "train-0.tar": {
            "1.png": png(0),
            "1.txt": b"a dog",
            "x/2.png": png(20),
            "x/2.json": b'{"caption": ["a cat", "a kitty"], "width": 20}',
            "3.png": png(40),
            "4.txt": b"a bird",
        },
        "test-0.tar": {"1.png": png(0), "1.json": b'{"sha": 1}', "1.txt": "ein Hund läuft".encode()},
    }
    (tmp_path / "shards").mkdir()
    for name, files in shards.items():
        with tarfile.open(tmp_path / "shards" / name, "w") as tar:
            for path, content in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    train, test = read(tmp_path / "shards", train_test)
    assert all_of(train) == {0: ["a dog"], 1: ["a cat", "a kitty"]}
    assert test.texts([0]) == [["ein Hund läuft"]]
    assert {each.name: each.reason.split(":")[0] for each in train.skipped} == {
        "train-0.tar 3": "has no caption",
        "train-0.tar 4": "holds no picture but .txt",
    }


def test_odd_texts():
    kept, odd = cleaned(
        ["  a\tdog\u0000 ", "", None, b"\xff", "a dog", "собака спит", "a dog 🐕", "word " * 400, "\ud800", "café"]
    )
    assert kept[:3] == ["a dog", "собака спит", "a dog 🐕"]
    assert kept[3].startswith("word word")
    assert len(kept[3]) <= LONGEST
    assert kept[4:] == ["café"]
    assert sorted(set(odd)) == [
        "empty (left out)",
        "in another script than Latin (kept)",
        "longer than 1,000 characters (cut)",
        "no UTF-8 (left out)",
        "with emoji (kept)",
    ]


def test_odd_texts_are_told_in_one_line(tmp_path, capsys):
    pictures(tmp_path / "own", "a.png", "b.png", "c.png")
    for name, text in (("a", "a dog\n🐕"), ("b", "кошка\n猫"), ("c", "a bird")):
        (tmp_path / "own" / f"{name}.txt").write_text(text, encoding="utf-8")
    load(tmp_path / "own", Captions(16), cache_dir=tmp_path / "cache")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Captions:")]
    assert lines == ["Captions: 2 in another script than Latin (kept), 1 with emoji (kept)."]


def test_scenes_and_photographs_together(tmp_path, read):
    pictures(tmp_path / "own", "a.png")
    (tmp_path / "own" / "a.txt").write_text("a dog")
    both = joined([read("captions:8"), read(tmp_path / "own")])
    assert set(both.columns) == {"pixels", "captions"}
    assert both.texts([8]) == [["a dog"]]
    assert both.subset([8, 0]).batch([0]).ragged("captions").texts() == [["a dog"]]


def test_bad_files_are_a_sentence(tmp_path, read):
    own = tmp_path / "own"
    pictures(own, "a.png")
    cases = {}
    (own / "captoins.csv").write_text("file_name,captoin\na.png,a dog\n")
    cases[own / "captoins.csv"] = (
        "no column of captions; found file_name, captoin, expected .*did you mean 'captoin' to be called"
    )
    (own / "b.csv").write_text("pciture,caption\na.png,a dog\n")
    cases[own / "b.csv"] = "no column of the names of pictures; found pciture"
    (own / "c.csv").write_text("file_name,caption\na.png,a dog, asleep\n")
    cases[own / "c.csv"] = "row 1 has 3 fields, expected 2, .* a caption with a comma needs quotes"
    (own / "d.jsonl").write_text('{"file_name": "a.png"\n')
    cases[own / "d.jsonl"] = "line 1 is no JSON"
    (own / "e.jsonl").write_text("[1]\n")
    cases[own / "e.jsonl"] = "line 1 is list, expected a record"
    (own / "f.csv").write_bytes("file_name,caption\na.png,caf\xe9\n".encode("latin-1"))
    cases[own / "f.csv"] = "is no UTF-8"
    (own / "g.json").write_text('{"images": []}')
    cases[own / "g.json"] = "lists no images"
    (own / "h.json").write_text('{"images": [{"id": 1, "file_name": "z.png"}], "annotations": []}')
    cases[own / "h.json"] = "names 1 images, such as z.png, and none of them was found near it"
    (own / "i.json").write_text('{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"bbox": []}]}')
    cases[own / "i.json"] = "has no 'caption' but bbox; .*the file of captions, not of instances"
    (own / "j.tar").write_bytes(b"no tar" * 200)
    cases[own / "j.tar"] = "not a whole tar file"
    (own / "k.tar.gz").write_bytes(b"")
    cases[own / "k.tar.gz"] = "ends in .gz"
    (own / "l.csv").write_text("file_name,caption\nx.png,a dog\n")
    cases[own / "l.csv"] = "no usable captioned image among 2 .*names x.png, which is not there"
    cases[tmp_path / "nowhere"] = "not found, expected captions:N"
    pictures(tmp_path / "silent", "a.png")
    cases[tmp_path / "silent"] = "holds no captions, expected"
    pq.write_table(pa.table({"image": [{"bytes": png(0), "path": ""}], "n": [1]}), own / "m.parquet")
    cases[own / "m.parquet"] = "no column of captions; found image, n"
    for spec, said in cases.items():
        with pytest.raises(ForetellError, match=said):
            read(spec)


def test_a_cut_tar(tmp_path, read):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("1.png")
        info.size = 5000
        tar.addfile(info, io.BytesIO(bytes(5000)))
    (tmp_path / "cut.tar").write_bytes(file.getvalue()[:3000])
    with pytest.raises(ForetellError, match="not a whole tar file"):
        read(tmp_path / "cut.tar")


def test_a_sample_is_the_same_from_every_kind_of_file(tmp_path, read):
    """Pixels and captions alone make the fingerprint."""
    pictures(tmp_path / "a", "1.png")
    (tmp_path / "a" / "1.txt").write_text("a dog")
    pq.write_table(pa.table({"image": [png(0)], "text": ["a dog"]}), tmp_path / "b.parquet")
    assert read(tmp_path / "a").fingerprint == read(tmp_path / "b.parquet").fingerprint
    assert np.array_equal(read(tmp_path / "a").pixels[0], read(tmp_path / "b.parquet").pixels[0])
