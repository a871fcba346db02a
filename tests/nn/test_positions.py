from math import cos, sin

import pytest
import torch

from foretell.nn.positions import sincos


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
