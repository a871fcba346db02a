"""Tables of feature vectors with labels and groups."""

import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foretell.data import Records, Vectors, load, train_test
from foretell.errors import ForetellError

FEATURES = np.random.default_rng(0).random((10, 3), np.float32)
LABELS, GROUPS = ["cat", "dog"] * 5, [0, 1, 2, 3, 0] * 2


@pytest.fixture
def read(tmp_path):
    return lambda path, verb=load: verb(path, Vectors(), cache_dir=tmp_path / "cache", progress=False)


def write(path, features=FEATURES, **columns):
    """A table in the layout that its ending says."""
    columns = {name: values for name, values in columns.items() if values is not None}
    if path.suffix == ".npz":
        np.savez(path, features=features, **columns)
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"embedding": list(features), **columns}), path)
    else:
        rows = {f"x{number}": features[:, number] for number in range(features.shape[1])} | columns
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([list(rows), *zip(*rows.values(), strict=True)])
    return path


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".csv"])
def test_every_layout_says_the_same(tmp_path, read, ending):
    data = read(write(tmp_path / f"table{ending}", labels=LABELS, group=GROUPS if ending != ".npz" else None))
    assert isinstance(data, Records)
    assert np.array_equal(data.batch(range(10))["features"].numpy(), FEATURES)
    assert data.labels.tolist() == [0, 1] * 5
    assert data.classes == ("cat", "dog")
    if ending != ".npz":
        assert data.batch([3])["groups"].tolist() == [3]
        assert data.names == {"groups": ("0", "1", "2", "3")}


def test_what_an_npz_holds_besides_is_left_out(tmp_path, read):
    data = read(write(tmp_path / "t.npz", groups=np.array(GROUPS), other=np.zeros(3)))
    assert list(data.columns) == ["features", "groups"]
    assert (data.labels, data.classes) == (None, ())


def test_rows_that_cannot_be_used_are_left_out(tmp_path, read):
    features = FEATURES.copy()
    features[2, 1] = np.nan
    labels = [*LABELS[:7], None, *LABELS[8:]]
    data = read(write(tmp_path / "t.parquet", features, label=labels))
    assert len(data) == 8
    assert [tuple(each) for each in data.skipped] == [
        ("row 2", "a number is missing or not finite"),
        ("row 7", "its label is missing"),
    ]
    assert data.labels.tolist() == [0, 1, 1, 0, 1, 0, 0, 1]


def test_it_is_divided_like_other_data(tmp_path, read):
    train, test = read(write(tmp_path / "t.csv", label=LABELS), train_test)
    assert (len(train), len(test)) == (8, 2)
    assert sorted(test.labels.tolist()) == [0, 1]
    assert train.batch([0])["features"].shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.npz", {"vectors": FEATURES}, "holds vectors, expected an array 'features'"),
        ("t.npz", {"features": FEATURES, "labels": np.zeros(9, int)}, "9 labels for 10 vectors, expected one for each"),
        ("t.npz", {"features": FEATURES[:, None, None]}, r"'features' is \[10, 1, 1, 3\], expected \[N\] or \[N, D\]"),
        ("t.npz", {"features": FEATURES, "labels": np.full(10, 0.5)}, "labels are 0.5 and the like, expected whole"),
        ("t.npz", {"features": np.array(["a"] * 10)}, "column 'features' holds other things than numbers"),
        ("t.npz", {"features": np.full((2, 2), np.inf)}, "no usable row among 2"),
        ("t.npz", b"not a table", "cannot be read as a table"),
        ("t.parquet", b"not a table", "cannot be read as a table"),
        ("t.csv", b"x,label\n1,a\n2\n", "row 2 has 1 fields, expected 2"),
        ("t.csv", b"name,label\nx,a\n", "column 'name' holds other things than numbers"),
        ("t.csv", b"label\na\n", "holds no column of features"),
        ("t.txt", b"", "not a table, expected a table that ends in .npz, .npy, .parquet, .csv"),
    ],
)
def test_what_is_no_table_is_said(tmp_path, read, name, content, said):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(ForetellError, match=said):
        read(path)


def test_nothing_there(tmp_path, read):
    with pytest.raises(ForetellError, match="not found, expected a table"):
        read(tmp_path / "t.csv")
