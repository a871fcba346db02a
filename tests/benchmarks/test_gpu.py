"""The script for the first minutes on a GPU works where there is none, and no failure loses what else was found."""

import json

import pytest
import torch

from benchmarks import gpu


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "PARITY", ("vjepa-tiny", "llip-mini"))
    monkeypatch.setattr(gpu, "TINY", {"vjepa-tiny": (2,)})

    def ran(*parts):
        gpu.main("cpu", small=True, out=tmp_path / "gpu.json", parts=parts)
        return json.loads((tmp_path / "gpu.json").read_text())

    return ran


def test_parts_find_numbers(run):
    found = run("about", "limit", "parity", "steps", "waiting")
    assert found["about"]["torch"] == torch.__version__
    assert found["limit"]["fp32"] > 1e8
    assert all(each["same"] and each["views"] == 0 for each in found["parity"].values())
    assert 0 < found["steps"]["vjepa-tiny"]["of the limit"] < 1.5
    assert found["steps"]["vjepa-tiny"]["memory said"] > 1e6
    assert 0 <= found["waiting"]["share"] <= 1


def test_a_device_that_computes_otherwise_is_told_of(run, monkeypatch):
    true = gpu.moved

    def wrong(value, device):
        return value + 1e-2 if isinstance(value, torch.Tensor) and value.is_floating_point() else true(value, device)

    monkeypatch.setattr(gpu, "moved", wrong)
    found = run("parity")["parity"]["vjepa-tiny"]
    assert not found["same"]
    assert found["loss"] > gpu.SAME


def test_a_part_that_fails_says_so_and_others_go_on(run, monkeypatch):
    def broken(bench):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setitem(gpu.PARTS, "limit", broken)
    found = run("limit", "about")
    assert found["limit"]["failed"] == "OutOfMemoryError: no room"
    assert found["limit"]["at"].startswith(__file__)
    assert "torch" in found["about"]


def test_what_does_not_fit_is_tried_smaller(monkeypatch):
    bench = gpu.Bench(torch.device("cpu"), True, float("inf"))

    def measured(name, batch, bench, peak):
        if batch > 4:
            raise torch.cuda.OutOfMemoryError("no room")
        return {"batch": batch}

    monkeypatch.setattr(gpu, "_measured", measured)
    assert gpu._step_of("ijepa", (8, 4, 2), bench, {}) == {"batch": 4}
    with pytest.raises(RuntimeError, match="not even a batch of 8 fits"):
        gpu._step_of("ijepa", (16, 8), bench, {})


def test_when_time_is_over_the_rest_is_left_out():
    bench = gpu.Bench(torch.device("cpu"), True, 0.0)
    assert gpu.attempt(gpu.limit, bench) == {"left out": "8 minutes are over"}
