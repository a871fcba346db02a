import pytest
import torch

from foretell.nn.positions import sincos
from foretell.nn.predictor import Predictor, PredictorConfig
from foretell.nn.queries import FeatureConditioned, MaskTokens, SequenceConditioned

GRID = (4, 4)
KINDS = {
    "none": lambda width: MaskTokens(width),
    "feature": lambda width: FeatureConditioned(width, 7),
    "sequence": lambda width: SequenceConditioned(width, 7),
}


def predictor(kind="none", width=8, depth=2, heads=2):
    torch.manual_seed(0)
    made = Predictor(PredictorConfig(width, depth, heads), 12, KINDS[kind](width))
    for parameter in made.parameters():  # larger than at the start, so that everything matters
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def problem(M=3, L=4):
    g = torch.Generator().manual_seed(1)
    context_index = torch.stack([torch.randperm(16, generator=g)[:5] for _ in range(2)])
    target_index = torch.randint(16, (2, M, L), generator=g)
    s_x, action = torch.randn(2, 5, 12, generator=g), torch.randn(2, 7, generator=g)
    return s_x, context_index, target_index, GRID, action


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_in_the_batch_are_a_loop_over_blocks(kind):
    model, (s_x, context_index, target_index, grid, action) = predictor(kind), problem()
    together = model(s_x, context_index, target_index, grid, action)
    alone = [model(s_x, context_index, target_index[:, m : m + 1], grid, action) for m in range(3)]
    torch.testing.assert_close(together, torch.cat(alone, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_the_shortcut_in_the_last_block_changes_nothing(kind):
    model, (s_x, context_index, target_index, grid, action) = predictor(kind), problem(M=1)
    position = sincos(8, grid)
    queries = model.queries(position[target_index[:, 0]], action)
    h = torch.cat([queries, model.embed(s_x) + position[context_index]], 1)
    for block in model.blocks:
        h = block(h)
    expected = model.project(model.norm(h))[:, : target_index.shape[2]]
    torch.testing.assert_close(model(s_x, context_index, target_index, grid, action)[:, 0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_context_is_a_set_and_a_block_keeps_its_order(kind):
    model, (s_x, context_index, target_index, grid, action) = predictor(kind), problem()
    prediction = model(s_x, context_index, target_index, grid, action)
    order = torch.tensor([3, 1, 4, 0, 2])
    shuffled = model(s_x[:, order], context_index[:, order], target_index, grid, action)
    torch.testing.assert_close(shuffled, prediction)
    asked = torch.tensor([2, 0, 3, 1])
    reordered = model(s_x, context_index, target_index[..., asked], grid, action)
    torch.testing.assert_close(reordered, prediction[:, :, asked])


@pytest.mark.parametrize(("kind", "moves"), [("none", False), ("feature", True), ("sequence", True)])
def test_only_a_conditioned_predictor_heeds_the_action(kind, moves):
    model, (s_x, context_index, target_index, grid, action) = predictor(kind), problem()
    for parameter in range(7):
        other = action.clone()
        other[:, parameter] += 1
        one, two = (model(s_x, context_index, target_index, grid, a) for a in (action, other))
        assert torch.allclose(one, two, atol=1e-4) != moves


def test_places_matter():
    model, (s_x, context_index, target_index, grid, _) = predictor(), problem()
    prediction = model(s_x, context_index, target_index, grid, None)
    assert not torch.allclose(model(s_x, context_index, (target_index + 1) % 16, grid, None), prediction)
    assert not torch.allclose(model(s_x, (context_index + 1) % 16, target_index, grid, None), prediction)


@pytest.mark.parametrize(("width", "depth", "heads"), [(6, 1, 1), (10, 3, 5), (32, 2, 4)])
def test_depth_and_width_are_free(width, depth, heads):
    model = predictor("feature", width, depth, heads)
    assert model(*problem()).shape == (2, 3, 4, 12)
