"""Expressions name exactly their targets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.data import sprites
from foretell.data.made import captioned
from foretell.data.made.captioned import draw, refer
from foretell.data.made.captioned.check import named
from foretell.data.made.captioned.factors import CaptionedScene, Ground, Placed

SPRITES = sprites.load()
NAMES = [thing.name for thing in SPRITES.things]


def placed(name, x, y, size, colour):
    return Placed(SPRITES.things[NAMES.index(name)], 0, colour, x, y, size, False)


# Two dogs and a cat: a large red dog top left, a small blue dog bottom right, a cat of natural colours in the middle.
SCENE = CaptionedScene(
    Ground("plain", ("white",), 0),
    (
        placed("dog", 0.2, 0.2, 0.5, "red"),
        placed("cat", 0.5, 0.5, 0.35, None),
        placed("dog", 0.8, 0.8, 0.25, "blue"),
    ),
    (0, 1, 0),
)


@pytest.mark.parametrize(
    ("expression", "targets"),
    [
        ("the cat", (1,)),
        ("the red dog", (0,)),
        ("the small blue hound", (2,)),
        ("the dog", None),  # two
        ("both dogs", (0, 2)),
        ("both animals", None),  # three
        ("all animals", (0, 1, 2)),
        ("the dog in the top left corner", (0,)),
        ("the dog left of the cat", (0,)),
        ("the dog below the cat", (2,)),
        ("the cat above the dog", None),  # which dog
        ("the cat larger than the blue dog", (1,)),
        ("the horse", ()),
        ("the green dog", ()),
        ("the green cat", None),  # its colours were not recorded
        ("all red things", None),
        ("all dogs on the right", (2,)),
        ("whatever", None),
    ],
)
def test_expressions_of_a_scene_drawn_by_hand(expression, targets):
    assert named(expression, SCENE) == targets


@settings(max_examples=25)
@given(st.integers(0, 10**9))
def test_expressions_name_their_targets(index):
    chance = captioned.chance_of(index)
    scene = draw.Drawer(SPRITES, "train").scene(chance)
    for expression in refer.expressions(scene, chance):
        assert named(expression.text, scene) == expression.targets
        assert expression.targets
    if nothing := refer.absent(scene, SPRITES, chance):
        assert named(nothing.text, scene) == () == nothing.targets


def test_most_things_can_be_told_from_the_others():
    found = total = 0
    for index in range(30):
        chance = captioned.chance_of(index)
        scene = draw.Drawer(SPRITES, "train").scene(chance)
        for target in range(len(scene.things)):
            expression = refer.refer(scene, target, chance)
            found, total = found + (expression is not None), total + 1
            assert expression is None or expression.targets == (target,)
    assert found > 0.9 * total


def test_groups_share_something():
    kinds = set()
    for index in range(30):
        group = refer.group(0, index, SPRITES)
        assert len(group.scenes) == len(group.targets) == 3
        for scene, targets in zip(group.scenes, group.targets, strict=True):
            assert targets
            assert named(group.text, scene) == targets
        kinds.add(group.text)
    assert len(kinds) > 10
    assert refer.group(0, 7, SPRITES) == refer.group(0, 7, SPRITES) != refer.group(1, 7, SPRITES)
