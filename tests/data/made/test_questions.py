"""Questions about scenes: every answer is held against the recorded factors."""

import re
from collections import Counter

import numpy as np
import pytest

from foretell.data import Questions, load, train_test
from foretell.data.made.captioned import masks, picture
from foretell.data.made.captioned.check import named, truth
from foretell.data.made.captioned.draw import chance_of
from foretell.data.made.questions.source import VERSION, find
from foretell.data.made.questions.tasks import FINE, NONE, TASKS, Asker, called
from foretell.data.made.questions.templates import TEMPLATES
from foretell.data.sprites import load as load_sprites
from foretell.errors import ForetellError
from foretell.language.outlines import filled

SIZE = 48


@pytest.fixture(scope="module")
def asker():
    return Asker(load_sprites(None), "test", SIZE)


def asked(asker, task, n=12):
    return [asker.ask(task, chance_of("here", i)) for i in range(n)]


def outlined(reply, image, size=SIZE):
    """The masks of the outlines of a picture."""
    return [filled([ring * size for ring in spot.rings], size, size) for spot in reply.spots if spot.image == image]


@pytest.mark.parametrize("task", ["outline", "outlines", "common", "attribute"])
def test_outlines_are_the_masks_of_what_is_named(asker, task):
    for one in asked(asker, task):
        reply = FINE.read(one.answer)
        assert not reply.lost
        for image, scene in enumerate(one.scenes):
            seen, found = masks(scene, SIZE), outlined(reply, image)
            if one.answer == NONE:
                assert not reply.spots
                continue
            assert found
            assert all(any((mask == other).all() for other in seen) for mask in found)


def test_expressions_name_their_targets(asker):
    for one in asked(asker, "outlines", 30):
        text = next(part for part in _expressions(one.question) if named(part, one.scenes[0]) is not None)
        targets = named(text, one.scenes[0])
        assert len(targets) == len(FINE.read(one.answer).spots)
        assert (one.answer == NONE) == (targets == ())


def _expressions(question):
    """Parts of a question that may be an expression."""
    patterns = (re.escape(way).replace(r"\{\}", "(.*)") for way in TEMPLATES["outlines"])
    return [found[1] for pattern in patterns if (found := re.fullmatch(pattern, question))]


@pytest.mark.parametrize(("kind", "ways"), TEMPLATES.items())
def test_a_held_out_phrasing_is_new_in_words_that_are_known(kind, ways):
    *known, new = ways
    assert len(known) >= 5
    assert len(set(ways)) == len(ways)
    every = " ".join(way for some in TEMPLATES.values() for way in some[:-1])
    assert set(re.findall("[a-z]+", new)) <= set(re.findall("[a-z]+", every))
    assert {way.count("{}") for way in ways} == {0 if kind in ("caption", "common") else 1}


def test_phrasings_ask_the_same_in_other_words():
    sprites = load_sprites(None)
    usual, new = Asker(sprites, "test", SIZE), Asker(sprites, "phrasings", SIZE)
    for task in TASKS:
        (one,), (other,) = asked(usual, task, 1), asked(new, task, 1)
        assert (one.answer, one.scenes) == (other.answer, other.scenes)
        assert one.question != other.question
    _, known = next(iter(find("questions:8:phrasings:caption", SIZE, 0)["test"].read().items)).read()
    assert known.question == TEMPLATES["caption"][-1]


def test_a_box_encloses_the_mask(asker):
    for one in asked(asker, "box"):
        (spot,) = FINE.read(one.answer).spots
        seen = masks(one.scenes[0], SIZE)
        boxes = [
            [*np.argwhere(mask.any(0))[[0, -1], 0], *np.argwhere(mask.any(1))[[0, -1], 0]]
            for mask in seen
            if mask.any()
        ]
        left, top, right, bottom = (round(value * SIZE, 2) for value in spot.box)
        assert [left, right - 1, top, bottom - 1] in [pytest.approx(box, abs=0.02) for box in boxes]


def test_words_are_true(asker):
    for one in asked(asker, "caption"):
        assert truth(one.answer, one.scenes[0]) is True
    for one in asked(asker, "region"):
        assert one.answer in [called(thing) for thing in one.scenes[0].things]
    answers = Counter(one.answer for one in asked(asker, "pair", 40))
    assert set(answers) == {"true", "false"}
    assert min(answers.values()) >= 8
    said = Counter(one.answer for one in asked(asker, "vqa", 60))
    assert {"yes", "no", "one"} <= set(said)


def test_questions_are_kept_and_are_functions_of_the_seed():
    train, test = train_test("questions:18", Questions(SIZE), progress=False)
    assert (len(train), train.classes) == (18, TASKS)
    assert len(test) == 64 * 9
    batch = train.batch(range(18))
    assert batch["labels"].tolist() == [*range(9)] * 2
    assert [len(batch.ragged("pixels")[i]) for i in range(9)] == [1, 1, 1, 1, 1, 1, 2, 3, 3]
    one = Asker(load_sprites(None), "train", SIZE).ask("box", chance_of("questions", VERSION, "train", 0, 2))
    assert batch.ragged("question").texts()[2] == one.question
    assert (batch.ragged("pixels")[2][0].numpy() == picture(one.scenes[0], SIZE)).all()
    only = load("questions:16:box,outline", Questions(SIZE), progress=False)
    assert {only.classes[label] for label in only.labels.tolist()} == {"box", "outline"}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("questions:few", "expected questions, or questions:N with a whole number"),
        ("questions:16:boxes", "'boxes' is no split and no task, expected test, pictures"),
        ("elsewhere", "expected questions:N for questions about scenes"),
    ],
)
def test_what_cannot_be_asked(spec, told):
    with pytest.raises(ForetellError, match=told):
        load(spec, Questions(SIZE), progress=False)
    with pytest.raises(ForetellError, match="pictures of 8 pixels a side, expected 16 or more"):
        load("questions:16", Questions(8), progress=False)
