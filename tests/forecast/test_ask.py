"""Forecasts: what they hold, and the command from training to a picture."""

import json

import pytest
import torch

from foretell import cli, hub
from foretell.data import StepLatents, load
from foretell.errors import ForetellError
from foretell.forecast import forecast

DATA = "graphs:24#width=8,step=0.6"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORETELL_CACHE", str(folder / "cache"))
        size = "--model.denoiser.width 16 --model.denoiser.depth 1 --model.denoiser.heads 2 --model.horizon 2"
        flags = f"--steps 6 --batch 8 --monitor-every 3 {size} --model.euler 2"
        cli.main(["train", "vedit", "--data", DATA, "--out", str(folder / "run"), *flags.split()])
        yield folder / "run"


@pytest.fixture(scope="module")
def model(run):
    return hub.load(run)


@pytest.fixture(scope="module")
def data(run):
    return load(DATA, StepLatents(), progress=False)


def test_a_run_is_a_model_with_names(model, data):
    assert model.config.steps == data.steps
    assert model.encoder is None


def test_a_forecast_is_several_futures(model, data):
    seen = data.batch([0]).ragged("latents")[0][:3].float()
    found = forecast(model, seen, steps=3, samples=4, bank=data)
    assert (len(found.steps), len(found.futures), len(found.nearest)) == (3, 4, 4)
    assert found.latents.shape == (4, 3, 1, 8)
    for some in found.steps:
        assert sum(p for _, p in some) <= 1 + 1e-5
        assert [p for _, p in some] == sorted((p for _, p in some), reverse=True)
    near = found.nearest[0][0]
    assert data.steps[int(data.batch([near.row]).ragged("step")[0][near.step])] == near.label
    assert torch.equal(found.latents, forecast(model, seen, steps=3, samples=4).latents)
    assert not torch.equal(found.latents, forecast(model, seen, steps=3, samples=4, seed=1).latents)


def test_with_a_goal_it_fills_what_is_between(model, data):
    latents = data.batch([1]).ragged("latents")[0].float()
    found = forecast(model, latents[:1], goal=latents[3], steps=2, samples=3)
    assert len(found.steps) == 2
    assert found.goal in data.steps
    json.dumps(found.numbers())


def test_what_cannot_be_forecast(model):
    with pytest.raises(ForetellError, match=r"expected \[clips, 1, 8\]"):
        forecast(model, torch.zeros(2, 1, 5))
    with pytest.raises(ForetellError, match="samples is 0"):
        forecast(model, torch.zeros(1, 1, 8), samples=0)


def said(run, capsys, *args):
    cli.main(["forecast", str(run), *args])
    return capsys.readouterr().out


def test_the_command(run, capsys, tmp_path):
    text = said(run, capsys, "--data", DATA, "--seen", "2", "--steps", "2", "--samples", "3")
    assert "step 2: " in text
    assert "future 3 is nearest to: " in text
    picture = tmp_path / "next.png"
    found = json.loads(said(run, capsys, "--data", DATA, "--seen", "2", "--to-goal", "--json", "--out", str(picture)))
    assert len(found["steps"]) == 7
    assert {"steps", "futures", "nearest", "seen", "goal", "task"} == set(found)
    assert picture.stat().st_size > 1000


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "either CLIPs or --data"),
        (["--data", DATA, "--row", "99"], "--row is 99, and the data has 6"),
        (["--data", DATA, "--seen", "99"], "--seen is 99"),
        (["--data", DATA, "--seen", "9", "--to-goal"], "nothing lies between"),
        (["clip.mp4"], "no encoder of clips"),
        (["--data", "graphs:2000#width=9"], "1 latents of width 9 a clip, and the model expects 1 of width 8"),
        (["--data", DATA, "--samples", "0"], "--samples is 0"),
    ],
)
def test_words_that_are_off(run, args, message, capsys):
    with pytest.raises(SystemExit):
        cli.main(["forecast", str(run), *args])
    assert message in capsys.readouterr().err


def test_another_kind_of_model(capsys):
    with pytest.raises(SystemExit):
        cli.main(["forecast", "iwm-mini", "clip.mp4"])
    assert "iwm-mini is of the kind IWM, expected a VEDIT" in capsys.readouterr().err


def test_evaluate_by_command(run, capsys, tmp_path):
    out = tmp_path / "report.json"
    flags = ["--questions", "6", "--budget", "1", "--baselines", "copy", "--json", "--out", str(out)]
    cli.main(["evaluate", str(run), "--data", DATA, *flags])
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads(out.read_text())
    assert set(report["baselines"]) == {"copy", "bigram"}
