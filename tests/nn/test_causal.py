import pytest
import torch

from foretell.errors import ForetellError
from foretell.nn.causal import CausalConfig, CausalPredictor, block_causal
from foretell.nn.positions import sincos

GRID, N = (2, 2), 4


def predictor(states=3):
    torch.manual_seed(0)
    return CausalPredictor(CausalConfig(12, 2, 3), 8, 2, states).eval()


def problem(steps=3, states=3):
    g = torch.Generator().manual_seed(1)
    draw = (torch.randn(2, steps, *size, generator=g) for size in ((N, 8), (2,), (states,)))
    return list(draw)


def test_a_token_sees_its_own_step_and_all_before():
    assert block_causal(3, 2).int().tolist() == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
    ]


@torch.no_grad()
def test_steps_are_action_state_and_patches_in_turn():
    """The whole forward pass, written out token by token."""
    net, (latents, actions, states) = predictor(), problem(steps=2)
    place = sincos(12, (2, *GRID)).unflatten(0, (2, N))
    tokens = []
    for k in range(2):
        tokens.append(net.embed_action(actions[:, k]) + place[k].mean(0))
        tokens.append(net.embed_state(states[:, k]) + place[k].mean(0))
        tokens += [net.embed(latents[:, k, i]) + place[k, i] for i in range(N)]
    h, mask = torch.stack(tokens, 1), torch.ones(12, 12, dtype=torch.bool)
    mask[:6, 6:] = False
    for block in net.blocks:
        h = block(h, mask=mask)
    expected = net.project(net.norm(torch.stack([h[:, 2:6], h[:, 8:12]], 1)))
    torch.testing.assert_close(net(latents, actions, states, GRID), expected)


@torch.no_grad()
@pytest.mark.parametrize("part", range(3))
def test_what_comes_later_changes_nothing_before(part):
    net, told = predictor(), problem()
    before = net(*told, GRID)
    told[part][:, 1] += 1.0
    after = net(*told, GRID)
    torch.testing.assert_close(after[:, 0], before[:, 0])
    assert (after[:, 1] - before[:, 1]).abs().max() > 1e-5
    assert (after[:, 2] - before[:, 2]).abs().max() > 1e-6  # the past stays visible


@torch.no_grad()
def test_a_residual_predictor_tells_the_change():
    net, told = predictor(), problem()
    changes = CausalPredictor(CausalConfig(12, 2, 3, residual=True), 8, 2, 3)
    changes.load_state_dict(net.state_dict())
    torch.testing.assert_close(changes(*told, GRID), told[0] + net(*told, GRID))


@torch.no_grad()
def test_one_step_alone_is_the_first_of_many():
    net, told = predictor(), problem()
    torch.testing.assert_close(net(*(part[:, :1] for part in told), GRID), net(*told, GRID)[:, :1])


@torch.no_grad()
def test_states_may_be_left_out():
    assert predictor(states=0)(*problem(states=0), GRID).shape == (2, 3, N, 8)


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ForetellError, match="width 10 is not a multiple of heads 4"):
        CausalConfig(10, 1, 4)
