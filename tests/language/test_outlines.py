"""From masks to outlines and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from foretell.language.outlines import area, filled, rings

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_there_and_back(mask):
    assert (filled(rings(mask), *mask.shape) == mask).all()
    assert sum(map(area, rings(mask))) == mask.sum()


@given(MASKS)
def test_rings_turn_at_every_corner(mask):
    for ring in rings(mask):
        steps = np.sign(np.roll(ring, -1, 0) - ring)
        assert (np.abs(steps).sum(1) == 1).all()
        assert (np.abs(steps * np.roll(steps, 1, 0)).sum(1) == 0).all()


def test_one_pixel():
    (ring,) = rings(np.ones((1, 1), bool))
    assert ring.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]


def test_a_hole_and_two_parts():
    mask = np.zeros((6, 9), bool)
    mask[1:5, 1:5] = True
    mask[2:4, 2:4] = False
    mask[1:3, 6:8] = True
    assert sorted(map(area, rings(mask))) == [-4, 4, 16]


def test_parts_that_touch_at_a_corner_are_two():
    assert [area(ring) for ring in rings(np.eye(2, dtype=bool))] == [1, 1]
    # two holes that touch, inside one part
    mask = np.ones((4, 4), bool)
    mask[1, 1] = mask[2, 2] = False
    assert (filled(rings(mask), 4, 4) == mask).all()
    assert sum(map(area, rings(mask))) == 14


def test_nothing():
    assert rings(np.zeros((3, 3), bool)) == []
    assert not filled([], 3, 3).any()


def test_slanted_rings_are_filled_by_the_middle_of_pixels():
    triangle = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    assert filled([triangle], 4, 4).sum() == pytest.approx(area(triangle), abs=2)
