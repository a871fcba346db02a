"""Runs beside each other, and the folder of decoded data."""

import json

import filelock
import pytest

from foretell.cli import main
from foretell.data import cache_folder, load
from foretell.errors import ForetellError
from foretell.hub.files import to_config
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.train.loop import TrainConfig
from foretell.train.run import run as train
from foretell.train.runs import curves, differences, find_runs, summary

TINY = IJEPAConfig(ViTConfig(16, 4, 16, 1, 2), PredictorConfig(8, 1, 2))


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path):
    """Runs as files: one finished, one stopped, and a model that is no run."""
    for name, rate, steps in (("a", 0.1, 100), ("deep/b", 0.2, 50)):
        place = tmp_path / "runs" / name
        place.mkdir(parents=True)
        told = {
            "train": {"steps": 100, "lr": rate, "batch": 4, "seed": 0},
            "data": {"spec": "pics", "fingerprint": "f"},
        }
        (place / "config.json").write_text(json.dumps(to_config(IJEPA(TINY)) | told))
        lines = [{"step": step, "loss": rate * step} for step in range(10, steps + 1, 10)]
        lines.append({"step": steps, "monitor": {"loss": 0.3, "constant": 0.5 if name == "a" else 0.1, "knn": rate}})
        (place / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "runs" / "a" / "model.safetensors").write_bytes(b"x")
    (tmp_path / "runs" / "model").mkdir()
    (tmp_path / "runs" / "model" / "config.json").write_text("{}")
    return tmp_path / "runs"


def test_runs_are_listed_with_steps_loss_probe_and_verdict(folder):
    found = {run.path.name: run for run in find_runs(folder)}
    assert found.keys() == {"a", "b"}
    a, b = found["a"], found["b"]
    assert (a.method, a.data, a.step, a.steps, a.knn, a.state) == ("ijepa", "pics", 100, 100, 0.1, "finished")
    assert a.loss == pytest.approx(10.0)
    assert (a.verdict, b.verdict) == ("better than guessing", "no better than guessing")
    assert (b.step, b.state) == (50, "stopped")
    with filelock.FileLock(folder / "deep" / "b" / ".lock"):
        assert summary(folder / "deep" / "b").state == "running"


def test_two_runs_are_compared_in_settings_and_curves(folder):
    a, b = folder / "a", folder / "deep" / "b"
    assert differences(a, b) == {"train.lr": (0.1, 0.2)}
    found = {step: values for step, *values in curves(a, b)}
    assert found[10] == pytest.approx([1.0, 2.0])
    assert found[100][1] is None
    with pytest.raises(ForetellError, match="holds no run"):
        differences(a, folder / "model")


def test_the_command_lists_and_compares(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    main(["runs", str(folder)])
    out = capsys.readouterr().out
    assert "50 / 100" in out
    assert "no better than guessing" in out
    main(["runs", str(folder), "--json"])
    assert [each["state"] for each in json.loads(capsys.readouterr().out)] == ["finished", "stopped"]
    plot = tmp_path / "curves.png"
    main(["runs", "compare", str(folder / "a"), str(folder / "deep" / "b"), "--plot", str(plot)])
    out = capsys.readouterr().out
    assert "train.lr" in out
    assert "loss of b" in out
    assert plot.stat().st_size > 1000
    for words, said in ((["compare", "x"], "takes two runs"), (["a", "b"], "takes one folder"), (["no"], "not found")):
        with pytest.raises(SystemExit):
            main(["runs", *words])
        assert said in capsys.readouterr().err


def test_a_runs_card_says_its_data_steps_and_measures(photos, tmp_path):
    config = TrainConfig(steps=2, batch=4, monitor_every=2, log_every=1, device="cpu")
    train(TINY, config, str(photos), tmp_path / "run")
    card = (tmp_path / "run" / "README.md").read_text()
    assert f"**Data**: `{photos}`" in card
    assert "2 steps of 4 samples, seed 0" in card
    assert "**Measured at the end**: loss" in card
    assert 'foretell.load("run")' in card


def test_the_cache_is_listed_and_cleaned(photos, capsys):
    load(photos, 8, progress=False)
    load(photos, 12, progress=False)
    main(["cache", "--json"])
    found = json.loads(capsys.readouterr().out)["caches"]
    assert [each["samples"] for each in found] == [24, 24]
    assert found[0]["bytes"] > found[1]["bytes"] > 24 * 3 * 8 * 8
    main(["cache"])
    assert "in 2 caches in" in capsys.readouterr().out
    main(["cache", "--older", "1"])
    assert "0 removed" in capsys.readouterr().out
    main(["cache", "--remove", found[0]["name"]])
    assert "1 removed" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["cache", "--remove", "nothing"])
    assert "has no cache 'nothing'" in capsys.readouterr().err
    main(["cache", "--remove", "all"])
    main(["cache", "--json"])
    assert capsys.readouterr().out.endswith('"caches": []\n}\n')


def test_a_cache_that_is_being_written_is_not_removed(photos, monkeypatch, tmp_path):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "own"))
    load(photos, 8, progress=False)
    (entry,) = cache_folder.entries(tmp_path / "own")
    lock = filelock.FileLock(tmp_path / "own" / f".{entry.path.name}.lock")
    with lock, pytest.raises(ForetellError, match="being written by another process"):
        cache_folder.remove(entry)
    assert entry.path.exists()
