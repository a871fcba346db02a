import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.errors import ForetellError
from foretell.masking import BlockMasks, QuadrantMasks, RandomMasks, complement
from foretell.masking.blocks import _official_size, block_size, place

SEEDS = st.integers(0, 2**31)
SIDES = st.integers(4, 16)


def draw(seed, grid, batch, **options):
    return BlockMasks(**options).draw(torch.Generator().manual_seed(seed), grid, batch)


def visible(context_index, patches):
    return torch.zeros(len(context_index), patches, dtype=torch.bool).scatter_(1, context_index, True)


def check_laws(context, target, patches):
    for index in (context, target):
        assert index.dtype == torch.int64
        assert index.min() >= 0
        assert index.max() < patches
    assert (context.diff(dim=1) > 0).all(), "ascending, without repeats"
    assert not visible(context, patches).gather(1, target.flatten(1)).any(), "no target is seen"


@given(seed=SEEDS, grid=st.tuples(SIDES, SIDES), batch=st.integers(1, 8), blocks=st.integers(1, 4))
def test_random_masks_never_overlap_and_keep_their_budget(seed, grid, batch, blocks):
    patches = grid[0] * grid[1]
    context, target = draw(seed, grid, batch, blocks=blocks)
    check_laws(context, target, patches)
    _, M, L = target.shape
    assert context.shape == (batch, patches - M * L)


@given(seed=SEEDS, side=st.integers(7, 16), batch=st.integers(1, 8))
def test_cut_masks_never_overlap(seed, side, batch):
    context, target = draw(seed, (side, side), batch, keep="first")
    check_laws(context, target, side * side)


@given(seed=SEEDS, side=st.integers(13, 16), batch=st.integers(1, 8))
def test_official_masks_never_overlap_on_usual_grids(seed, side, batch):
    context, target = draw(seed, (side, side), batch, keep="raster")
    check_laws(context, target, side * side)


@given(seed=SEEDS, batch=st.integers(1, 8))
def test_official_contexts_have_more_than_ten_patches_on_small_grids_too(seed, batch):
    """There targets are given up, one after each twenty draws, as in the released code."""
    context, target = draw(seed, (6, 6), batch, keep="raster", blocks=6)
    assert context.shape[1] > 10
    assert (context.diff(dim=1) > 0).all()
    assert not torch.isin(target, torch.arange(30, 36)).any()  # no block reaches the last row


def test_official_masks_need_a_grid_that_is_large_enough():
    with pytest.raises(ForetellError, match=r"4×4 grid have contexts of 3×3, expected more than 10 patches"):
        draw(0, (4, 4), 1, keep="raster")


def test_one_number_decides_area_and_aspect_of_an_official_block():
    assert _official_size(0.0, (0.15, 0.2), (0.75, 1.5), (14, 14)) == (5, 6)  # 29 patches
    assert _official_size(0.999, (0.15, 0.2), (0.75, 1.5), (14, 14)) == (8, 5)  # 39 patches
    assert _official_size(0.9999, (0.85, 1.0), (1.0, 1.0), (14, 14)) == (13, 13)  # never the whole grid


def test_the_official_masks_keep_57_patches_and_never_show_the_last_row():
    """Measured with the released collator: 14 × 14 patches, batches of 32."""
    generator = torch.Generator().manual_seed(0)
    masks = BlockMasks(keep="raster")
    drawn = [masks.draw(generator, (14, 14), 32)[0] for _ in range(400)]
    kept = sum(index.shape[1] for index in drawn) / len(drawn)
    assert 55.5 < kept < 58.5
    seen = torch.stack([visible(index, 196).float().mean(0) for index in drawn]).mean(0).view(14, 14)
    assert seen[-1].max() == 0
    assert seen[0].mean() > 0.3


@given(seed=SEEDS, grid=st.tuples(SIDES, SIDES))
def test_targets_are_rectangles_of_at_most_the_area_asked_for(seed, grid):
    _, target = draw(seed, grid, 3)
    rows, columns = target // grid[1], target % grid[1]
    height = rows.amax(2) - rows.amin(2) + 1
    width = columns.amax(2) - columns.amin(2) + 1
    area = target.shape[2]
    assert (height * width == area).all()
    assert (target.sort().values.diff(dim=2) > 0).all()
    assert area <= 0.2 * grid[0] * grid[1]


def test_same_seed_same_masks():
    for one, two in zip(draw(3, (8, 8), 4), draw(3, (8, 8), 4), strict=True):
        assert torch.equal(one, two)


def test_the_defaults_fit_the_default_grid_whatever_is_drawn():
    generator = torch.Generator().manual_seed(0)
    for _ in range(2000):  # block sides are rounded: 0.2 of 64 patches may not become 4 × 4
        assert BlockMasks().draw(generator, (8, 8), 1)[0].shape[1] >= 8 * 8 * 0.2


@pytest.mark.parametrize("keep", ["random", "first"])
@pytest.mark.parametrize("seed", range(5))
def test_blocks_that_may_cover_the_grid_are_refused_at_the_first_draw(keep, seed):
    with pytest.raises(ForetellError, match=r"6 blocks of up to 39 patches may cover the whole 14×14 grid"):
        draw(seed, (14, 14), 2, blocks=6, keep=keep)


def share_visible(keep):
    """How often each patch of a 14 × 14 grid is seen, over 200 batches of 128."""
    generator = torch.Generator().manual_seed(0)
    masks = BlockMasks(keep=keep)
    drawn = (masks.draw(generator, (14, 14), 128)[0] for _ in range(200))
    return torch.stack([visible(index, 196).float().mean(0) for index in drawn]).mean(0).view(14, 14)


def test_no_side_of_the_image_is_preferred():
    seen = share_visible("random")
    error = 5 * (2 * 0.25 / (200 * 128)) ** 0.5  # five standard deviations of a difference of two shares
    for axes in ([0], [1], [0, 1]):
        torch.testing.assert_close(seen, seen.flip(axes), atol=error, rtol=0)
    assert seen[-1].mean() > 0.35
    assert seen.min() > 0.08, "the middle, where most blocks lie"


def test_the_cut_hardly_ever_shows_the_last_row():
    seen = share_visible("first")
    assert seen[0].mean() > 0.3
    assert seen[-1].mean() < 0.02


def test_every_place_is_equally_likely_and_the_last_is_one_of_them():
    n = 20_000
    index = place(torch.Generator().manual_seed(0), (5, 7), (2, 3), (n,))
    assert index[0].diff().tolist() == [1, 1, 5, 1, 1]
    first, count = index[:, 0].unique(return_counts=True)
    assert first.tolist() == [row * 7 + column for row in range(4) for column in range(5)]
    assert (count / n - 1 / 20).abs().max() < 5 * (0.05 * 0.95 / n) ** 0.5
    assert (index[:, -1] == 5 * 7 - 1).any()


def test_block_sizes():
    assert block_size(0.25, 1.0, (8, 8), 64) == (4, 4)
    assert block_size(0.125, 2.0, (8, 8), 64) == (4, 2)  # twice as high as wide
    assert block_size(0.001, 1.0, (8, 8), 64) == (1, 1)
    assert block_size(1.0, 4.0, (8, 8), 64) == (8, 4)
    assert block_size(1.0, 4.0, (8, 8), 3) == (3, 1)
    assert block_size(0.2, 1.0, (8, 8), 12) == (4, 3)  # √12.8 rounds to 4, but 4 × 4 is a quarter


@given(st.integers(2, 40).flatmap(lambda n: st.permutations(range(n))), st.data())
def test_an_index_and_its_complement_are_everything(order, data):
    n = len(order)
    kept = data.draw(st.integers(1, n - 1))
    index = torch.tensor([order[:kept], sorted(order)[:kept]])
    rest = complement(index, n)
    assert rest.shape == (2, n - kept)
    assert (rest.diff(dim=1) > 0).all()
    assert torch.cat([index, rest], 1).sort(1).values.tolist() == [list(range(n))] * 2


@given(seed=SEEDS, grid=st.tuples(SIDES, SIDES), batch=st.integers(1, 8), hidden=st.floats(0.1, 0.9))
def test_scattered_masks_hide_their_share_and_show_the_rest(seed, grid, batch, hidden):
    patches = grid[0] * grid[1]
    context, target = RandomMasks(hidden).draw(torch.Generator().manual_seed(seed), grid, batch)
    check_laws(context, target, patches)
    assert target.shape == (batch, 1, round(hidden * patches))
    assert context.shape == (batch, patches - round(hidden * patches))


@given(seed=SEEDS, grid=st.tuples(SIDES, SIDES), batch=st.integers(1, 8), seen=st.integers(1, 3))
def test_quadrants_are_seen_or_asked_for(seed, grid, batch, seen):
    context, target = QuadrantMasks(seen).draw(torch.Generator().manual_seed(seed), grid, batch)
    check_laws(context, target, grid[0] * grid[1])
    size = (grid[0] // 2) * (grid[1] // 2)
    assert context.shape == (batch, seen * size)
    assert target.shape == (batch, 4 - seen, size)
    rows, columns = target // grid[1], target % grid[1]  # each target is one quadrant, whole
    assert (rows.amax(-1) - rows.amin(-1) == grid[0] // 2 - 1).all()
    assert (columns.amax(-1) - columns.amin(-1) == grid[1] // 2 - 1).all()


def test_every_patch_is_scattered_alike():
    context, _ = RandomMasks(0.5).draw(torch.Generator().manual_seed(0), (4, 4), 4000)
    shares = visible(context, 16).float().mean(0)
    assert (shares - 0.5).abs().max() < 0.04


@pytest.mark.parametrize("hidden", [0.0, 1.0])
def test_scattered_masks_must_leave_something(hidden):
    with pytest.raises(ForetellError, match="expected some and not all"):
        RandomMasks(hidden).draw(torch.Generator(), (4, 4), 1)


def test_there_are_four_quadrants():
    with pytest.raises(ForetellError, match="seen is 4"):
        QuadrantMasks(4)
    with pytest.raises(ForetellError, match="no quadrants"):
        QuadrantMasks().draw(torch.Generator(), (1, 8), 1)
