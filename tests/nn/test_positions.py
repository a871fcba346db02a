from itertools import combinations
from math import cos, sin

import pytest
import torch

from foretell.nn.positions import Positions, resize, sincos


def test_two_by_two_by_hand():
    a, b = sin(1), cos(1)
    # columns first, then rows; a pair an axis has frequency 1 alone
    expected = [[0, 1, 0, 1], [a, b, 0, 1], [0, 1, a, b], [a, b, a, b]]
    torch.testing.assert_close(sincos(4, (2, 2)), torch.tensor(expected))


def test_frequencies_fall_geometrically_from_one_towards_a_ten_thousandth():
    row = sincos(16, (1, 6))[5]  # column 5, row 0; four pairs an axis
    frequencies = [1, 0.1, 0.01, 0.001]
    expected = [sin(5 * f) for f in frequencies] + [cos(5 * f) for f in frequencies] + [0] * 4 + [1] * 4
    torch.testing.assert_close(row, torch.tensor(expected))


@pytest.mark.parametrize(("width", "grid"), [(96, (14, 14)), (12, (5, 9)), (10, (4, 4)), (96, (8, 14, 14))])
def test_every_place_has_its_own_position(width, grid):
    table = sincos(width, grid)
    assert table.shape == (torch.Size(grid).numel(), width)
    assert len(table.unique(dim=0)) == len(table)


def test_places_follow_raster_order():
    table = sincos(24, (3, 4, 5)).view(3, 4, 5, 24)
    assert torch.equal(table[..., :8], table[:1, :1, :, :8].expand(3, 4, 5, 8))  # columns
    assert torch.equal(table[..., 8:16], table[:1, :, :1, 8:16].expand(3, 4, 5, 8))  # rows
    assert torch.equal(table[..., 16:], table[:, :1, :1, 16:].expand(3, 4, 5, 8))  # tubelets


def test_released_v_jepa_has_tubelets_first_and_cuts_the_columns():
    table = sincos(10, (2, 3, 3), slowest_first=True).view(2, 3, 3, 10)  # two pairs an axis, 12 channels cut to 10
    assert torch.equal(table[..., :4], table[:, :1, :1, :4].expand(2, 3, 3, 4))  # tubelets
    assert torch.equal(table[..., 4:8], table[:1, :, :1, 4:8].expand(2, 3, 3, 4))  # rows
    assert torch.equal(table[..., 8:], table[:1, :1, :, 8:].expand(2, 3, 3, 2))  # columns: their sines alone
    torch.testing.assert_close(
        table[1, 0, 2], torch.tensor([sin(1), sin(0.01), cos(1), cos(0.01), 0, 0, 1, 1, sin(2), sin(0.02)])
    )
    kind = Positions("resized-vjepa", 10, (2, 3, 3))
    assert torch.equal(kind((2, 3, 3)), table.view(18, 10))
    torch.testing.assert_close(kind((4, 3, 3)), resize(table.view(18, 10), (2, 3, 3), (4, 3, 3)))


def test_rotary_positions_add_nothing_and_the_others_turn_nothing():
    cpu = torch.device("cpu")
    rotary = Positions("rotary", 24, (4, 4), heads=2)
    assert torch.equal(rotary((5, 6)), torch.zeros(30, 24))
    assert rotary.rotation((5, 6), cpu).shape == (1, 1, 1, 30, 6)
    assert rotary.rotation((5, 6), cpu, torch.zeros(3, 7, dtype=torch.long)).shape == (1, 3, 1, 7, 6)
    assert Positions("sincos", 24, (4, 4)).rotation((4, 4), cpu) is None


def test_computed_resized_and_learned_positions_agree_on_nothing_but_their_shapes():
    kinds = {kind: Positions(kind, 24, (4, 4)) for kind in ("sincos", "resized", "learned")}
    assert torch.equal(kinds["sincos"]((4, 4)), kinds["resized"]((4, 4)))
    assert [len(list(p.parameters())) for p in kinds.values()] == [0, 0, 1]
    for one, other in combinations(kinds.values(), 2):
        assert one((6, 5)).shape == other((6, 5)).shape == (30, 24)
        assert not torch.allclose(one((6, 5)), other((6, 5)), atol=1e-3)


def test_resizing_keeps_a_constant_field_its_corners_apart_and_its_own_grid_untouched():
    table = torch.randn(12, 8)
    assert resize(table, (3, 4), (3, 4)) is table
    torch.testing.assert_close(resize(torch.ones(12, 8), (3, 4), (7, 5)), torch.ones(35, 8))
    rows = torch.arange(3.0).repeat_interleave(4).unsqueeze(1)  # a field that grows from row to row only
    resized = resize(rows, (3, 4), (6, 4)).view(6, 4)
    assert torch.equal(resized, resized[:, :1].expand(6, 4))
    assert (resized[1:, 0] > resized[:-1, 0]).all()
    assert resize(torch.ones(24, 8), (2, 3, 4), (4, 3, 4)).shape == (48, 8)


def test_learned_positions_learn_on_every_grid_and_are_saved():
    positions = Positions("learned", 8, (2, 2))
    positions((3, 3)).square().sum().backward()
    assert positions.table.grad.abs().min() > 0
    assert list(positions.state_dict()) == ["table"]


def test_a_table_needs_its_grid():
    with pytest.raises(ValueError, match="training grid"):
        Positions("learned", 8)
