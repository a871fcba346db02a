import torch
from benchmarks.measure import available, interleaved
from benchmarks.peers import PEERS
from benchmarks.problem import Problem
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import step
from foretell.nn import attention
from foretell.views import Views

TINY = Problem(image_size=32, batch=2, width=12, depth=2, heads=3, predictor_width=6, predictor_depth=2)


def written_out(q, k, v, mask=None):
    return (q @ k.transpose(-2, -1)).softmax(-1) @ v  # products that torch counts


def test_necessary_products_are_those_that_a_step_makes(monkeypatch):
    monkeypatch.setattr(attention, "attend", written_out)
    with FlopCounterMode(display=False) as counter:
        TINY.reference(Views(TINY.pixels, TINY.pixels, *TINY.masks)).backward()
    assert counter.get_total_flops() == TINY.flops


def test_a_step_starts_from_the_reference_and_trains():
    expected = TINY.reference(Views(TINY.pixels, TINY.pixels, *TINY.masks)).detach()
    run = PEERS["foretell"](TINY, torch.float32)
    first, second = run(), run()
    assert first == expected
    assert second != first


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


def test_the_command_prints_a_table(monkeypatch, capsys):
    monkeypatch.setattr(step, "PEERS", {"foretell": PEERS["foretell"]})
    step.main(TINY, rounds=1)
    printed = capsys.readouterr().out
    assert "| foretell |" in printed
    assert "GFLOP/s" in printed
