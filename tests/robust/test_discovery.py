import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tests.robust.test_xrm import shortcut

from foretell.cli import main
from foretell.data import Vectors, load, train_test
from foretell.data.made import colormnist
from foretell.errors import ForetellError, ForetellWarning
from foretell.robust.discovery import Labelled, discovery, elected, held_out, labelled, purity, stability
from foretell.robust.twins import Settings, TwinConfig


@pytest.fixture(scope="module")
def rows():
    x, y, against = shortcut(1500)
    return Labelled(x, y, ("no", "yes"), against.long())


@pytest.fixture(scope="module")
def found(rows):
    return discovery(rows, draws=[Settings(0.05, 128, 0.0)], seeds=3, config=TwinConfig(steps=300), progress=False)


def test_the_report_says_what_was_found(rows, found):
    report = found.report
    assert report["flip_rate"] > 0.02
    assert sum(map(sum, report["environments"].values())) == 1500
    assert report["environments"]["yes"][1] == int(found.environment[rows.y == 1].sum())
    assert report["purity"]["value"] > 0.95 > report["purity"]["without"]
    assert report["stability"]["low"] <= report["stability"]["value"] <= report["stability"]["high"]
    json.dumps(report)


def test_every_fifth_row_of_a_class_is_held_out(rows):
    held = held_out(rows.y)
    for c in (0, 1):
        assert abs(int(held[rows.y == c].sum()) - int((rows.y == c).sum()) / 5) <= 1
    assert torch.equal(held, held_out(rows.y))


def test_stability_by_hand():
    assert stability(torch.tensor([[0, 1, 1, 0]])) is None
    two = stability(torch.tensor([[0, 1, 1, 0], [0, 1, 0, 0]]))
    assert two["value"] == 0.75
    assert two["chance"] == pytest.approx(0.5 * 0.75 + 0.5 * 0.25)
    three = stability(torch.tensor([[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 2, 0]]))
    assert three["value"] == pytest.approx(0.75)
    assert (three["low"], three["high"]) == pytest.approx((0.75, 0.75))  # whichever seed is left out
    same = stability(torch.ones(4, 10, dtype=torch.uint8))
    assert same == {"value": 1.0, "low": 1.0, "high": 1.0, "chance": 1.0}


def test_purity_by_hand():
    y, e, group = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 0, 0]), torch.tensor([0, 0, 1, 1, -1])
    found = purity(y, e, group)  # the last row's group is unknown
    assert (found["value"], found["without"]) == (1.0, 0.75)
    assert found["low"] < found["value"] == found["high"]


def test_most_seeds_decide_and_the_higher_of_two_that_are_even():
    environment, confidence = elected(torch.tensor([[0, 1, 2, 0], [0, 1, 2, 1], [0, 0, 1, 2], [0, 0, 2, 2]]), 3)
    assert environment.tolist() == [0, 1, 2, 2]
    assert confidence.tolist() == [1.0, 0.5, 0.75, 0.5]


def test_three_environments_tell_apart_which_twins_err(rows):
    found = discovery(
        rows, draws=[Settings(0.05, 128, 0.0)], seeds=1, config=TwinConfig(steps=200), environments=3, progress=False
    )
    assert torch.equal(found.environment, found.votes.sum(1).long())
    assert all(len(sizes) == 3 for sizes in found.report["environments"].values())


def test_colours_go_with_labels_and_against_them_in_the_test_set():
    pixels = np.full((4000, 14, 14), 255, np.uint8)
    digit = np.arange(4000) % 10
    even, odd, test = colormnist.VARIANTS["colormnist"]
    made = colormnist.coloured(pixels, digit, (even, odd), seed=0)
    assert made["features"].shape == (4000, 392)
    by_channel = made["features"].reshape(4000, 2, 196).sum(2)
    assert np.array_equal(by_channel.argmax(1), made["groups"])  # the other channel is zero
    assert (by_channel.min(1) == 0).all()
    against = made["groups"] != made["labels"]
    assert against[::2].mean() == pytest.approx(0.2, abs=0.03)
    assert against[1::2].mean() == pytest.approx(0.1, abs=0.03)
    assert (made["labels"] != (digit < 5)).mean() == pytest.approx(0.25, abs=0.03)
    turned = colormnist.coloured(pixels, digit, (test, test), seed=0)
    assert (turned["groups"] != turned["labels"]).mean() == pytest.approx(0.9, abs=0.03)


def test_commands_discover_and_train(tmp_path, capsys):
    x, y, against = shortcut(800)
    for name in ("data", "test"):
        np.savez(tmp_path / f"{name}.npz", features=x.numpy(), labels=y.numpy(), groups=against.long().numpy())
    data = str(tmp_path / "data.npz")
    main(
        ["discover", data, "--out", str(tmp_path / "found"), "--draws", "2", "--seeds", "2", "--steps", "200", "--json"]
    )
    report = json.loads(capsys.readouterr().out)
    parts = {"data", "flip_rate", "tried", "settings", "environments", "stability", "purity", "skipped"}
    assert set(report) == parts
    assert report["data"] == data
    made = pq.read_table(tmp_path / "found" / "environments.parquet").to_pydict()
    assert set(made) == {"row", "label", "environment", "confidence", "twin_a", "twin_b", "part"}
    assert len(made["row"]) == 800


def test_pictures_need_a_model(tmp_path):
    with pytest.raises(ForetellError, match="no labels"):
        labelled(load_unlabelled(tmp_path))


def load_unlabelled(folder):
    np.savez(folder / "plain.npz", features=np.zeros((4, 2), np.float32))
    return load(folder / "plain.npz", Vectors())


def test_without_an_mnist_the_digits_of_scikit_learn_are_coloured(tmp_path, monkeypatch):
    sklearn = pytest.importorskip("sklearn.datasets")
    monkeypatch.delenv("FORETELL_MNIST", raising=False)
    with pytest.warns(ForetellWarning, match="these are scikit-learn's 1,797 digits; name one by colormnist:PATH"):
        train, test = train_test("colormnist", Vectors(), cache_dir=tmp_path, progress=False)
    assert (len(train), len(test)) == (1438, 359)
    seen = train.batch(range(1438))
    channels = seen["features"].view(-1, 2, 196)
    assert (channels.amax(2) > 0).sum(1).eq(1).all()  # one colour each
    assert torch.equal(channels.amax(2).argmax(1), seen["groups"])
    digit = torch.from_numpy(sklearn.load_digits().target)[torch.arange(1797) % 5 != 4]
    assert (train.labels == (digit < 5).long()).float().mean().item() == pytest.approx(0.75, abs=0.04)
    agree = (seen["groups"] == train.labels).float()
    assert agree[::2].mean().item() == pytest.approx(0.8, abs=0.05)
    assert agree[1::2].mean().item() == pytest.approx(0.9, abs=0.05)
    assert (test.batch(range(359))["groups"] == test.labels).float().mean().item() == pytest.approx(0.1, abs=0.06)
