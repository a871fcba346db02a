"""The promises of scenes: the same for the same seed, pairs equal up to the violation, balanced quads."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.data.made import scenes
from foretell.data.made.scenes import KINDS, PROPERTIES, Body, Camera, Light, Scene, Variety, film
from foretell.data.made.scenes.physics import simulate
from foretell.data.made.scenes.stage import BACKGROUND, Stage
from foretell.data.made.scenes.violations import Clock
from foretell.data.made.scenes.world import GRAVITY, SHAPES, Block, box
from foretell.errors import ForetellError

seeds = st.integers(0, 2**32)
VARIETIES = (Variety(), Variety("textures", True), Variety("colours", False, False, False))


# Pairs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("name", PROPERTIES)
@settings(max_examples=4)
@given(seed=seeds, variety=st.sampled_from(VARIETIES), frames=st.sampled_from([16, 16, 8, 24]))
def test_pairs_are_identical_up_to_their_violation_and_quads_balanced(name, hidden, seed, variety, frames):
    pairs = scenes.pairs(name, 2, seed, hidden=hidden, variety=variety, frames=frames)
    possible, impossible = pairs.possible.pixels, pairs.impossible.pixels
    frame = int(pairs.violation[0])
    assert 0 < frame < frames - 1
    for number in range(2):
        revealed = int(pairs.revealed[number])
        assert revealed >= frame
        assert np.array_equal(possible[number, :revealed], impossible[number, :revealed])
        assert (possible[number, revealed] != impossible[number, revealed]).any()
        # more than a rounding: an eighth of a body's pixels, clearly
        apart = abs(possible[number].astype(int) - impossible[number]).max(1) > 16
        assert apart.sum((1, 2)).max() >= 6
    assert (possible[0, :frame] != possible[1, :frame]).any()  # the two pasts can be told apart
    if not pairs.crossed:  # and both futures are in a possible clip and in an impossible one
        assert np.array_equal(possible[0, frame:], impossible[1, frame:])
        assert np.array_equal(possible[1, frame:], impossible[0, frame:])
    if hidden:  # the screen hides all that differs on both sides of the joint
        assert np.array_equal(possible[0, frame - 1 : frame + 1], possible[1, frame - 1 : frame + 1])
        assert (pairs.revealed > frame).all()
    assert pairs.direction[0] != pairs.direction[1]


def test_a_body_that_lands_on_a_table_was_thrown_from_above_it():
    """Thrown from inside it, it is pushed aside, and the body without the table is not: both are seen on the screen."""
    clock, late = Clock(24, Scene.seconds / 24), 0
    for seed in range(60):
        stage = Stage(np.random.default_rng(seed), Variety())
        quad = PROPERTIES["support"](stage, clock, True)
        with_table, without = (simulate(scene, 24)[: quad.frame + 1] for scene in quad.possible)
        assert np.array_equal(with_table, without)
        late += quad.frame == 14
    assert late > 10
    pairs = scenes.pairs("support", 2, 237616, hidden=True, variety=VARIETIES[1], frames=24)
    frame = int(pairs.violation[0])
    one, other = (pairs.possible.pixels[number][frame - 1 : frame + 1] for number in range(2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(("name", "seed"), [("collision", 172), ("permanence", 32), ("colour", 7)])
def test_pasts_that_look_alike_are_drawn_again(name, seed):
    pairs = scenes.pairs(name, 2, seed, hidden=True, frames=8)
    frame = int(pairs.violation[0])
    assert (pairs.possible.pixels[0, :frame] != pairs.possible.pixels[1, :frame]).any()


@pytest.mark.parametrize("name", ["solidity", "support"])
def test_crossed_quads_have_each_cause_with_each_course(name):
    pairs = scenes.pairs(name, 2, seed=4)
    assert pairs.crossed
    p, q = pairs.scenes
    assert p.bodies == q.bodies
    assert p.blocks != q.blocks
    frame = int(pairs.violation[0])
    swapped = scenes.render(p, simulate(q, 16), 32)  # p's cause, q's course
    assert np.array_equal(pairs.impossible.pixels[0, frame:], swapped[frame:])


def test_hidden_and_visible_and_other_properties_are_other_pairs():
    made = [scenes.pairs(name, 2, 5, hidden=hidden) for name in ("shape", "colour") for hidden in (False, True)]
    assert len({pairs.possible.pixels.tobytes() for pairs in made}) == 4
    assert len({pairs.possible.fingerprint for pairs in made}) == 4


def test_records_say_everything_in_json():
    pairs = scenes.pairs("permanence", 4, seed=2, hidden=True)
    records = json.loads(json.dumps(list(pairs.records())))
    assert [each["direction"] for each in records] == ["vanishes", "appears"] * 2
    assert [each["quad"] for each in records] == [0, 0, 1, 1]
    assert records[0]["scene"]["bodies"][0]["shape"] in SHAPES
    assert records[1]["scene"]["bodies"] == []


# The same again -----------------------------------------------------------------------------------------------


@given(seed=seeds, start=st.integers(0, 1000))
@settings(max_examples=5)
def test_a_clip_is_a_function_of_seed_and_number(seed, start):
    whole = scenes.clips(4, seed, start=start, size=16, frames=8)
    for number in (3, 1):
        one = scenes.clips(1, seed, start=start + number, size=16, frames=8)
        assert np.array_equal(one.pixels[0], whole.pixels[number])
        assert one.labels[0] == whole.labels[number]
    drawn = scenes.scene(seed, start, 8)
    assert np.array_equal(film(drawn, 16, 8), whole.pixels[0])
    assert drawn.kind == whole.classes[int(whole.labels[0])]


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_pair_is_a_function_of_seed_and_number(name):
    whole, part = scenes.pairs(name, 6, 3, size=16), scenes.pairs(name, 2, 3, size=16, start=4)
    assert np.array_equal(whole.impossible.pixels[4:], part.impossible.pixels)
    assert whole.scenes[4:] == part.scenes
    assert scenes.pairs(name, 2, 4, size=16).scenes != whole.scenes[:2]


# Physics and pictures -----------------------------------------------------------------------------------------


def plain(*bodies, blocks=(), **more):
    camera, light = Camera(), Light(strength=0.0)
    return Scene("fall", bodies, blocks, BACKGROUND, camera=camera, light=light, **more)


def test_free_fall():
    path = simulate(plain(Body("circle", 0.1, (1, 0, 0), (0.2, 0.9), (0.3, 0.1))), 16)
    time = np.arange(16) * 2 / 16
    assert path[:, 0, 0] == pytest.approx(0.2 + 0.3 * time)
    # to the error of sub-steps: half a step's fall
    assert path[:, 0, 1] == pytest.approx(0.9 + 0.1 * time - GRAVITY * time**2 / 2, abs=GRAVITY * 2 / 64)


def test_equal_bodies_swap_velocities():
    floor = Block(box(-2, -1, 3, 0.1), (0.5, 0.5, 0.5))
    hitter = Body("circle", 0.1, (1, 0, 0), (0.2, 0.2), (0.4, 0.0), bounce=1.0)
    resting = replace(hitter, position=(0.6, 0.2), velocity=(0.0, 0.0))
    path = simulate(plain(hitter, resting, blocks=(floor,)), 16)
    speed = (path[-1, :, 0] - path[-2, :, 0]) * 8
    assert speed == pytest.approx([0.0, 0.4], abs=0.01)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [16, 32, 64])
def test_pixels_are_the_recorded_factors(shape, size):
    body = Body(shape, 0.12, (0.8, 0.2, 0.1), (0.3, 0.6), angle=0.5)
    clip = film(plain(body), size, 8)[0].astype(float) / 255
    # how much of each pixel is body, from its blue, which differs most from the background's
    share = (clip[2] - clip[2, 0, 0]) / (0.1 - clip[2, 0, 0])
    assert share.sum() / size**2 == pytest.approx(np.pi * 0.12**2, rel=0.08)  # all shapes have the circle's area
    rows, columns = np.indices(share.shape)
    assert (columns * share).sum() / share.sum() == pytest.approx(0.3 * size - 0.5, abs=0.25)
    assert (rows * share).sum() / share.sum() == pytest.approx(0.4 * size - 0.5, abs=0.25)
    inside = clip[:, round(0.4 * size), round(0.3 * size)]
    assert inside == pytest.approx([0.8, 0.2, 0.1], abs=1 / 255)


def test_cameras_mirror_pan_and_zoom():
    scene = plain(Body("square", 0.12, (0.8, 0.2, 0.1), (0.3, 0.6)))
    clip = film(scene, 32, 8)
    assert np.array_equal(film(replace(scene, camera=Camera(mirrored=True)), 32, 8), clip[..., ::-1])
    panned = film(replace(scene, camera=Camera(centre=(0.25, 0.5))), 32, 8)
    assert np.array_equal(panned[:, :, :, 8:], clip[:, :, :, :24])
    near = film(replace(scene, camera=Camera(zoom=2.0)), 32, 8)[0].astype(float)
    assert abs(near - BACKGROUND[0] * 255).max() > 100


def test_screens_hide_and_bodies_outside_leave_no_trace():
    empty = plain(blocks=(Block(box(0.2, 0.4, 0.5, 0.8), (0.3, 0.3, 0.4), solid=False, front=True),))
    body = Body("triangle", 0.05, (0.8, 0.2, 0.1), (0.35, 0.6))
    assert np.array_equal(film(replace(empty, bodies=(body,)), 32, 8)[0], film(empty, 32, 8)[0])
    for place in ((-0.5, 0.5), (3.0, 0.5), (0.5, -40.0), (0.5, 9.0)):
        gone = replace(empty, bodies=(replace(body, position=place, velocity=(0.0, 0.0)),))
        assert np.array_equal(film(gone, 32, 8)[0], film(empty, 32, 8)[0])


@pytest.mark.parametrize("variety", VARIETIES)
def test_clips_of_all_kinds_move_and_vary(variety):
    videos = scenes.clips(60, seed=9, variety=variety)
    assert set(videos.labels.tolist()) == set(range(len(KINDS)))
    moving = (np.diff(videos.pixels.astype(int), axis=1) != 0).any((2, 3, 4)).mean(1)
    assert (moving > 0.5).mean() > 0.8
    still = videos.pixels[:, :, :, 0].std(axis=(0, 3)).mean()  # the uppermost row: mostly wall
    assert (still < 25) == (variety.background == "constant")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"property": "levity"}, "expected one of permanence"),
        ({"n": 3}, "n is 3, expected an even number"),
        ({"n": 0}, "n is 0, "),
        ({"size": 4}, "size is 4, "),
        ({"frames": 2}, "frames is 2, "),
        ({"seed": -1}, "seed is -1, "),
    ],
)
def test_wrong_arguments(change, said):
    with pytest.raises(ForetellError, match=said):
        scenes.pairs(**({"property": "shape", "n": 2} | change))
