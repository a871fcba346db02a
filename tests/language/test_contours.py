"""Outlines in few points, held against hand-made cases and against the masks they stand for."""

import numpy as np
import pytest

from foretell.errors import ForetellError
from foretell.language.contours import SAMPLERS, adaptive, along, douglas_peucker, spread, uniform, visvalingam
from foretell.language.outlines import area, filled, rings

y, x = np.mgrid[:96, :96] - 48
angle, radius = np.arctan2(y, x), np.hypot(y, x)
SHAPES = {
    "star": radius < 28 + 14 * np.cos(5 * angle),
    "gear": radius < 32 + 8 * np.sign(np.cos(8 * angle)),
    "L": (abs(x) < 40) & (abs(y) < 40) & ((x < -20) | (y > 20)),
}
RING = (radius < 40) & (radius > 22)


def iou(mask, outline):
    found = filled(outline, *mask.shape)
    return (found & mask).sum() / (found | mask).sum()


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_more_points_say_more(name, shape):
    mask = SHAPES[shape]
    full = along(rings(mask)[0])
    found = [SAMPLERS[name](full, points) for points in (8, 16, 40)]
    assert [len(each) <= points for each, points in zip(found, (8, 16, 40), strict=True)] == [True] * 3
    rows = {tuple(point) for point in full.tolist()}
    assert all(tuple(point) in rows for each in found for point in each.tolist())
    values = [iou(mask, [each]) for each in found]
    assert values[2] > 0.85
    assert values[2] >= values[0]


def test_corners_of_a_letter_are_kept_by_those_that_look_where_it_bends():
    full = along(rings(SHAPES["L"])[0])
    for sampler in (visvalingam, douglas_peucker):
        assert iou(SHAPES["L"], [sampler(full, 6)]) == 1


def test_adaptive_by_hand():
    # a flat top, a tooth of height 3, a tooth of height 1: distances from the chords are 0, 3, 1 where they are
    ring = np.array([[0, 0], [2, 0], [3, 3], [4, 0], [6, 0], [7, 1], [8, 0], [10, 0], [12, -9]], float)
    assert adaptive(ring, 9).tolist() == ring.tolist()
    kept = adaptive(ring, 5).tolist()
    assert kept[0] == [0, 0]
    assert kept[-1] == [12, -9]  # ends stay, whatever their scores
    assert [3, 3] in kept
    assert [7, 1] not in kept
    twice = np.repeat(ring[:4], 2, 0)  # neighbours in one place: no number, which counts as most
    assert len(adaptive(twice, 6)) == 6


def test_adaptive_looks_at_forty_points_and_uniform_at_none():
    ring = np.stack([np.arange(100.0), np.zeros(100)], 1)
    assert uniform(ring, 16).tolist() == ring[::7].tolist()
    assert set(adaptive(ring, 16)[:, 0]) <= set(range(0, 100, 3))


def test_holes_and_parts_share_the_points():
    outline = [along(ring) for ring in rings(RING)]
    found = spread(outline, 32)
    assert sum(map(len, found)) == 32
    assert [np.sign(area(ring)) for ring in found] == [1, -1]
    assert iou(RING, found) > 0.93
    assert iou(RING, [visvalingam(outline[0], 32)]) < 0.75  # a disk
    far = RING | ((x > 44) & (y > 44))
    two = spread([along(ring) for ring in rings(far)], 24)
    assert len(two) == 2  # the small part is not worth its points
    assert len(spread(outline, 3)) == 1


def test_too_few_points():
    for sampler in SAMPLERS.values():
        with pytest.raises(ForetellError, match="points is 2, expected 3 or more"):
            sampler(along(rings(RING)[0]), 2)
