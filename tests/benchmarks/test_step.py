from dataclasses import replace

import pytest
import torch
from benchmarks.measure import available, interleaved
from benchmarks.peers import PEERS
from benchmarks.problem import Problem
from benchmarks.video_peers import PEERS as VIDEO_PEERS
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import step
from foretell.nn import attention

TINY = Problem(image_size=32, batch=2, width=12, depth=2, heads=3, predictor_width=6, predictor_depth=2)
CLIPS = replace(TINY, frames=4, width=36, predictor_width=36)  # rotary positions want wider heads
BOTH = pytest.mark.parametrize("problem", [TINY, CLIPS], ids=["images", "clips"])


def written_out(q, k, v, mask=None):
    return (q @ k.transpose(-2, -1)).softmax(-1) @ v  # products that torch counts


@BOTH
def test_necessary_products_are_those_that_a_step_makes(problem, monkeypatch):
    monkeypatch.setattr(attention, "attend", written_out)
    with FlopCounterMode(display=False) as counter:
        problem.reference(problem.views).backward()
    assert counter.get_total_flops() == problem.flops


@BOTH
def test_a_step_starts_from_the_reference_and_trains(problem):
    expected = problem.reference(problem.views).detach()
    run = PEERS["foretell"](problem, torch.float32)
    first, second = run(), run()
    assert first == expected
    assert second != first


@pytest.mark.filterwarnings("ignore")  # a peer's own
@pytest.mark.parametrize("name", [name for name in VIDEO_PEERS if name != "foretell"])
def test_a_peers_video_step_is_the_same_problem(name):
    try:
        run = VIDEO_PEERS[name](CLIPS, torch.float32)
    except ImportError as error:
        pytest.skip(str(error))
    ours = VIDEO_PEERS["foretell"](CLIPS, torch.float32)
    assert CLIPS.masks[0].shape[0] == 2 * CLIPS.batch  # two masks of each clip
    torch.testing.assert_close(run(), ours(), rtol=1e-5, atol=0)
    torch.testing.assert_close(run(), ours(), rtol=1e-3, atol=0)  # and has learned the same from it


def test_everyone_has_a_turn_in_every_round():
    turns = []
    interleaved({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, rounds=2)
    assert turns == ["a", "b", "a", "b", "b", "a"]  # to warm up, and two rounds that start with another


def test_a_peer_that_is_not_there_is_named(capsys):
    def absent():
        raise ImportError("No module named 'peer'")

    built = available({"peer": absent, "here": lambda: print})
    assert list(built) == ["here"]
    assert "left out: peer (No module named 'peer')" in capsys.readouterr().out


@BOTH
def test_the_command_prints_a_table(problem, monkeypatch, capsys):
    monkeypatch.setattr(step, "PEERS", {"foretell": PEERS["foretell"]})
    monkeypatch.setattr(step, "VIDEO_PEERS", {"foretell": PEERS["foretell"]})
    step.main(problem, rounds=1)
    printed = capsys.readouterr().out
    assert "| foretell |" in printed
    assert "GFLOP/s" in printed
    assert ("clips/s" if problem.frames else "images/s") in printed
