"""Runs as a user starts them, kills them, and resumes them."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import filelock
import pytest
import torch
from safetensors.torch import load_file

import foretell
from foretell.errors import ForetellError
from foretell.hub.files import to_config
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.train.loop import TrainConfig, Trainer, read
from foretell.train.run import _record
from foretell.train.run import run as train
from foretell.train.world import enter

from .conftest import FLAGS

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


TINY = IJEPAConfig(ViTConfig(16, 4, 16, 1, 2), PredictorConfig(8, 1, 2))


def command(photos, out, *more, processes=1):
    if processes > 1:
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "foretell"]
    else:
        launch = ["-m", "foretell"]
    return [sys.executable, *launch, "train", "iwm", "--data", str(photos), "--out", str(out), *FLAGS, *more]


def run(*args, **options):
    done = subprocess.run(command(*args, **options), env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


def started(photos, out, *more, until):
    """Start a run and come back when its metrics have reached a step."""
    process = subprocess.Popen(command(photos, out, *more), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        if (out / "metrics.jsonl").exists() and any(line["step"] >= until for line in read(out / "metrics.jsonl")):
            return process
        time.sleep(0.01)
    pytest.fail(f"ended before step {until}: {process.stderr.read()}")


def same(a, b):
    a, b = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    return a.keys() == b.keys() and all(torch.equal(t, b[name]) for name, t in a.items())


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    ENVIRONMENT["FORETELL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """An uninterrupted run of 200 steps."""
    out = tmp_path_factory.mktemp("whole") / "run"
    run(photos, out, "--steps", "200", "--checkpoint-every", "7")
    return out


def test_kill_9_at_any_moment_then_resume_gives_the_same_weights(photos, whole, tmp_path):
    flags = ("--steps", "200", "--checkpoint-every", "7")
    for until, resume in ((20, ()), (90, ("--resume",))):
        process = started(photos, tmp_path / "run", *flags, *resume, until=until)
        process.kill()
        process.communicate()
    run(photos, tmp_path / "run", *flags, "--resume")
    assert same(whole, tmp_path / "run")
    assert [line["step"] for line in read(tmp_path / "run" / "metrics.jsonl")] == [
        line["step"] for line in read(whole / "metrics.jsonl")
    ]


def test_a_polite_stop_saves_and_says_how_to_go_on(photos, whole, tmp_path):
    flags = ("--steps", "200", "--checkpoint-every", "150")
    process = started(photos, tmp_path / "run", *flags, until=20)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--resume" in said
    assert "Traceback" not in said
    run(photos, tmp_path / "run", *flags, "--resume")
    assert same(whole, tmp_path / "run")


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_copied_split_and_single_runs_resume_each_other(photos, tmp_path, optimizer):
    """Two parts of a batch, one after the other or in two processes, are the same thing."""
    flags = ("--steps", "6", "--checkpoint-every", "3", "--optimizer", optimizer)
    run(photos, tmp_path / "one", *flags, "--accumulate", "2")
    run(photos, tmp_path / "copied", *flags, processes=2)
    (tmp_path / "copied" / "checkpoints" / "step-00000006.safetensors").unlink()
    run(photos, tmp_path / "copied", *flags, "--shard", "--resume", processes=2)
    (tmp_path / "copied" / "checkpoints" / "step-00000003.safetensors").rename(tmp_path / "kept")
    assert close(tmp_path / "one", tmp_path / "copied")

    run(photos, tmp_path / "split", *flags, "--shard", processes=2)
    (tmp_path / "split" / "checkpoints" / "step-00000006.safetensors").unlink()
    run(photos, tmp_path / "split", *flags, "--accumulate", "2", "--resume")
    assert close(tmp_path / "one", tmp_path / "split")


def close(a, b):
    a, b = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    return a.keys() == b.keys() and all(torch.allclose(t, b[name], atol=1e-6) for name, t in a.items())


def test_a_run_folder_says_what_made_it_and_loads(whole):
    config = json.loads((whole / "config.json").read_text())
    assert config["method"] == "iwm"
    assert config["train"]["steps"] == 200
    assert config["versions"]["torch"] == torch.__version__
    assert foretell.load(whole).config.encoder.width == 32


def test_settings_of_a_resumed_run_are_kept(photos, whole):
    bad = [*command(photos, whole, "--steps", "200", "--resume"), "--lr", "0.5"]
    done = subprocess.run(bad, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "train.lr is 0.001, but 0.5 was given" in done.stderr


def test_a_run_is_not_resumed_to_fewer_steps_than_it_has(photos, whole):
    known = (whole / "config.json").read_bytes()
    bad = command(photos, whole, "--steps", "3", "--resume")
    refused = subprocess.run(bad, env=ENVIRONMENT, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "is at step 200, and --steps 3 was asked for" in refused.stderr
    assert (whole / "config.json").read_bytes() == known


def test_a_run_begun_before_a_setting_existed_is_resumed_with_its_default(tmp_path):
    settings = to_config(IJEPA(IJEPAConfig())) | {"train": asdict(TrainConfig())}
    older = json.loads(json.dumps(settings))
    del older["model"]["encoder"]["positions"], older["train"]["optimizer"]
    (tmp_path / "config.json").write_text(json.dumps(older))
    (tmp_path / "metrics.jsonl").write_text("{}")
    _record(tmp_path, settings, enter("cpu"))
    with pytest.raises(ForetellError, match=r"train\.optimizer is 'adamw', but 'muon' was given"):
        _record(tmp_path, settings | {"train": asdict(TrainConfig(optimizer="muon"))}, enter("cpu"))
    settings["model"]["encoder"]["positions"] = "learned"
    with pytest.raises(ForetellError, match=r"encoder\.positions is 'sincos', but 'learned' was given"):
        _record(tmp_path, settings, enter("cpu"))


def test_data_that_was_moved_may_go_on_and_other_data_may_not(tmp_path):
    settings = to_config(IJEPA(IJEPAConfig())) | {"data": {"spec": "here", "fingerprint": "a"}}
    for spec in ("here", "there"):
        _record(tmp_path, settings | {"data": {"spec": spec, "fingerprint": "a"}}, enter("cpu"))
        (tmp_path / "metrics.jsonl").write_text("{}")
    with pytest.raises(ForetellError, match=r"data\.fingerprint is 'a', but 'b' was given"):
        _record(tmp_path, settings | {"data": {"spec": "there", "fingerprint": "b"}}, enter("cpu"))


@pytest.mark.parametrize("resume", [False, True])
def test_what_others_made_is_not_overwritten(tmp_path, resume):
    (tmp_path / "README.md").write_text("my notes")
    with pytest.raises(ForetellError, match=r"holds other things than a run \(README\.md\)"):
        train(TINY, TrainConfig(steps=1, batch=2), "photographs", tmp_path, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_config_json_of_others_is_not_overwritten(tmp_path):
    (tmp_path / "config.json").write_text('{"mine": 1}')
    with pytest.raises(ForetellError, match=r"holds other things than a run \(config\.json\)"):
        train(TINY, TrainConfig(steps=1, batch=2), "photographs", tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == {"mine": 1}


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_is_no_folder_for_a_run(tmp_path, photos, out):
    (tmp_path / "file").write_text("my notes")
    with pytest.raises(ForetellError, match=r"choose another --out"):
        train(TINY, TrainConfig(steps=1, batch=2), str(photos), tmp_path / out)


def test_a_run_that_died_before_its_first_step_leaves_its_folder_free(tmp_path, photos, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(TINY, TrainConfig(steps=1, batch=2, monitor_every=0), str(photos), out)
    train(TINY, TrainConfig(steps=1, batch=3, monitor_every=0), str(photos), out)
    assert json.loads((out / "config.json").read_text())["train"]["batch"] == 3


def test_a_finished_run_is_not_overwritten(photos, whole):
    done = subprocess.run(command(photos, whole), env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "already holds a run" in done.stderr


def test_there_must_be_a_run_to_resume(photos, tmp_path):
    with pytest.raises(ForetellError, match=r"frist holds no run, expected one to resume"):
        train(TINY, TrainConfig(steps=1, batch=2), str(photos), tmp_path / "frist", resume=True)
    assert not list(tmp_path.iterdir())


def test_one_process_writes_a_run(photos, tmp_path):
    """The second writer is refused while the first lives, and may take over when it is gone, whatever ended it."""
    out = tmp_path / "run"
    first = started(photos, out, "--steps", "100000", "--checkpoint-every", "5", until=10)
    try:
        for more in ((), ("--resume",)):
            late = subprocess.run(
                command(photos, out, "--steps", "100000", *more), env=ENVIRONMENT, capture_output=True, text=True
            )
            assert late.returncode == 1
            assert "already holds a run" in late.stderr if not more else "in use by another process" in late.stderr
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()
    at = max(line["step"] for line in read(out / "metrics.jsonl")) + 5
    run(photos, out, "--steps", str(at), "--checkpoint-every", "5", "--resume")
    assert [line["step"] for line in read(out / "metrics.jsonl") if "loss" in line] == list(range(1, at + 1))


def test_a_folder_is_held_before_a_run_begins(tmp_path, photos):
    """While the first decodes its data there is no config.json yet: the lock alone keeps the second away."""
    with filelock.FileLock(tmp_path / ".lock"), pytest.raises(ForetellError, match="in use by another process"):
        train(TINY, TrainConfig(steps=1, batch=2), str(photos), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_run_that_finds_no_data_leaves_no_folder(tmp_path):
    with pytest.raises(ForetellError, match="not found"):
        train(TINY, TrainConfig(steps=1, batch=2), str(tmp_path / "nowhere"), tmp_path / "run")
    assert not list(tmp_path.iterdir())
