"""Batches made ahead are those that would have been made on the spot; nothing is left of the thread afterwards."""

import threading
import time
from dataclasses import replace

import pytest
import torch

from foretell.data import Batch
from foretell.errors import ForetellError
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.train.loop import TrainConfig, Trainer, read
from foretell.train.monitors import Collapsed, Monitors
from foretell.train.prefetch import AHEAD, Prefetched
from foretell.train.world import World

CPU = torch.device("cpu")
CONFIG = TrainConfig(steps=6, batch=8, accumulate=2, log_every=1, monitor_every=0, checkpoint_every=3, precision="fp32")
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def numbered(number):
    return Batch(pixels=torch.full((2, 3), number))


def trainer(out, images, config=CONFIG):
    torch.manual_seed(0)
    model = IJEPA(IJEPAConfig(ViTConfig(16, 4, 16, 1, 2), PredictorConfig(8, 1, 2)))
    return Trainer(model, images, config, out, World(CPU))


def prefetching():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def losses(out):
    return [line["loss"] for line in read(out / "metrics.jsonl") if "loss" in line]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=GPU)])
def test_batches_come_in_order_and_then_end(device):
    with Prefetched(range(3, 20), numbered, torch.device(device)) as batches:
        found = [batch.pixels for batch in batches]
        assert next(batches, None) is None  # and stay ended
    assert [int(pixels[0, 0]) for pixels in found] == list(range(3, 20))
    assert {pixels.device.type for pixels in found} == {device}


def test_no_more_are_made_ahead_than_may_wait():
    made = []
    with Prefetched(range(100), lambda n: made.append(n) or numbered(n), CPU) as batches:
        next(batches)
        until = time.monotonic() + 20
        while len(made) < AHEAD + 2 and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(0.05)
        assert len(made) == AHEAD + 2  # one was taken, one is in the thread's hands


def test_an_error_reaches_the_step_that_needed_the_batch():
    def make(number):
        if number == 2:
            raise ForetellError("the disk is gone")
        return numbered(number)

    with Prefetched(range(5), make, CPU) as batches:
        assert [int(next(batches).pixels[0, 0]) for _ in range(2)] == [0, 1]
        for _ in range(2):
            with pytest.raises(ForetellError, match="the disk is gone"):
                next(batches)
    assert not prefetching()


def test_a_run_sees_what_steps_see_one_by_one(tmp_path, noise):
    trainer(tmp_path / "run", noise).run()
    alone = trainer(tmp_path / "alone", noise)
    assert losses(tmp_path / "run") == [alone.step(step).item() for step in range(CONFIG.steps)]


def test_a_resumed_run_goes_on_with_the_very_batches(tmp_path, noise):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    trainer(whole, noise).run()
    stopped = trainer(cut, noise, replace(CONFIG, monitor_every=4))
    stopped.monitors.measure = interrupted
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    trainer(cut, noise).run(resume=True)
    assert losses(cut) == losses(whole)
    assert len(losses(cut)) == CONFIG.steps


def interrupted(*_):
    raise KeyboardInterrupt


def collapsed(*_):
    raise Collapsed("all the same")


@pytest.mark.parametrize(("ends", "error"), [(interrupted, KeyboardInterrupt), (collapsed, Collapsed)])
def test_a_run_that_ends_early_leaves_no_thread(tmp_path, noise, monkeypatch, ends, error):
    monkeypatch.setattr(Monitors, "measure", ends)
    with pytest.raises(error):
        trainer(tmp_path, noise, replace(CONFIG, steps=100, monitor_every=2)).run()
    assert not prefetching()


def test_an_error_of_the_data_ends_a_run_and_leaves_no_thread(tmp_path, noise):
    class Broken(type(noise)):
        def batch(self, index):
            raise OSError("the file system went away")

    fields = {name: getattr(noise, name) for name in ("pixels", "labels", "classes", "skipped", "fingerprint")}
    with pytest.raises(OSError, match="went away"):
        trainer(tmp_path, Broken(**fields)).run()
    assert not prefetching()


def test_the_thread_works_while_the_step_does(tmp_path, noise):
    """Where making a batch takes less time than a step, only the first step waits."""

    def make(number):
        time.sleep(0.01)
        return numbered(number)

    waited = []
    with Prefetched(range(8), make, CPU) as batches:
        for _ in range(8):
            began = time.monotonic()
            next(batches)
            waited.append(time.monotonic() - began)
            time.sleep(0.1)
    assert sorted(waited[1:])[3] < 0.005  # the median: the machine may be busy now and then
