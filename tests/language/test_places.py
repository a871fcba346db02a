"""Places as tokens: said and read again, and whatever a model may say."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.errors import ForetellError
from foretell.language.places import RING, Places, Spot

share = st.floats(0, 1)
points = st.lists(st.tuples(share, share), min_size=3, max_size=9)
facts = st.tuples(
    st.sampled_from(["box", "point", "mask"]), st.lists(points, min_size=1, max_size=3), st.integers(0, 3)
)


def spot(kind, rings, image):
    arrays = [np.array(ring, float) for ring in rings]
    first = arrays[0]
    shapes = {"mask": tuple(arrays), "box": (np.stack([first.min(0), first.max(0)]),), "point": (first[:1],)}
    return Spot(kind, shapes[kind], image)


@settings(max_examples=100, deadline=None)
@given(st.lists(facts, max_size=5), st.sampled_from([64, 256, 1000]))
def test_what_is_said_is_read_again_within_half_a_bin(drawn, bins):
    places, said = Places(bins), [spot(*each) for each in drawn]
    reply = places.read(f"here {places.say(said)} they are")
    assert reply.words == "here they are"
    assert not reply.lost
    expected = sorted(said, key=lambda spot: (spot.image, ["box", "point", "mask"].index(spot.kind)))
    assert [(one.kind, one.image) for one in reply.spots] == [(one.kind, one.image) for one in expected]
    for found, one in zip(reply.spots, expected, strict=True):
        for a, b in zip(found.rings, one.rings, strict=True):
            assert np.abs(a - b).max() <= 0.5 / bins + 1e-9


def test_the_papers_format():
    places = Places()
    box = Spot("box", (np.array([[0.0125, 0.1], [0.5, 1.2]]),))
    assert places.say([box]) == "<b_st><bin_12><bin_100><bin_500><bin_1000><b_ed>"
    two = places.say([box, box])
    assert two.count("<b_sep>") == 1
    assert places.say([]) == ""
    hole = Spot("mask", (np.eye(3)[:, :2], np.eye(3)[:, :2]))
    assert RING in places.say([hole])
    assert len(places.tokens) == len(set(places.tokens)) == 1001 + 10


def test_pictures_are_named_where_there_are_several():
    point = np.array([[0.5, 0.5]])
    text = Places().say([Spot("point", (point,), 2), Spot("point", (point,), 0)])
    assert text.startswith("<image_1><p_st>")
    assert [spot.image for spot in Places().read(text).spots] == [0, 2]
    assert Places().read("<image_0><p_st><bin_1><bin_1><p_ed>").spots[0].image == 0


@pytest.mark.parametrize(
    ("text", "spots", "lost"),
    [
        ("a dog", 0, ()),
        ("<b_st><bin_1><bin_2><bin_3><b_ed>", 0, ("a box of 3 numbers, expected 4 numbers",)),
        ("<b_st><b_ed>", 0, ("a box of 0 numbers, expected 4 numbers",)),
        ("<m_st><bin_1><bin_2><bin_3><bin_4><m_ed>", 0, ("a mask of 4 numbers, expected pairs",)),
        ("<b_st><bin_1><bin_2><bin_3><bin_4>", 1, ("a box without its end",)),
        ("<bin_4> <m_ring> <p_ed>", 0, ("<bin_4> outside", "a ring outside", "<p_ed> without its beginning")),
        ("<p_st><bin_1><bin_2000><p_ed>", 0, ("a point with a number above <bin_1000>",)),
        ("<b_st><bin_9><bin_9><bin_1><bin_1><b_ed>", 1, ()),
    ],
)
def test_what_is_no_place_is_told(text, spots, lost):
    reply = Places().read(text)
    assert len(reply.spots) == spots
    assert len(reply.lost) == len(lost)
    for told, begins in zip(reply.lost, lost, strict=True):
        assert told.startswith(begins)


def test_ten_thousand_malformed_replies_are_read():
    chance, places = random.Random(0), Places(16)
    pieces = [
        *places.tokens[-10:],
        "<bin_3>",
        "<bin_16>",
        "<bin_99>",
        "<bin_",
        ">",
        "<image_2>",
        "<image_0>",
        "dog",
        " ",
        "<",
        "ü",
    ]
    for _ in range(10_000):
        reply = places.read("".join(chance.choices(pieces, k=chance.randrange(24))))
        for spot in reply.spots:
            every = np.concatenate(spot.rings)
            assert 0 <= every.min() <= every.max() <= 1
            left, top, right, bottom = spot.box
            assert left <= right
            assert top <= bottom


def test_no_bins():
    with pytest.raises(ForetellError, match="places bins is 0, expected"):
        Places(0)
