"""Captioned scenes: every caption is true, every foil is false, and what is held out is never seen in training."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from foretell.data import Captions, Photographs, load, sprites
from foretell.data.made import captioned
from foretell.data.made.captioned import check, draw, say, words
from foretell.data.made.captioned.factors import CaptionedScene, Ground, Placed
from foretell.errors import ForetellError

SPRITES = sprites.load()
NAMES = [thing.name for thing in SPRITES.things]
DRAWERS = {split: draw.Drawer(SPRITES, split) for split in captioned.SPLITS}


def placed(name, x, y, size=0.35, colour=None):
    number = NAMES.index(name)
    return Placed(SPRITES.things[number], int(np.flatnonzero(SPRITES.thing == number)[0]), colour, x, y, size, False)


BLUE = Ground("plain", ("blue",), 0)


def scene_of(*things, ground=BLUE):
    return CaptionedScene(ground, things, tuple(NAMES.index(thing.thing.name) for thing in things))


def drawn(split, index):
    chance = captioned.chance_of(split, 7, index)
    return DRAWERS[split].scene(chance), chance


# What scenes are drawn by hand for: the dog is top left, the cat bottom right, small and red.
TWO = scene_of(placed("dog", 0.2, 0.2, 0.5), placed("cat", 0.75, 0.8, 0.25, "red"))


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a dog", True),
        ("a hound", True),
        ("an animal", True),
        ("a picture of a dog", True),
        ("there are two animals", True),
        ("three animals", False),
        ("two dogs", False),
        ("a horse", False),
        ("a red cat", True),
        ("a blue cat", False),
        ("a violet cat", False),
        ("a red dog", None),  # nobody recorded its natural colours
        ("a small red cat", True),
        ("a huge cat", False),
        ("a dog in the top left corner", True),
        ("a dog on the left side", True),
        ("a dog on the right", False),
        ("in the middle there is a dog", False),
        ("a cat in the lower right corner", True),
        ("a dog left of a cat", True),
        ("a dog to the right of a cat", False),
        ("a dog above a red cat", True),
        ("a cat above a dog", False),
        ("a dog bigger than a cat", True),
        ("a cat larger than a dog", False),
        ("a dog and a cat", True),
        ("a dog and a dog", False),  # there is one
        ("two animals and a red cat", True),
        ("two dogs and a red cat", False),
        ("two animals left of a cat", None),  # both, or one of them
        ("in the top left corner there is a dog and a cat", None),  # the cat as well?
        ("a blue background", True),
        ("a dog on a blue background", True),
        ("a dog on a red background", False),
        ("a background of blue and red stripes", False),
        ("an object left of a thing", True),
        ("colourless green ideas sleep furiously", None),
    ],
)
def test_truth_of_a_scene_drawn_by_hand(caption, expected):
    assert captioned.truth(caption, TWO) is expected


def test_what_is_near_a_limit_cannot_be_said():
    near = scene_of(placed("dog", 0.42, 0.5, 0.35), placed("cat", 0.47, 0.5, 0.36))
    assert captioned.truth("a dog on the left", near) is None
    assert captioned.truth("a dog left of a cat", near) is None
    assert captioned.truth("a large dog", near) is False
    assert captioned.truth("a small dog", near) is None


def test_a_word_that_others_have_at_their_end_is_doubtful():
    guide = scene_of(placed("teddy bear", 0.5, 0.5))
    assert captioned.truth("a bear", guide) is None
    assert captioned.truth("a police car", scene_of(placed("police car", 0.5, 0.5))) is True
    assert captioned.truth("a car", scene_of(placed("police car", 0.5, 0.5))) is True


@settings(max_examples=60)
@given(st.sampled_from(captioned.SPLITS), st.integers(0, 10**9))
def test_every_caption_is_true_and_every_foil_false(split, index):
    scene, chance = drawn(split, index)
    said = say.captions(scene, chance, split)
    assert said
    assert len(set(said)) == len(said) <= say.CAPTIONS
    for caption in said:
        assert captioned.truth(caption, scene) is True, (caption, scene)
    for make in (say.swapped_colours, say.swapped_places):
        found = make(scene, chance)
        assert len(found) % 2 == 0
        for true, false in zip(found[::2], found[1::2], strict=True):
            assert captioned.truth(true, scene) is True
            assert captioned.truth(false, scene) is False
            same = [sorted("a" if word == "an" else word for word in text.split()) for text in (true, false)]
            assert same[0] == same[1]


@settings(max_examples=20)
@given(st.sampled_from(captioned.SPLITS), st.integers(0, 10**9))
def test_the_rows_of_a_scene_hold_all_of_it(split, index):
    scene, _ = drawn(split, index)
    assert CaptionedScene.of(scene.rows, SPRITES) == scene
    assert scene.rows.dtype == np.int32


@settings(max_examples=20)
@given(st.integers(0, 10**9))
def test_places_said_are_places_painted(index):
    """Independent of all words: the middle of the mask of a thing that is said to be left is in the left half."""
    scene, chance = drawn("single", index)
    mask = captioned.masks(scene, 64)[0]
    y, x = (axis.mean() / 64 for axis in np.nonzero(mask))
    for caption in say.captions(scene, chance, "single"):
        found = check.read(caption)
        place = found.first.place if found and found.first else None
        for side, holds in {"left": x < 0.5, "right": x > 0.5, "top": y < 0.5, "bottom": y > 0.5}.items():
            assert holds or not place or side not in place.split()


def test_there_are_hundreds_of_captions():
    scene, chance = drawn("train", 4)
    assert len(scene.things) > 1
    assert len(say.captions(scene, chance, "train", 1500)) > 500


def test_what_is_held_out_never_is_in_training():
    for index in range(60):
        scene, chance = drawn("train", index)
        said = " ".join(say.captions(scene, chance))
        for thing, number in zip(scene.things, scene.number, strict=True):
            assert not SPRITES.held_out[thing.picture]
            assert not draw.new_thing(number)
            assert thing.colour is None or not draw.new_colour(number, thing.colour)
            assert not any(f" {word} " in f" {said} " for word in thing.thing.held_out_words)


def test_what_is_held_out_is_in_its_split():
    for index in range(60):
        assert all(SPRITES.held_out[thing.picture] for thing in drawn("pictures", index)[0].things)
        assert all(map(draw.new_thing, drawn("things", index)[0].number))
        for number, thing in zip(*(lambda s: (s.number, s.things))(drawn("combinations", index)[0]), strict=True):
            assert draw.new_colour(number, thing.colour)
        scene, chance = drawn("words", index)
        new = {word for thing in scene.things for word in thing.thing.held_out_words}
        for caption in say.captions(scene, chance, "words"):
            assert any(word in caption for word in new)
        assert len(drawn("single", index)[0].things) == 1


def test_masks_are_what_is_painted():
    """Another ground changes the pixels outside of all masks alone, but for edges that are covered in part."""
    scene = scene_of(placed("tomato", 0.4, 0.5, 0.5), placed("lemon", 0.6, 0.5, 0.3))
    other = CaptionedScene(Ground("plain", ("black",), 0), scene.things, scene.number)
    masks = captioned.masks(scene, 64)
    a, b = (captioned.picture(each, 64).astype(int) for each in (scene, other))
    changed = np.abs(a - b).sum(0) > 150  # half of what the two grounds differ by
    assert masks.shape == (2, 64, 64)
    assert (masks.any(0) ^ changed).mean() > 0.98
    assert not (masks[0] & masks[1]).any()  # the lemon hides a part of the tomato
    assert masks[0].sum() < captioned.masks(scene_of(scene.things[0]), 64)[0].sum()


def test_a_dye_is_seen():
    for colour in captioned.COLOURS:
        scene = scene_of(placed("elephant", 0.5, 0.5, 0.54, colour), ground=Ground("plain", ("white",), 0))
        mean = np.median(captioned.picture(scene, 64)[:, captioned.masks(scene, 64)[0]], axis=1)
        distance = {name: np.linalg.norm(mean - rgb) for name, rgb in captioned.COLOURS.items()}
        assert min(distance, key=distance.__getitem__) == colour


def test_scenes_load_as_the_contract_says(tmp_path):
    train = load("captions:8", Captions(48), cache_dir=tmp_path, progress=False)
    assert len(train) == 8
    assert set(train.columns) == {"pixels", "captions", "labels", "swapped_colours", "swapped_places", "scene"}
    batch = train.batch([3, 1])
    assert batch.pixels.shape == (2, 3, 48, 48)
    assert batch.pixels.dtype == torch.uint8
    assert batch.ragged("captions").texts() == train.texts([3, 1])
    scene = CaptionedScene.of(batch.ragged("scene")[0].numpy())
    assert scene == captioned.scene(0, 3)
    assert all(captioned.truth(caption, scene) for caption in train.texts([3])[0])
    assert train.classes[train.labels[3]] == SPRITES.things[scene.largest].name
    assert (captioned.picture(scene, 48) == batch.pixels[0].numpy()).all()
    assert captioned.scene(0, 0, "test") != captioned.scene(0, 0)
    again = load("captions:8", Captions(48), cache_dir=tmp_path / "other", progress=False)
    assert again.fingerprint == train.fingerprint
    assert load("captions:8", Captions(48), seed=1, cache_dir=tmp_path, progress=False).fingerprint != train.fingerprint


def test_any_method_reads_scenes_as_images(tmp_path):
    images = load("captions:8", Photographs(32), cache_dir=tmp_path, progress=False)
    assert images.take([0]).shape == (1, 3, 32, 32)
    assert images.labels is not None
    assert (images.take([5])[0].numpy() == captioned.picture(captioned.scene(0, 5), 32)).all()


def test_captions_do_not_depend_on_how_python_hashes():
    code = (
        "from foretell.data.made import captioned as c; k = c.chance_of('x'); "
        "print(c.captions(c.scene(0, 4), k), c.swapped_places(c.scene(0, 4), k))"
    )
    other = os.environ | {"PYTHONHASHSEED": "1"}  # this process has another
    said = subprocess.run([sys.executable, "-c", code], env=other, capture_output=True, check=True, text=True).stdout
    chance, scene = captioned.chance_of("x"), captioned.scene(0, 4)
    assert said == f"{captioned.captions(scene, chance)} {captioned.swapped_places(scene, chance)}\n"


@pytest.mark.parametrize(
    ("spec", "size", "said"),
    [
        ("captions:few", 32, "a whole number of scenes, 8 or more"),
        ("captions:4", 32, "a whole number of scenes, 8 or more"),
        ("captions:100:picture", 32, "did you mean 'pictures'"),
        ("captions:100:/nowhere/at/all", 32, "not found"),
        ("captions:100", 8, "expected 16 or more"),
    ],
)
def test_bad_specs_are_a_sentence(tmp_path, spec, size, said):
    with pytest.raises(ForetellError, match=said):
        load(spec, Captions(size), cache_dir=tmp_path, progress=False)


def test_scenes_of_a_folder_of_ones_own(tmp_path):
    folder = tmp_path / "own" / "toy"
    folder.mkdir(parents=True)
    for number, colour in enumerate([(255, 0, 0), (0, 0, 255), (0, 255, 0)]):
        pixels = np.zeros((40, 20, 4), np.uint8)
        pixels[5:35, 5:15] = (*colour, 255)
        Image.fromarray(pixels).save(folder / f"{['red-fox', 'ball_2', 'blue box'][number]}.png")
    own = sprites.load(tmp_path / "own")
    assert [thing.name for thing in own.things] == ["ball", "blue box", "red fox"]
    assert own.things[0].kinds == ("toy",)
    data = load(f"captions:20:{tmp_path / 'own'}", Captions(32), cache_dir=tmp_path, progress=False)
    rows = data.batch(range(20)).ragged("scene")
    for index, captions in enumerate(data.texts(range(20))):
        scene = CaptionedScene.of(rows[index].numpy(), own)
        assert all(captioned.truth(caption, scene) is True for caption in captions), captions
    with pytest.raises(ForetellError, match="no picture is left for the split 'pictures'"):
        load(f"captions:20:pictures:{tmp_path / 'own'}", Captions(32), split="test", cache_dir=tmp_path)


def test_several():
    assert [words.plural(word) for word in ("dog", "mouse", "slice of pizza", "fox", "strawberry", "polar bear")] == [
        "dogs",
        "mice",
        "slices of pizza",
        "foxes",
        "strawberries",
        "polar bears",
    ]
    assert [words.with_article(word) for word in ("apple", "unicorn", "ufo", "umbrella", "orange dog")] == [
        "an apple",
        "a unicorn",
        "a ufo",
        "an umbrella",
        "an orange dog",
    ]
