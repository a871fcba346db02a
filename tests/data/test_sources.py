"""Folders, parquet files, torchvision's files, bundled photographs: the images found, and the errors if there are
none.
"""

import io
import json
import os
import re
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from foretell.data import folder, photographs
from foretell.data.photographs import CROPS, PHOTOGRAPHS, crop_boxes
from foretell.errors import ForetellError, ForetellWarning


def greys(images):
    return images.take(range(len(images)))[:, 0, 0, 0].tolist()


# Folders ------------------------------------------------------------------------------------------------------


def test_flat_folder(write, read):
    images = read(write("a.png", "b.PNG", "c.JPeG", "deep/er/d.bmp", "e.tif", "f.webp", "g.gif", "h.ppm"))
    assert len(images) == 8
    assert (images.labels, images.classes, images.skipped) == (None, (), ())
    assert images.pixels.shape == (8, 3, 4, 4)


def test_class_folders_are_labels_sorted_by_name(write, read):
    images = read(write("dog/1.png", "cat/1.png", "dog/2.png", "bird/9.png"))
    assert images.classes == ("bird", "cat", "dog")
    assert images.labels.tolist() == [0, 1, 2, 2]
    assert images.labels.dtype == torch.int64
    assert greys(images) == [3, 1, 0, 2]


@pytest.mark.parametrize(
    "names",
    [
        ("cat/1.png", "dog/1.png", "loose.png"),
        ("cat/1.png", "dog/deep/1.png"),
        ("photos/1.png", "photos/2.png"),
    ],
)
def test_other_folders_give_no_labels(write, read, names):
    images = read(write(*names))
    assert images.labels is None
    assert images.classes == ()
    assert len(images) == len(names)


def test_strays_beside_class_folders_are_skipped_with_reasons(write, read):
    names = [f"{kind}/{n}.png" for kind in ("cat", "dog") for n in range(3)]
    images = read(write(*names, "thumb.png", "dog/more/1.png"))
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert {each.name: each.reason for each in images.skipped} == {
        "thumb.png": "lies outside the class folders",
        "dog/more/1.png": "lies deeper than the class folders",
    }
    write(*names, "thumb.png", "other.png")  # as many outside as in a class: no strays
    images = read(write(*names))
    assert (len(images), images.labels, images.skipped) == (9, None, ())


def test_a_split_without_labels_leaves_those_of_the_other(write, divide):
    names = [f"{kind}/{n}.png" for kind in ("cat", "dog") for n in range(2)]
    train, held_out = divide(write(*(f"train/{name}" for name in names), "val/1.png", "val/2.png", "train/logo.png"))
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert train.classes == ("cat", "dog")
    assert [each.name for each in train.skipped] == ["train/logo.png"]
    assert (len(held_out), held_out.labels, held_out.classes) == (2, None, ())


def test_the_folders_of_tiny_imagenet(write, divide):
    names = [f"train/{kind}/images/{n}.png" for kind in ("cat", "dog") for n in range(2)]
    train, held_out = divide(write(*names, "val/images/1.png", "val/images/2.png"))
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert train.classes == ("cat", "dog")
    assert (len(held_out), held_out.labels, held_out.classes) == (2, None, ())


def test_pictures_beside_the_splits_are_told_of(write, read):
    root = write("train/cat/1.png", "train/dog/1.png", "val/dog/1.png", "loose.png", "new/1.png")
    with pytest.warns(ForetellWarning, match=r"loose\.png and 1 more left out, beside train/ and val/"):
        assert len(read(root)) == 2


@pytest.mark.parametrize("test", ["test", "val", "valid", "validation", "Test", "Testing", "dev"])
def test_split_folders(write, read, divide, test):
    root = write("train/cat/1.png", "train/dog/1.png", f"{test}/dog/1.png")
    assert greys(read(root)) == greys(read(root, split="train")) == [0, 1]
    assert greys(read(root, split="test")) == [2]
    train, held_out = divide(root)
    assert train.classes == held_out.classes == ("cat", "dog")
    assert held_out.labels.tolist() == [1]  # of the same classes, though the test split has no cat
    (root / "train").rename(root / "Training")
    assert greys(read(root)) == [0, 1]
    assert greys(read(root, split="test")) == [2]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train2017", "val2017"),
        ("TRAIN", "VAL"),
        ("train_set", "test_set"),
        ("trainset", "testset"),
        ("train-images", "val-images"),
        ("images_train", "images_val"),
        ("Training Images", "Validation Images"),
        ("outer/set/train", "outer/set/val"),
        ("images/train", "images/val"),
        ("trainval", "test"),
        ("a/b/c/train_2014", "a/b/c/eval_2014"),
    ],
)
@pytest.mark.parametrize("classes", [("cat/", "dog/"), ("images/cat/", "images/dog/"), ("",)], ids=len)
def test_splits_are_found_by_many_names_at_any_depth(write, divide, train, test, classes):
    names = [f"{split}/{folder}{n}.png" for split in (train, test) for folder in classes for n in range(2)]
    learned, held_out = divide(write(*names))
    half = len(names) // 2
    assert greys(learned) == list(range(half))
    assert greys(held_out) == list(range(half, len(names)))
    assert learned.classes == held_out.classes == (("cat", "dog") if len(classes) == 2 else ())


def test_splits_below_other_folders_are_one_each(write, divide):
    """As MVTec lays its pictures out; the folders above the splits are the classes."""
    learned, held_out = divide(
        write(*(f"{kind}/{part}/1.png" for kind in ("cup", "nut") for part in ("train", "test")))
    )
    assert (greys(learned), greys(held_out)) == ([0, 2], [1, 3])
    assert learned.classes == ("cup", "nut")


@pytest.mark.parametrize("name", ["train station", "bullet_train", "test pattern", "valley"])
def test_classes_that_begin_like_splits_stay_classes(write, read, name):
    assert read(write("car/1.png", f"{name}/1.png", "plane/1.png")).classes == tuple(sorted(("car", name, "plane")))


def test_folders_that_look_like_splits_and_are_none_are_told_of(write, read):
    root = write(*(f"fold_{n}/1.png" for n in range(5)))
    with pytest.warns(ForetellWarning, match=r"fold_0, fold_1, fold_2, fold_3, … were taken for classes; if they are"):
        assert len(read(root).classes) == 5


def test_a_validation_split_with_labels_comes_before_a_test_split_without(write, divide):
    names = [f"{split}/{kind}/1.png" for split in ("train", "val") for kind in ("cat", "dog")]
    with pytest.warns(ForetellWarning, match="test/ has no class folders, and val/ has"):
        _, held_out = divide(write(*names, "test/1.png"))
    assert held_out.labels.tolist() == [0, 1]


def test_a_class_is_one_by_whatever_system_its_name_was_written(write, divide):
    """macOS writes é as e and an accent; Linux keeps what it is given."""
    learned, held_out = divide(
        write("train/caf\u00e9/1.png", "train/dog/1.png", "val/cafe\u0301/1.png", "val/dog/1.png")
    )
    assert learned.classes == held_out.classes == ("caf\u00e9", "dog")
    assert held_out.labels.tolist() == [0, 1]


def test_a_class_without_training_pictures_is_named_and_not_scored(write, divide):
    root = write("train/cat/1.png", "train/dog/1.png", "test/dog/1.png", "test/eel/1.png", "test/eel/2.png")
    with pytest.warns(ForetellWarning, match=r"without a training sample, which are left out: eel \(2\)$"):
        _, held_out = divide(root)
    assert greys(held_out) == [2]
    write("train/cat/1.png", "train/dog/1.png", "test/eel/1.png", "test/cat/1.png")
    (root / "test" / "dog" / "1.png").unlink()
    (root / "test" / "cat" / "1.png").unlink()
    # a test split of which training knows no folder has no classes
    assert divide(root)[1].labels is None


def test_the_only_picture_of_a_class_is_learned_from(write, divide):
    root = write(*(f"{kind}/1.png" for kind in "abcdefgh"), *(f"z/{n}.png" for n in range(9)))
    learned, held_out = divide(root)
    assert set(held_out.labels.tolist()) == {8}
    assert set(learned.labels.tolist()) == set(range(9))


def test_classes_of_one_picture_each_are_not_used(write, divide):
    with pytest.warns(ForetellWarning, match="each class has one sample"):
        learned, held_out = divide(write(*(f"{kind}/1.png" for kind in "abcdef")))
    assert (len(learned), len(held_out), learned.labels, held_out.labels) == (5, 1, None, None)


def test_pictures_in_both_splits_are_told_of(write, root, divide):
    write("train/1.png", "train/2.png", "test/1.png", "test/2.png")
    noise = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    for copy in ("train/1.png", "test/2.png"):
        Image.fromarray(noise).save(root / copy)
    with pytest.warns(ForetellWarning, match="1 of 2 test pictures are training pictures too, pixel for pixel"):
        divide(root)


def test_files_of_other_kinds_are_counted_with_advice(write, root, read, encoded):
    write("a.png")
    (root / "scan1").write_bytes(encoded(7))  # without an ending, and a picture
    (root / "README").write_text("no picture")
    (root / "notes.txt").write_text("no picture")
    for name in ("b.HEIC", "c.heic", "d.dng", "e.psd"):
        (root / name).write_bytes(b"something")
    readable = ".heic" in folder.ENDINGS  # where pillow-heif is installed they are read, and are no pictures
    expected = f"{'' if readable else '2 .heic, '}1 without an ending, 1 .dng, 1 .psd left out"
    with pytest.warns(ForetellWarning, match=re.escape(expected)) as told:
        images = read(root)
    assert greys(images) == [0, 7]
    said = str(told[0].message)
    assert all(word in said for word in ("developed to JPEG", "saved as PNG"))
    assert ("pip install pillow-heif" in said) != readable
    assert ".txt" not in said


def test_test_is_preferred_to_validation(write, read):
    assert greys(read(write("train/1.png", "val/1.png", "test/1.png"), split="test")) == [2]


def test_train_alone_is_a_split_and_beside_other_classes_a_class(write, read):
    root = write("train/cat/1.png", "train/dog/1.png")
    assert read(root).classes == ("cat", "dog")
    write("car/1.png", "train/1.png", "plane/1.png")
    for name in ("cat", "dog"):
        (root / "train" / name / "1.png").unlink()
    assert read(root).classes == ("car", "plane", "train")


def test_hidden_and_foreign_files_are_left_out(write, read):
    root = write("a.png", ".b.png", "._a.png", "__MACOSX/a.png", ".ipynb_checkpoints/a.png")
    (root / "notes.txt").write_text("no image")
    assert len(read(root)) == 1


def test_links(write, read, tmp_path, encoded):
    root = write("a.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.png").write_bytes(encoded(1))
    (root / "more").symlink_to(tmp_path / "elsewhere")
    (root / "circle").symlink_to(root)
    (root / "broken.png").symlink_to(root / "nothing.png")
    (root / "itself.png").symlink_to(root / "itself.png")
    os.mkfifo(root / "pipe.png")
    images = read(root)
    assert greys(images) == [0, 1]
    assert {each.name for each in images.skipped} == {"broken.png", "itself.png"}


def test_bad_images_are_skipped_with_reasons(write, read):
    root = write("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
    (root / "cat" / "0.png").write_bytes(b"")
    (root / "dog" / "1.png").write_bytes(b"no image")
    images = read(root)
    assert greys(images) == [0, 1, 3]
    assert images.labels.tolist() == [0, 0, 1]
    assert {each.name: each.reason for each in images.skipped} == {
        "cat/0.png": "empty file",
        "dog/1.png": "not an image, or damaged at its beginning",
    }
    assert read(root).skipped == images.skipped  # from the cache


def test_a_folder_named_like_the_bundled_photographs(write, read, root, monkeypatch):
    write("photographs/a.png")
    monkeypatch.chdir(root)
    assert len(read("./photographs")) == len(read(Path("photographs"))) == 1


def test_every_ending_that_is_decoded_is_found(root, read):
    for n, name in enumerate(("a.jfif", "b.jpe", "c.jp2", "d.avif", "e.pgm")):
        pillow = {".jp2": "JPEG2000", ".avif": "AVIF", ".pgm": "PPM"}.get(Path(name).suffix, "JPEG")
        Image.new("RGB", (16, 16), (40 * n,) * 3).save(root / name, pillow)
    assert greys(read(root)) == pytest.approx([0, 40, 80, 120, 160], abs=3)


# Parquet ------------------------------------------------------------------------------------------------------


def table(encoded, first=0, count=4, image="image", labels="label", names=None, path=True):
    rows = [{"bytes": encoded(first + n), **({"path": f"{n}.png"} if path else {})} for n in range(count)]
    columns = {image: rows} | ({labels: [n % 2 for n in range(count)]} if labels else {})
    made = pa.table(columns)
    features = {image: {"_type": "Image"}}
    if labels:
        features[labels] = {"_type": "ClassLabel", "names": names}
    if names:
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    return made


@pytest.mark.parametrize("folder", ["", "data"])
@pytest.mark.parametrize("test", ["test-00000-of-00001", "valid-00000-of-00001", "validation", "dev"])
def test_parquet_folder(root, read, divide, encoded, folder, test):
    (root / folder).mkdir(exist_ok=True)
    for part in range(2):
        one = table(encoded, first=4 * part, names=["ant", "bee"])
        pq.write_table(one, root / folder / f"train-0000{part}-of-00002.parquet", row_group_size=3)
    pq.write_table(table(encoded, 100, names=["ant", "bee"]), root / folder / f"{test}.parquet")
    (root / "logo.png").write_bytes(encoded(200))
    train, held_out = divide(root)
    assert greys(train) == list(range(8))
    assert greys(held_out) == [100, 101, 102, 103]
    assert train.labels.tolist() == [0, 1] * 4
    assert train.classes == held_out.classes == ("ant", "bee")
    one = root / folder / "train-00001-of-00002.parquet"
    assert greys(read(one)) == [4, 5, 6, 7]


def test_parquet_splits_by_folders(root, divide, encoded):
    for split in ("train", "test"):
        (root / "default" / split).mkdir(parents=True)
        pq.write_table(table(encoded, len(split)), root / "default" / split / "0000.parquet")
    assert [greys(part)[0] for part in divide(root)] == [5, 4]


@pytest.mark.parametrize("name", ["training_extra", "train_extra-0000", "trains", "part-0"])
def test_names_that_are_no_splits(root, read, encoded, name):
    pq.write_table(table(encoded), root / f"{name}.parquet")
    pq.write_table(table(encoded), root / "other.parquet")
    assert len(read(root)) == 8


@pytest.mark.parametrize(
    "columns",
    [
        {"img": "struct", "fine_label": [3, 3, 5, 5], "width": [9, 9, 9, 9]},
        {"picture": "binary", "kind": [3, 3, 5, 5]},  # the only integers
        {"a_mask": "other binary", "content": "large binary", "Label": [3, 3, 5, 5]},
        {"image": "no path", "label": ["b", "b", "d", "d"]},
        {"image": "struct", "label": [True, True, False, False]},
    ],
)
def test_columns_without_metadata(root, read, encoded, columns):
    data = [encoded(n) for n in range(4)]
    kinds = {
        "struct": lambda: pa.array([{"bytes": each, "path": None} for each in data]),
        "no path": lambda: pa.array([{"bytes": each} for each in data]),
        "binary": lambda: pa.array(data),
        "large binary": lambda: pa.array(data, pa.large_binary()),
        "other binary": lambda: pa.array([b"no", b"image", b"", None]),
    }
    made = {name: kinds[kind]() if isinstance(kind, str) else kind for name, kind in columns.items()}
    pq.write_table(pa.table(made), root / "x.parquet")
    images = read(root / "x.parquet")
    assert greys(images) == [0, 1, 2, 3]
    first = 1 if columns.get("label", [0])[0] is True else 0
    assert images.labels.tolist() == [first, first, 1 - first, 1 - first]
    assert len(images.classes) == 2


def test_row_numbers_are_no_labels(root, read, encoded):
    rows = pa.table({"image": [{"bytes": encoded(n)} for n in range(4)], "idx": [0, 1, 2, 3]})
    pq.write_table(rows, root / "x.parquet")
    assert read(root).labels is None


def test_hidden_labels_of_a_test_split(root, divide, encoded):
    pq.write_table(table(encoded), root / "train.parquet")
    hidden = pa.table({"image": [{"bytes": encoded(9)}] * 2, "label": [-1, -1]})
    pq.write_table(hidden, root / "test.parquet")
    train, held_out = divide(root)
    assert train.classes == ("0", "1")
    assert (held_out.labels, held_out.classes) == (None, ())


def test_bad_rows_are_skipped(root, read, encoded):
    good, images = [{"bytes": encoded(n)} for n in (0, 4, 5)], [None, {"bytes": None}, {"bytes": b"no"}]
    made = pa.table({"image": [good[0], *images, *good[1:]], "label": [7, 7, 7, 7, None, 8]})
    pq.write_table(made, root / "x.parquet")
    found = read(root)
    assert greys(found) == [0, 5]
    assert found.classes == ("7", "8")
    assert [each.name for each in found.skipped] == [f"x.parquet row {n}" for n in (1, 2, 3, 4)]
    assert [each.reason[:20] for each in found.skipped] == [
        "the row holds no ima",
        "the row holds no ima",
        "not an image, or dam",
        "its label is missing",
    ]


@pytest.mark.parametrize(
    ("name", "column", "splits", "classes", "first"),
    [
        ("cifar10", "img", ("train", "test"), 10, "airplane"),
        ("tiny-imagenet-32", "image", ("train", "valid"), 200, "n01443537"),
    ],
)
def test_real_parquet(shared_data, root, divide, name, column, splits, classes, first):
    """The layout as published; of each file the first rows, for training enough to know every class."""
    for split, count in zip(splits, (2000, 150), strict=True):
        published = pq.ParquetFile(shared_data / name / f"{split}-00000-of-00001.parquet")
        rows = published.read_row_group(0, columns=[column, "label"]).slice(0, count)
        pq.write_table(rows, root / f"{split}-00000-of-00001.parquet")
    train, held_out = divide(root, size=32)
    assert (len(train), len(held_out)) == (2000, 150)
    assert len(train.classes) == classes
    assert train.classes[0] == first
    assert held_out.labels.tolist() == rows["label"].to_pylist()
    raw = rows[column][7].as_py()["bytes"]
    expected = np.asarray(Image.open(io.BytesIO(raw)).convert("RGB"))
    assert np.array_equal(held_out.take([7])[0].permute(1, 2, 0), expected)  # at its own size nothing is resampled
    assert not train.skipped


# torchvision --------------------------------------------------------------------------------------------------


@pytest.fixture
def mnist(root):
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", 6), ("t10k", 2)):
        pixels = np.arange(count, dtype=np.uint8).repeat(28 * 28)
        labels = np.arange(count, dtype=np.uint8)
        for name, shape, data in (("images-idx3", (count, 28, 28), pixels), ("labels-idx1", (count,), labels)):
            head = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
            (folder / f"{part}-{name}-ubyte").write_bytes(head + data.tobytes())
    return root


def test_torchvision_with_a_train_flag(mnist, divide):
    train, held_out = divide(f"torchvision:MNIST:{mnist}")
    assert greys(train) == train.labels.tolist() == list(range(6))
    assert greys(held_out) == [0, 1]
    assert train.classes[3] == "3 - three"


def test_torchvision_with_a_named_split(root, write, divide):
    top = "imagenette2"
    write(*(f"{top}/{split}/{name}/1.JPEG" for split in ("train", "val") for name in ("n01440764", "n02102040")))
    train, held_out = divide(f"torchvision:Imagenette:{root}")
    assert greys(train) == [0, 1]
    assert greys(held_out) == [2, 3]
    assert held_out.labels.tolist() == [0, 1]
    assert "English springer" in train.classes[1]


def test_torchvision_without_splits(root, write, read):
    images = read(f"torchvision:ImageFolder:{write('cat/1.png', 'dog/1.png')}")
    assert images.classes == ("cat", "dog")


# Photographs --------------------------------------------------------------------------------------------------


def test_photographs(divide, read, monkeypatch, tmp_path):
    assert len(PHOTOGRAPHS) * CROPS["train"] == 4096
    monkeypatch.setitem(CROPS, "train", 20)
    monkeypatch.setitem(CROPS, "test", 5)
    train, held_out = divide("photographs", size=8)
    assert (len(train), len(held_out)) == (160, 40)
    assert train.classes == held_out.classes == tuple(PHOTOGRAPHS)
    assert torch.bincount(train.labels).tolist() == [20] * 8
    assert not train.skipped
    assert train.take(range(160)).float().std(0).min() > 20
    other = read("photographs", size=8, seed=1)
    assert other.fingerprint != train.fingerprint
    assert not torch.equal(other.take(range(160)), train.take(range(160)))
    again = read("photographs", size=8, cache_dir=tmp_path / "new")
    assert torch.equal(again.take(range(160)), train.take(range(160)))


@pytest.mark.parametrize("size", [(451, 300), (300, 451), (512, 512)])
def test_crops_of_train_and_test_share_no_pixel(size):
    def covered(split):
        mask = np.zeros(size[::-1], bool)
        for left, top, right, bottom in crop_boxes(size, split, 300, np.random.default_rng(0)):
            assert right - left == bottom - top >= 0.19 * min(size)
            assert 0 <= left < right <= size[0]
            assert 0 <= top < bottom <= size[1]
            mask[top:bottom, left:right] = True
        return mask

    train, held_out = covered("train"), covered("test")
    assert not (train & held_out).any()
    assert (train | held_out).mean() > 0.9


# What is said -------------------------------------------------------------------------------------------------


def test_nothing_there(read, root, tmp_path):
    with pytest.raises(ForetellError, match=r"nowhere.*not found, expected a folder of images"):
        read(tmp_path / "nowhere")
    with pytest.raises(ForetellError, match="'': not found"):
        read("")
    with pytest.raises(ForetellError, match=r"no image in this folder .it holds no file at all"):
        read(root)
    (root / "a.dng").write_bytes(b"x")
    with pytest.raises(ForetellError, match=r"found 1 \.dng"):
        read(root)
    with pytest.raises(ForetellError, match="neither a folder nor a parquet file"):
        read(root / "a.dng")


def test_no_usable_image(write, read, root, cache_dir):
    write("a.png", "b.png")
    for path in root.iterdir():
        path.write_bytes(b"")
    with pytest.raises(ForetellError, match=r"pictures: no usable image among 2 \(a.png: empty file; b.png"):
        read(root)
    assert not [path for path in cache_dir.iterdir() if not path.name.endswith(".lock")]


def test_wrong_size_and_split(write, read):
    root = write("a.png")
    with pytest.raises(ForetellError, match="size is 0, expected a whole number"):
        read(root, size=0)
    with pytest.raises(ForetellError, match="split is 'dev', expected 'train' or 'test'"):
        read(root, split="dev")
    with pytest.raises(ForetellError, match="names no test split"):
        read(root, split="test")


def test_parquet_errors(root, read, encoded):
    path = root / "x.parquet"
    path.write_bytes(b"")
    with pytest.raises(ForetellError, match=r"x.parquet: not a whole parquet file"):
        read(path)
    pq.write_table(table(encoded, count=50), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ForetellError, match=r"x.parquet: not a whole parquet file"):
        read(root)
    path.write_bytes(whole[:4] + bytes(len(whole) // 3) + whole[4 + len(whole) // 3 :])
    with pytest.raises(ForetellError, match=r"x.parquet: not a whole parquet file"):
        read(root)
    pq.write_table(pa.table({"text": ["a"], "blob": [b"b"], "label": [1]}), path)
    with pytest.raises(ForetellError, match=r"x.parquet: no image column but text: string, blob: binary"):
        read(root)
    pq.write_table(table(encoded), path)
    pq.write_table(pa.table({"text": ["a"]}), root / "y.parquet")
    with pytest.raises(ForetellError, match=r"y.parquet: has no column 'image'"):
        read(root)


def test_torchvision_errors(mnist, read, tmp_path):
    for spec, said in {
        "torchvision:MNIST": "expected torchvision:NAME:ROOT",
        f"torchvision:Mnist:{mnist}": "no data set 'Mnist', did you mean .*MNIST",
        f"torchvision:zzzzzz:{mnist}": "expected a name of torchvision.datasets",
        f"torchvision:MNIST:{tmp_path / 'nowhere'}": "there is no folder",
        f"torchvision:CIFAR10:{mnist}": r"cannot open the train split .*not found or corrupted",
        f"torchvision:FakeData:{mnist}": "is not read from a folder",
        f"torchvision:VisionDataset:{mnist}": "is not read from a folder",
        f"torchvision:EMNIST:{mnist}": "EMNIST needs split beside its root.*name the folder of its images",
        f"torchvision:UCF101:{mnist}": "UCF101 needs annotation_path, frames_per_clip beside its root",
        f"torchvision:CocoDetection:{mnist}": "CocoDetection needs annFile beside its root",
    }.items():
        with pytest.raises(ForetellError, match=said):
            read(spec)


def test_photographs_that_are_missing(read, monkeypatch, tmp_path):
    monkeypatch.setattr("foretell.data.photographs.FOLDER", tmp_path)
    with pytest.raises(ForetellError, match=r"astronaut.webp is missing or damaged .*: install foretell again"):
        read("photographs")


def test_every_photograph_has_its_source():
    told = (photographs.FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    files = {file.name for file in photographs.FOLDER.iterdir()} - {"SOURCES.md"}
    assert files == set(PHOTOGRAPHS.values())
    assert all(f"| `{file}` |" in told for file in files)


def test_images_of_pillow_are_needed_from_torchvision(read, write):
    root = write("cat/1.png")
    with pytest.raises(ForetellError, match="torchvision"):
        read(f"torchvision:VOCSegmentation:{root}")
