from dataclasses import replace
from math import cos, pi, sin

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.errors import ForetellError
from foretell.nn.attention import Attention
from foretell.nn.positions import Positions
from foretell.nn.predictor import Predictor, PredictorConfig
from foretell.nn.queries import MaskTokens, SequenceConditioned
from foretell.nn.rotary import rotations, turn
from foretell.nn.stochastic import PositionNoise
from foretell.nn.vit import VideoViTConfig, ViT, ViTConfig


def table(width, grid, vjepa2=False):
    return rotations(width, grid, vjepa2)[:, None, None]  # for one sample, for every head


def test_a_row_of_two_axes_by_hand():
    x = torch.tensor([1.0, 0.0, 1.0, 0.0]).expand(1, 1, 6, 4)  # a pair for the rows, a pair for the columns
    turned = turn(x, table(4, (2, 3)))[0, 0]
    for n, (row, column) in enumerate((r, c) for r in range(2) for c in range(3)):
        torch.testing.assert_close(turned[n], torch.tensor([cos(row), sin(row), cos(column), sin(column)]))


def test_frequencies_fall_geometrically_and_what_is_left_over_is_not_turned():
    x = torch.tensor([1.0, 0.0] * 7).expand(1, 1, 5, 14)  # three pairs an axis, one pair left over
    turned = turn(x, table(14, (1, 5)))[0, 0, 3]
    expected = [1, 0] * 3 + [f(3 * 10000 ** (-k / 3)) for k in range(3) for f in (cos, sin)] + [1, 0]
    torch.testing.assert_close(turned, torch.tensor(expected))


def test_the_released_tables_quirk_by_hand():
    """Three pairs, channels c with frequencies ω of c mod 3: out = x cos + (−x', x) sin, each channel by its own."""
    x, place = torch.randn(6), 2
    frequency = [10000 ** (-(c % 3) / 3) for c in range(6)]
    expected = []
    for c in range(6):
        partner = -x[c + 1] if c % 2 == 0 else x[c - 1]
        expected.append(x[c] * cos(place * frequency[c]) + partner * sin(place * frequency[c]))
    turned = turn(x.expand(1, 1, 3, 6), table(6, (3,), vjepa2=True))[0, 0, place]
    torch.testing.assert_close(turned, torch.stack(expected))


@given(place=st.tuples(*[st.integers(0, 4)] * 3), other=st.tuples(*[st.integers(0, 4)] * 3), shift=st.integers(1, 5))
def test_a_product_depends_only_on_how_far_apart_places_are(place, other, shift):
    g = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 1, 1, 26, generator=g)
    where = rotations(26, (10, 10, 10)).unflatten(1, (10, 10, 10))

    def product(a, b):
        turned = [turn(x, where[(slice(None), *p)].view(1, 1, 1, 1, 13)) for x, p in ((q, a), (k, b))]
        return (turned[0] * turned[1]).sum()

    moved = [tuple(n + shift for n in p) for p in (place, other)]
    torch.testing.assert_close(product(*moved), product(place, other), atol=1e-4, rtol=1e-4)


def test_the_released_table_is_another_one_and_keeps_no_such_law():
    right, released = rotations(12, (4, 4, 4)), rotations(12, (4, 4, 4), vjepa2=True)
    assert len(right) == 1
    assert len(released) == 2
    torch.testing.assert_close(right.abs(), torch.ones(1, 64, 6))
    assert released[1].abs().max() > 0.5


def test_half_precision_stays_half_precision():
    x = torch.randn(2, 3, 4, 8, dtype=torch.bfloat16)
    turned = turn(x, table(8, (2, 2)))
    assert turned.dtype == torch.bfloat16
    torch.testing.assert_close(turned.float(), turn(x.float(), table(8, (2, 2))), atol=0.02, rtol=0.02)


@pytest.mark.parametrize(("width", "grid"), [(7, (4, 4)), (2, (4, 4)), (4, (2, 4, 4))])
def test_a_head_too_narrow_for_its_axes_is_refused(width, grid):
    with pytest.raises(ForetellError, match=r"pairs of a head's channels.*expected an even width"):
        Positions("rotary", 3 * width, grid, heads=3)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.bfloat16, 0.01)])
def test_asking_with_the_first_tokens_only_is_the_first_rows_of_asking_with_all(dtype, atol):
    attention, x = Attention(12, 2).to(dtype), torch.randn(2, 9, 12, dtype=dtype)
    where = table(6, (3, 3))
    torch.testing.assert_close(attention(x, 4, where), attention(x, rotation=where)[:, :4], atol=atol, rtol=0.02)


KINDS = ("rotary", "rotary-vjepa2")
CONFIGS = {
    "images": ViTConfig(image_size=12, patch_size=4, width=24, depth=2, heads=2),
    "clips": VideoViTConfig(image_size=8, patch_size=4, width=24, depth=2, heads=2, frames=6),
}


def encoder(kind, config):
    made = ViT(replace(config, positions=kind))
    for parameter in made.parameters():  # larger than at the start, so that everything matters
        torch.nn.init.normal_(parameter, std=0.3)
    return made


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_kept_patches_are_a_set_that_keeps_its_places(kind, config):
    model = encoder(kind, config)
    x = torch.rand(2, 3, *(n * p for n, p in zip(config.grid, config.patch, strict=True)))
    N = torch.Size(config.grid).numel()
    torch.testing.assert_close(model(x, torch.arange(N).expand(2, -1)), model(x))
    index = torch.stack([torch.randperm(N)[:5] for _ in range(2)])
    order = torch.randperm(5)
    torch.testing.assert_close(model(x, index[:, order]), model(x, index)[:, order])
    still = torch.full_like(x, 0.4)  # all patches alike: without positions, all latents would be too, and they are
    torch.testing.assert_close(model(still), model(still)[:, :1].expand(-1, N, -1))
    half = torch.where(torch.arange(x.shape[-1]) < 4, x, still)  # now there is something to be far from
    assert model(half)[0, -1].sub(model(half)[0, -2]).abs().max() > 1e-3


@torch.no_grad()
def test_a_picture_moved_has_latents_moved_where_only_distance_counts():
    """The same patches at other places, all moved by the same distance."""
    model = encoder("rotary", CONFIGS["images"])
    x = torch.rand(1, 3, 24, 24)
    moved = x.roll((8, 4), (2, 3))
    index = torch.tensor([[0, 1, 7, 14]])  # of a grid of 6 × 6
    there = index + 2 * 6 + 1
    torch.testing.assert_close(model(moved, there), model(x, index), atol=1e-5, rtol=1e-5)
    released = encoder("rotary-vjepa2", CONFIGS["images"])
    assert not torch.allclose(released(moved, there), released(x, index), atol=1e-3)


QUERIES = {"tokens": MaskTokens, "sequence": lambda width: SequenceConditioned(width, 3)}


@pytest.mark.parametrize("queries", QUERIES)
@pytest.mark.parametrize("grid", [(4, 4), (2, 2, 4)])
@torch.no_grad()
def test_a_predictor_asks_anywhere_and_blocks_are_apart(grid, queries):
    config = PredictorConfig(24, 2, 2, "rotary")
    model = Predictor(config, 12, QUERIES[queries](24), grid).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    seen, asked = torch.tensor([[0, 5, 9], [3, 1, 15]]), torch.randint(16, (2, 3, 4))
    s_x, action = torch.randn(2, 3, 12), torch.randn(2, 3)
    together = model(s_x, seen, asked, grid, action)
    alone = [model(s_x, seen, asked[:, m : m + 1], grid, action) for m in range(3)]
    torch.testing.assert_close(together, torch.cat(alone, 1))
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(model(s_x[:, order], seen[:, order], asked, grid, action), together)
    assert not torch.allclose(model(s_x, seen, (asked + 1) % 16, grid, action), together, atol=1e-3)
    assert not torch.allclose(model(s_x, (seen + 1) % 16, asked, grid, action), together, atol=1e-3)


def test_it_learns_through_the_turn():
    model = encoder("rotary-vjepa2", CONFIGS["clips"])
    model(torch.rand(1, 3, 6, 8, 8)).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_uncertain_places_need_positions_that_are_added(kind):
    with pytest.raises(ForetellError, match=f"noise.sigma is 0.25 and positions are {kind}"):
        PredictorConfig(24, 1, 2, kind, PositionNoise(0.25))


def test_a_turn_by_a_quarter_swaps_the_channels():
    quarter = torch.full((1, 1, 1, 1, 1), torch.polar(torch.tensor(1.0), torch.tensor(pi / 2)).item())
    torch.testing.assert_close(turn(torch.tensor([[[[3.0, 4.0]]]]), quarter), torch.tensor([[[[-4.0, 3.0]]]]))
