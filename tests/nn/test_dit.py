"""The denoiser of two streams: its equations."""

import sys

import pytest
import torch

from foretell.nn.dit import DiT, DiTConfig, MMDiTBlock, clock
from foretell.nn.rotary import line_rotation, turn

SMALL = DiTConfig(width=32, depth=2, heads=4)


def awake(module):
    """With weights everywhere: adaLN-Zero begins with zeros, which hide what a test should see."""
    torch.manual_seed(0)
    for p in module.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return module.eval()


def problem(B=3, t=2, o=4, P=2, C=8):
    g = torch.Generator().manual_seed(1)
    noisy, seen = torch.randn(B, t, P, C, generator=g), torch.randn(B, o, P, C, generator=g)
    places = torch.arange(o, o + t).expand(B, t).float(), torch.arange(o).expand(B, o).float()
    return noisy, seen, torch.rand(B, generator=g), places


def test_output_begins_at_zero():
    noisy, seen, time, places = problem()
    assert not DiT(SMALL, 8, 2)(noisy, seen, time, places).any()


def test_a_constant_added_to_all_places_changes_nothing():
    network = awake(DiT(SMALL, 8, 2))
    noisy, seen, time, (asked, told) = problem()
    before = network(noisy, seen, time, (asked, told))
    torch.testing.assert_close(network(noisy, seen, time, (asked + 7.5, told + 7.5)), before, rtol=1e-4, atol=1e-5)
    assert (network(noisy, seen, time, (asked + 1, told)) - before).abs().max() > 1e-4


def test_what_is_not_there_changes_nothing():
    network = awake(DiT(SMALL, 8, 2))
    noisy, seen, time, places = problem()
    there = torch.ones(3, 2, dtype=torch.bool), torch.tensor([[True, True, True, False]]).expand(3, 4)
    masked = network(noisy, seen, time, places, there)
    short = network(noisy, seen[:, :3], time, (places[0], places[1][:, :3]))
    torch.testing.assert_close(masked, short, rtol=1e-4, atol=1e-5)


def test_one_time_for_all_is_that_time_for_each():
    network = awake(DiT(SMALL, 8, 2))
    noisy, seen, _, places = problem()
    one = network(noisy, seen, torch.tensor([0.3]), places)
    torch.testing.assert_close(one, network(noisy, seen, torch.full((3,), 0.3), places), rtol=1e-5, atol=1e-6)


def test_the_last_block_needs_no_answer_of_the_seen_stream():
    last = MMDiTBlock(SMALL, last=True)
    noisy, seen = torch.randn(2, 3, 32), torch.randn(2, 4, 32)
    found, unchanged = last(noisy, seen, torch.randn(2, 32))
    assert found.shape == noisy.shape
    assert unchanged is seen
    assert not hasattr(last.seen, "mlp")


def test_line_rotation_turns_by_the_place():
    q = torch.zeros(1, 1, 1, 4)
    q[..., 0] = 1.0
    turned = turn(q, line_rotation(4, torch.tensor([[0.5]])))
    angle = torch.tensor(0.5 * torch.pi / 2)
    torch.testing.assert_close(turned[0, 0, 0, :2], torch.stack([angle.cos(), angle.sin()]))


def test_clock_by_hand():
    found = clock(torch.tensor([500.0]), 4)
    frequency = torch.tensor([1.0, 0.01])
    expected = torch.cat([(500 * frequency).cos(), (500 * frequency).sin()])
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-4)


def test_equals_diffusers_block_on_shared_weights():
    if "diffusers" not in sys.modules:
        pytest.importorskip("diffusers", reason="compares with the SD3 block of diffusers, which is not installed")
    from benchmarks.denoiser import twin
    from diffusers.models.attention import JointTransformerBlock

    width, heads = 64, 4
    theirs = awake(JointTransformerBlock(width, heads, width // heads, qk_norm="rms_norm"))
    ours = twin(theirs, width, heads)
    g = torch.Generator().manual_seed(2)
    noisy, seen, time = (torch.randn(*shape, generator=g) for shape in ((2, 5, width), (2, 7, width), (2, width)))
    with torch.no_grad():
        context, hidden = theirs(hidden_states=noisy, encoder_hidden_states=seen, temb=time)
        found = ours(noisy, seen, torch.nn.functional.silu(time))
    torch.testing.assert_close(found[0], hidden, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[1], context, rtol=1e-5, atol=1e-5)
