import json

import numpy as np
import pytest
import torch
from tests.robust.test_xrm import shortcut

from foretell.cli import main
from foretell.data import Vectors, load
from foretell.robust import files
from foretell.robust.discovery import Labelled, discovery
from foretell.robust.scaling import Scaling
from foretell.robust.twins import Settings, TwinConfig


def test_columns_come_to_mean_0_and_deviation_1_over_the_rows_that_are_learned_from():
    x = torch.tensor([[1.0, 5.0, 1e6], [3.0, 5.0, 1e6 + 2], [100.0, -7.0, 0.0]])
    learned = torch.tensor([True, True, False])
    scaled = Scaling.of(x, learned)(x)
    assert torch.allclose(scaled[:2], torch.tensor([[-1.0, 0.0, -1.0], [1.0, 0.0, 1.0]]), atol=0.1)
    assert scaled[2, 1] == -12  # a constant column is centred, and not divided by nothing
    assert scaled[2, 0] == 98


def test_parts_of_a_memory_map_give_what_the_whole_gives(monkeypatch):
    monkeypatch.setattr("foretell.robust.scaling.PART", 7)
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * 5 + 2
    scaling = Scaling.of(x, torch.arange(50) % 5 > 0)
    some = x[torch.arange(50) % 5 > 0]
    assert torch.allclose(scaling.mean, some.mean(0), atol=1e-5)
    assert torch.allclose(scaling.deviation, some.std(0, correction=0), atol=1e-5)


def test_units_do_not_change_what_is_found():
    x, y, _ = shortcut(400)
    how = {"draws": [Settings(0.05, 128, 0.0)], "seeds": 1, "config": TwinConfig(steps=40), "progress": False}
    units = torch.tensor([1e3, 1e-3])  # the shortcut in small units

    def found(x, scaled):
        return discovery(Labelled(x, y, ("no", "yes")), scaled=scaled, **how).environment

    assert (found(x, True) == found(x * units, True)).float().mean() > 0.99
    assert (found(x, False) == found(x * units, False)).float().mean() < 0.99


def test_a_classifier_takes_vectors_as_they_come(tmp_path, capsys):
    for seed, name in enumerate(("data", "test")):
        x, y, against = shortcut(400, seed)
        np.savez(tmp_path / f"{name}.npz", features=x * 1e-3 + 7, labels=y, groups=against.long())

    def robust(*flags):
        place, test = (str(tmp_path / f"{name}.npz") for name in ("data", "test"))
        main(["robust", place, "--test", test, "--groups", "group", "--draws", "0", "--lr", "0.05", *flags, "--json"])
        return json.loads(capsys.readouterr().out)

    report = robust("--steps", "200", "--out", str(tmp_path / "run"))
    assert (
        report["average"]["value"]
        > robust("--steps", "200", "--raw", "--out", str(tmp_path / "raw"))["average"]["value"]
    )
    network, _ = files.load(tmp_path / "run")
    test = load(tmp_path / "test.npz", Vectors())
    right = network(test.batch(range(400))["features"]).argmax(1) == test.labels
    assert right.float().mean().item() == pytest.approx(report["average"]["value"])


@pytest.mark.filterwarnings("default::foretell.errors.ForetellWarning")
def test_the_network_of_colormnist_is_the_published_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FORETELL_MNIST", raising=False)
    main(f"robust colormnist --groups half --draws 0 --steps 3 --width 4 --json --out {tmp_path / 'run'}".split())
    told = capsys.readouterr()
    assert "no MNIST is named, so these are scikit-learn's 1,797 digits" in told.err
    report = json.loads(told.out)
    assert report["average"]["rows"] == 359  # every fifth digit
    assert (report["settings"]["network"], report["settings"]["optimizer"]) == ("mlp", "adam")
    assert set(report["groups"]) == {f"{name}/{half}" for name in ("0 to 4", "5 to 9") for half in ("even", "odd")}
    known = json.loads((tmp_path / "run" / "config.json").read_text())
    assert known["scaled"] is False  # pixels, as it was published
