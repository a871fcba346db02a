import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tests.robust.test_xrm import shortcut

from foretell.cli import main
from foretell.data import Vectors, load
from foretell.errors import ForetellError
from foretell.robust import files
from foretell.robust.groups import column, groups, labels, measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tables to learn from and to test on, and the environments of the first."""
    folder = tmp_path_factory.mktemp("robust")
    for seed, name in enumerate(("data", "test")):
        x, y, against = shortcut(600, seed)
        np.savez(folder / f"{name}.npz", features=x, labels=np.array(["no", "yes"])[y], groups=against.long())
        if name == "data":
            part = np.where(np.arange(600) % 5 == 0, "validation", "train")
            label = np.array(["no", "yes"])[y]
            of = {"row": range(600), "label": label, "environment": against.long().numpy(), "part": part}
            pq.write_table(pa.table(of), folder / "environments.parquet")
    return folder


@pytest.fixture(scope="module")
def data(folder):
    return load(folder / "data.npz", Vectors())


def given(data, spec):
    return groups(str(spec), data, labels(data, "it"), data.classes)


def test_environments_are_of_the_file_the_column_or_none(folder, data):
    known = torch.from_numpy(np.load(folder / "data.npz")["groups"])
    by_file, validation = given(data, folder / "environments.parquet")
    assert torch.equal(by_file.of, known)
    assert validation.nonzero().squeeze(1).tolist() == list(range(0, 600, 5))
    for name in ("group", "groups"):
        by_column, held = given(data, name)
        assert torch.equal(by_column.of, known)
        assert by_column.names == ("0", "1")
        cell = 2 * labels(data, "it") + known  # every fifth row of each group is held out
        for c in cell.unique():
            assert abs(int(held[cell == c].sum()) - int((cell == c).sum()) / 5) <= 1
    alone, _ = given(data, "label")
    assert not alone.of.any()
    few = data.subset(torch.arange(5, 10))
    assert torch.equal(column(few, "group").of, known[5:10].unique(return_inverse=True)[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.slice(0, 10), "has 10 rows and the data has 600"),
        (lambda t: t.set_column(1, "label", t["label"].take(pa.array(np.arange(600)[::-1]))), "of this very data, in"),
        (lambda t: t.take(pa.array(np.arange(600)[::-1])), "line 0 is row 599"),
        (lambda t: t.drop_columns("part"), "cannot be read as the environments"),
        (lambda t: t.set_column(3, "part", pa.array(["train"] * 600)), "rows for validation"),
    ],
)
def test_environments_of_other_data_are_refused(folder, data, tmp_path, change, said):
    path = tmp_path / "environments.parquet"
    pq.write_table(change(pq.read_table(folder / "environments.parquet")), path)
    with pytest.raises(ForetellError, match=said):
        given(data, path)


def test_what_is_no_file_and_no_column_is_refused(data, tmp_path):
    with pytest.raises(ForetellError, match="place: there is no such column of groups, expected one of label, groups"):
        given(data, "place")
    with pytest.raises(ForetellError, match="cannot be read as the environments"):
        given(data, tmp_path / "none.parquet")


def test_the_test_set_is_measured_by_what_is_known_of_it(data):
    assert [measured(name, data) for name in ("groups", "found.parquet", "label")] == ["groups"] * 3


def run(*args):
    main(["robust", *map(str, args)])


def test_the_command_trains_measures_and_saves(folder, tmp_path, capsys):
    out = tmp_path / "run"
    flags = ("--draws", 0, "--steps", 300, "--lr", 0.05, "--eta", 0.1, "--json", "--out", out)
    known = ("--groups", folder / "environments.parquet", "--test", folder / "test.npz")
    run(folder / "data.npz", *known, *flags)
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((out / "report.json").read_text())
    assert set(report) == {"data", "told", "worst_group", "average", "groups", "validation", "settings"}
    assert report["told"]["file"] == files.digest(folder / "environments.parquet")
    assert set(report["groups"]) == {"no/0", "no/1", "yes/0", "yes/1"}
    worst = report["worst_group"]
    assert worst["low"] < worst["value"] < worst["high"]
    assert {**report["groups"][worst["name"]], "name": worst["name"]} == worst
    assert worst["value"] > 0.6
    network, classes = files.load(out)
    test = load(folder / "test.npz", Vectors())
    x = test.batch(range(len(test)))["features"]
    right = (network(x).argmax(1) == labels(test, "it", classes)).float().mean().item()
    assert right == pytest.approx(report["average"]["value"])


def test_the_command_says_it_in_lines(folder, tmp_path, capsys):
    flags = ("--test", folder / "test.npz", "--draws", 2, "--steps", 50, "--out", tmp_path / "run")
    run(folder / "data.npz", "--groups", "group", "--algorithm", "subg", *flags)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split(" (")[0] for line in lines] == [
        *("no/0", "no/1", "yes/0", "yes/1"),
        *("worst group", "average"),
    ]


def test_a_table_may_name_its_groups_as_it_likes(tmp_path, capsys):
    for seed, name in enumerate(("data", "test")):
        x, y, against = shortcut(300, seed)
        place = np.array(["farm", "sea"])[against.long()]
        pq.write_table(
            pa.table({"a": x[:, 0].numpy(), "b": x[:, 1].numpy(), "label": y.numpy(), "place": place}),
            tmp_path / f"{name}.parquet",
        )
    flags = ("--test", tmp_path / "test.parquet", "--draws", 0, "--steps", 20, "--out", tmp_path / "run", "--json")
    run(tmp_path / "data.parquet", "--groups", "place", *flags)
    assert set(json.loads(capsys.readouterr().out)["groups"]) == {"0/farm", "0/sea", "1/farm", "1/sea"}
    flags = (*flags[:-2], tmp_path / "other", "--json")
    run(tmp_path / "data.parquet", "--groups", "label", "--by", "place", *flags)  # the place is no feature
    assert set(json.loads(capsys.readouterr().out)["groups"]) == {"0/farm", "0/sea", "1/farm", "1/sea"}
    with pytest.raises(SystemExit):
        run(tmp_path / "data.parquet", "--groups", "place", "--by", "a", *flags[:-2], tmp_path / "third")
    assert "--groups place and --by a are two columns of a table of vectors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--groups", "label"), "names no test split"),
        (("--groups", "place", "--test", "{test}"), "has no column 'place' for the group"),
        (("--groups", "label", "--test", "{pictures}"), "holds pictures, expected the same in both"),
        (("--groups", "label", "--test", "{test}", "--by", "place"), "has no column 'place' for the group"),
        (("--groups", "label", "--test", "{foreign}"), "has classes that were not trained: maybe"),
        (("--groups", "label", "--test", "{plain}"), "has no labels of two classes or more"),
        (("--groups", "label", "--algorithm", "grupdro"), "Expected one of"),
        (("--groups", "label", "--mode", "predictor"), "name one by --features"),
        (("--groups", "label", "--lr", "0"), "lr is 0"),
        (("--groups", "label", "--test", "{test}", "--lr", "1e30", "--draws", "0"), "diverged at step"),
    ],
)
def test_bad_input_is_a_sentence(folder, tmp_path, capsys, flags, said):
    x, y, _ = shortcut(40)
    np.savez(tmp_path / "foreign.npz", features=x, labels=np.array(["maybe", "yes"])[y])
    np.savez(tmp_path / "plain.npz", features=x)
    (tmp_path / "pictures").mkdir()
    places = {"test": folder / "test.npz", "foreign": tmp_path / "foreign.npz", "plain": tmp_path / "plain.npz"}
    places["pictures"] = tmp_path / "pictures"
    with pytest.raises(SystemExit):
        run(folder / "data.npz", *(flag.format(**places) for flag in flags), "--out", tmp_path / "run")
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_a_class_of_one_row_is_refused(tmp_path, capsys):
    rare = tmp_path / "rare.npz"
    np.savez(rare, features=shortcut(40)[0], labels=np.r_[np.arange(39) % 2, 2])
    with pytest.raises(SystemExit):
        run(rare, "--test", rare, "--groups", "label", "--out", tmp_path / "run")
    assert "class 2 has one row, expected 3 or more" in capsys.readouterr().err
