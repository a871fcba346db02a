"""Columns of any type and shape, lists of any length, and how they come out of a cache again."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.data import Batch, ColumnType, Dataset, Images, Ragged, Records
from foretell.data.cache import Form, cached
from foretell.data.column_files import ColumnWriter, open_column
from foretell.data.columns import Chain, Lists, chained, lists, several_texts, tensor, texts, type_of
from foretell.data.dataset import joined
from foretell.data.items import Decoded
from foretell.data.source import Contents, Source
from foretell.errors import ForetellError

CAPTIONS = [["a red car", "ein Auto"], [], ["naïve café", "", "東京"], ["one"]]
OUTLINES = [np.arange(6, dtype=np.float32).reshape(3, 2), np.zeros((0, 2), np.float32), np.ones((1, 2), np.float32)]


def made(columns, folder, name="made", decode=None):
    """The data set that the cache makes from a source of these columns."""

    def in_two(_):
        yield Decoded({name: column.take(np.arange(1), axis=0) for name, column in columns.items()}, [], 1)
        rest = np.arange(1, len(next(iter(columns.values()))))
        yield Decoded({name: column.take(rest, axis=0) for name, column in columns.items()}, [], len(rest))

    def records(stored):
        return Records(stored.columns, stored.labels, stored.classes, stored.skipped, stored.fingerprint)

    source = Source(name, name, lambda: Contents(len(next(iter(columns.values()))), (), []))
    return cached(source, Form("samples", records, "test", decode or in_two), folder, progress=False)


def captions(rows):
    return several_texts([CAPTIONS[row] for row in rows])


def test_columns_of_any_type_and_shape_go_through_the_cache(tmp_path):
    chance = np.random.default_rng(0)
    columns = {
        "embeddings": chance.random((4, 3), np.float32),
        "halves": chance.random((4, 2, 2)).astype(np.float16),
        "wide": chance.integers(-9, 9, 4),
        "flags": np.array([True, False, True, True]),
        "captions": captions(range(4)),
        "outlines": lists([*OUTLINES, OUTLINES[0]]),
        "labels": np.array([2, 0, 1, 2]),
    }
    data = made(columns, tmp_path)
    assert isinstance(data, Dataset)
    assert data.columns == {
        "embeddings": ColumnType("float32", (3,)),
        "halves": ColumnType("float16", (2, 2)),
        "wide": ColumnType("int64", ()),
        "flags": ColumnType("bool", ()),
        "captions": ColumnType("uint8", (None, None)),
        "outlines": ColumnType("float32", (None, 2)),
        "labels": ColumnType("int64", ()),
    }
    assert isinstance(data.stored["embeddings"], np.memmap)
    batch = data.batch([2, 0, -1])
    assert len(batch) == 3
    for name in ("embeddings", "halves", "wide", "flags", "labels"):
        assert np.array_equal(batch[name].numpy(), columns[name][[2, 0, 3]])
    assert batch.ragged("captions").texts() == [CAPTIONS[2], CAPTIONS[0], CAPTIONS[3]]
    assert [batch.ragged("outlines")[n].tolist() for n in range(3)] == [OUTLINES[n].tolist() for n in (2, 0, 0)]
    assert data.classes == ("0", "1", "2")
    again = made(columns, tmp_path)
    assert again.fingerprint == data.fingerprint
    assert made({**columns, "captions": captions([1, 0, 2, 3])}, tmp_path, "other").fingerprint != data.fingerprint
    shifted = {("moved" if name == "wide" else name): column for name, column in columns.items()}
    assert made(shifted, tmp_path, "third").fingerprint != data.fingerprint


def test_lists_without_a_value_go_through_the_cache(tmp_path):
    data = made({"captions": several_texts([[], [], []])}, tmp_path)
    assert data.batch([0, 1]).ragged("captions").texts() == [[], []]


def test_a_row_of_another_type_is_an_error(tmp_path):
    writer = ColumnWriter(tmp_path, "a")
    writer.write(np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="rows are"):
        writer.write(np.zeros((1, 3), np.float32))
    writer.close()


def test_a_column_of_another_type_than_was_said_is_damaged(tmp_path):
    writer = ColumnWriter(tmp_path, "a")
    writer.write(np.zeros((2, 2), np.float32))
    writer.finish()
    writer.close()
    assert open_column(tmp_path, "a", writer.type).shape == (2, 2)
    with pytest.raises(ValueError, match="expected"):
        open_column(tmp_path, "a", ColumnType("float64", (2,)))


def test_a_column_that_is_shorter_than_the_others_is_damaged(tmp_path):
    columns = {"a": np.arange(4), "captions": captions(range(4))}
    made(columns, tmp_path)
    (home,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    np.save(home / "a.npy", np.arange(3))
    assert made(columns, tmp_path).batch([3])["a"].tolist() == [3]


@given(st.lists(st.lists(st.lists(st.integers(0, 255), max_size=4), max_size=4), min_size=1, max_size=6), st.data())
def test_lists_of_lists_are_taken_and_joined_as_lists_are(rows, data):
    column = several_texts([[bytes(text).decode("latin1") for text in row] for row in rows])
    expected = [[bytes(text).decode("latin1") for text in row] for row in rows]
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    taken = tensor(column.take(np.array(index, np.int64)))
    assert taken.texts() == [expected[row] for row in index]
    both = chained([column, column.take(np.array(index, np.int64)), column])
    every = tensor(both.take(np.arange(len(both))))
    assert every.texts() == expected + [expected[row] for row in index] + expected
    for row, number in enumerate(index):
        assert taken[row].texts() == expected[number]


def test_ragged_columns_are_joined_without_a_copy_of_their_values():
    first, second = texts(["one", "two"]), texts(["three"])
    both = chained([first, second])
    assert isinstance(both, Lists)
    assert isinstance(both.values, Chain)
    assert tensor(both.take(np.array([2, 0]))).texts() == ["three", "one"]
    with pytest.raises(ForetellError, match="cannot be joined"):
        chained([first, lists(OUTLINES)])


def test_sets_of_other_columns_are_not_joined():
    first, second = Records({"a": np.zeros(2)}), Records({"b": np.zeros(2)})
    with pytest.raises(ForetellError, match=r"found columns \(a\) and \(b\)"):
        joined([first, second])
    both = joined([first, Records({"a": np.ones(1)})])
    assert both.batch(range(3))["a"].tolist() == [0, 0, 1]
    assert both.subset([2]).batch([0])["a"].tolist() == [1]


def test_a_batch_has_its_columns_by_name():
    batch = Batch(pixels=torch.zeros(2, 3), captions=tensor(captions([0, 3])))
    assert (len(batch), list(batch), "captions" in batch, "masks" in batch) == (2, ["pixels", "captions"], True, False)
    with pytest.raises(ForetellError, match=r"column is 'masks', expected one of pixels, captions"):
        batch["masks"]
    with pytest.raises(ForetellError, match=r"column 'captions' has a list for each sample"):
        batch["captions"]
    with pytest.raises(ForetellError, match=r"column 'pixels' is not ragged"):
        batch.ragged("pixels")
    with pytest.raises(ForetellError, match=r"has \{'a': 2, 'b': 1\}, expected columns of one length"):
        Batch(a=torch.zeros(2), b=torch.zeros(1))
    with pytest.raises(ForetellError, match="no column"):
        Batch()


def test_a_loop_over_lists_ends():
    made = Ragged(torch.arange(3), torch.tensor([0, 1, 3]))
    assert [each.tolist() for each in made] == [[0], [1, 2]]
    with pytest.raises(IndexError, match="sample 2 of 2"):
        made[2]


def test_a_batch_moves_as_a_whole():
    batch = Batch(pixels=torch.zeros(2, 3), captions=tensor(captions([0, 3]))).to("meta")
    assert batch.pixels.device.type == "meta"
    moved = batch.ragged("captions")
    assert isinstance(moved, Ragged)
    assert {part.device.type for part in (moved.offsets, moved.values.offsets, moved.values.values)} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_batch_is_pinned_as_a_whole():
    batch = Batch(pixels=torch.zeros(2, 3), captions=tensor(captions([0, 3]))).pin_memory()
    assert batch.pixels.is_pinned()
    assert batch.ragged("captions").offsets.is_pinned()


def test_pictures_say_what_their_batches_hold(noise):
    assert noise.columns == {"pixels": ColumnType("uint8", (3, 16, 16)), "labels": ColumnType("int64", ())}
    batch = noise.subset([5, 4]).batch([0])
    assert torch.equal(batch.pixels, noise.take([5]))
    assert batch["labels"].tolist() == [1]
    assert list(Images(noise.pixels, None, (), (), "").batch([0])) == ["pixels"]


def test_the_type_of_a_column():
    assert type_of(np.zeros((3, 2), np.float32)) == ("float32", (2,))
    assert type_of(texts(["a"])) == ("uint8", (None,))
