"""Texts in a model's bins: order, points, and what stays."""

import numpy as np
import pytest

from foretell.errors import ForetellError
from foretell.language.coarser import Outlining, as_said
from foretell.language.outlines import filled, rings
from foretell.language.places import FINE, Places, Spot

PLACES = Places(48)
MASK = np.zeros((48, 48), bool)
MASK[10:30, 8:20] = True
MASK[14:20, 11:16] = False
MASK[4:7, 30:40] = True


def said(mask):
    return FINE.say([Spot("mask", tuple(ring / 48 for ring in rings(mask)))])


def test_boxes_are_said_from_left_to_right_in_the_models_bins():
    right, left = (Spot("box", (np.array(box),)) for box in ([[0.5, 0.1], [1, 0.2]], [[0.25, 0.5], [0.5, 0.75]]))
    text = f"what is in {FINE.say([right, left])}?"
    expected = "what is in <b_st><bin_12><bin_24><bin_24><bin_36><b_sep><bin_24><bin_5><bin_48><bin_10><b_ed>?"
    assert as_said(text, PLACES, Outlining(), 48) == expected


def test_words_and_marks_of_pictures_stay_as_they_are():
    text = f"<image_1>{said(MASK)}<image_3>{said(MASK)} and more"
    found = as_said(text, PLACES, Outlining(8), 48)
    assert found.startswith("<image_1><m_st>")
    assert "<m_ed><image_3><m_st>" in found
    assert found.endswith("<m_ed> and more")
    assert as_said("a red dog", PLACES, Outlining(), 48) == "a red dog"


@pytest.mark.parametrize("way", ["adaptive", "uniform", "douglas-peucker", "visvalingam"])
def test_the_papers_way_keeps_the_ring_around_the_largest_part(way):
    (spot,) = PLACES.read(as_said(said(MASK), PLACES, Outlining(12, way), 48)).spots
    (ring,) = spot.rings
    assert 3 <= len(ring) <= 12
    inside = filled([ring * 48], 48, 48)
    assert inside[16, 13]  # the hole is filled
    assert not inside[5, 35]
    assert np.array_equal(ring[0], ring[np.lexsort(ring.T)[0]])  # from the top


def test_ours_keeps_parts_and_holes():
    (spot,) = PLACES.read(as_said(said(MASK), PLACES, Outlining(12, "spread"), 48)).spots
    assert np.array_equal(filled([ring * 48 for ring in spot.rings], 48, 48), MASK)


def test_bad_settings_are_told():
    with pytest.raises(ForetellError, match="outlines points is 2, expected a whole number, 3 to"):
        Outlining(2)
