"""The tasks: from chance to scenes, a question and its answer.

    caption     one picture       "describe the picture" -> "a red dog left of a cat"
    vqa         one picture       "how many dogs are there?" -> "two"; colours, and yes or no
    box         one picture       "where is the red dog?" -> its box                                  (REC)
    outline     one picture       "outline the red dog" -> its outline                                (RES)
    outlines    one picture       "outline all dogs" -> several outlines, or "none"                   (generalised RES)
    region      one picture       "what is in <b_st>…<b_ed>?" -> "a red dog"
    pair        two pictures      "both pictures show a dog: true or false?" -> "true"                (NLVR2)
    common      three pictures    "outline the kind of thing that all pictures show" -> its outlines  (co-segmentation)
    attribute   three pictures    "outline all red things in all pictures" -> their outlines          (AttCoSeg)

A task that a scene does not allow gets another scene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

import numpy as np

from foretell.data.made.captioned.check import named, truth
from foretell.data.made.captioned.draw import Drawer, pick
from foretell.data.made.captioned.factors import CaptionedScene, Placed
from foretell.data.made.captioned.refer import absent, expressions, group, refer
from foretell.data.made.captioned.render import masks
from foretell.data.made.captioned.say import captions
from foretell.data.made.captioned.words import NUMBERS, plural, with_article
from foretell.data.sprites import Sprites
from foretell.language.outlines import rings
from foretell.language.places import FINE, Spot

from .templates import PHRASINGS, ways_to_ask

NONE = "none"
"""What is answered where nothing is so called. The paper's code answers with a space."""


class AskedQuestion(NamedTuple):
    """A question about scenes, and its answer."""

    task: str
    scenes: tuple[CaptionedScene, ...]
    question: str
    answer: str
    """Words and places, in `FINE` bins."""


class Asker:
    """Makes questions about the scenes of a split.

    Args:
        sprites: what scenes are drawn from.
        split: of `foretell.data.made.captioned`; or `phrasings`, which is `test` in words that are held out.
        size: pixels a side of the pictures, in which outlines are found.
    """

    def __init__(self, sprites: Sprites, split: str, size: int) -> None:
        self.sprites, self.size = sprites, size
        self.split = "test" if split == PHRASINGS else split
        self.ways = ways_to_ask(split)
        self.drawer = Drawer(sprites, self.split)

    def ask(self, task: str, chance: Random) -> AskedQuestion:
        """A question of a task (one of `TASKS`)."""
        while True:
            if (found := _MAKE[task](self, chance)) is not None:
                return found

    def one(self, task: str, scene: CaptionedScene, how: str, about: str, answer: str, chance: Random) -> AskedQuestion:
        """A question about one scene, asked in one of the ways."""
        return AskedQuestion(task, (scene,), pick(chance, self.ways[how]).format(about), answer)

    def scene(self, chance: Random) -> CaptionedScene:
        """Any scene of the split."""
        return self.drawer.scene(chance)

    def boxes(self, scene: CaptionedScene, targets: Sequence[int], image: int = 0) -> list[Spot]:
        """The boxes of what is seen of some things; empty where one is hidden wholly."""
        return [_box(spot, image) for spot in self.outlines(scene, targets, image)]

    def outlines(self, scene: CaptionedScene, targets: Sequence[int], image: int = 0) -> list[Spot]:
        """The outlines of what is seen of some things; empty where one is hidden wholly."""
        seen = masks(scene, self.size, self.sprites)[list(targets)]
        if not seen.any((1, 2)).all():
            return []
        return [Spot("mask", tuple(ring / self.size for ring in rings(mask)), image) for mask in seen]


def _caption(by: Asker, chance: Random) -> AskedQuestion | None:
    scene = by.scene(chance)
    said = captions(scene, chance, by.split, 1)
    return by.one("caption", scene, "caption", "", said[0], chance) if said else None


def _vqa(by: Asker, chance: Random) -> AskedQuestion | None:
    return pick(chance, (_count, _colour, _yes_or_no))(by, chance)


def _count(by: Asker, chance: Random) -> AskedQuestion | None:
    scene = by.scene(chance)
    thing = pick(chance, scene.things).thing
    number = sum(other.thing is thing for other in scene.things)
    others = [other for other in scene.things if other.thing is not thing]
    if any(word in (*other.thing.words, *other.thing.kinds) for word in thing.words for other in others):
        return None  # "dogs" would count a wolf that is called a dog
    return by.one("vqa", scene, "count", plural(thing.words[0]), NUMBERS[number], chance)


def _colour(by: Asker, chance: Random) -> AskedQuestion | None:
    scene = by.scene(chance)
    if not (dyed := [place for place, thing in enumerate(scene.things) if thing.colour]):
        return None
    target = pick(chance, dyed)
    thing = scene.things[target]
    text = f"the {thing.thing.words[0]}"
    if named(text, scene) != (target,) or thing.colour is None:
        return None
    return by.one("vqa", scene, "colour", text, thing.colour, chance)


def _yes_or_no(by: Asker, chance: Random) -> AskedQuestion | None:
    scene, true = by.scene(chance), chance.random() < 0.5
    said = captions(scene if true else by.scene(chance), chance, by.split, 1)
    if not said or truth(said[0], scene) is not true:
        return None
    return by.one("vqa", scene, "yes or no", said[0], "yes" if true else "no", chance)


def _refer(task: str, by: Asker, chance: Random) -> AskedQuestion | None:
    """The box or the outline of one thing."""
    scene = by.scene(chance)
    target = int(chance.random() * len(scene.things))
    if (told := refer(scene, target, chance)) is None:
        return None
    spots = by.boxes(scene, [target]) if task == "box" else by.outlines(scene, [target])
    return by.one(task, scene, task, told.text, FINE.say(spots), chance) if spots else None


def _refer_outlines(by: Asker, chance: Random) -> AskedQuestion | None:
    scene = by.scene(chance)
    if chance.random() < 1 / 3:
        nothing = absent(scene, by.sprites, chance)
        return by.one("outlines", scene, "outlines", nothing.text, NONE, chance) if nothing else None
    wanted = 1 if chance.random() < 1 / 2 else 2
    told = [each for each in expressions(scene, chance) if min(len(each.targets), 2) == wanted]
    if not told:
        return None
    spots = by.outlines(scene, told[0].targets)
    return by.one("outlines", scene, "outlines", told[0].text, FINE.say(spots), chance) if spots else None


def _region(by: Asker, chance: Random) -> AskedQuestion | None:
    scene = by.scene(chance)
    target = int(chance.random() * len(scene.things))
    spots = by.boxes(scene, [target])
    answer = called(scene.things[target])
    return by.one("region", scene, "region", FINE.say(spots), answer, chance) if spots else None


def _pair(by: Asker, chance: Random) -> AskedQuestion | None:
    drawer = _few(by, chance, 4)
    scenes = drawer.scene(chance), drawer.scene(chance)
    text = with_article(pick(chance, scenes[int(chance.random() * 2)].things).thing.words[0])
    known = [truth(text, scene) for scene in scenes]
    if None in known:
        return None
    statements = {
        "both pictures show {}": sum(map(bool, known)) == 2,
        "only one picture shows {}": sum(map(bool, known)) == 1,
    }
    wanted = chance.random() < 0.5
    told = [statement for statement, true in statements.items() if true == wanted]
    if not told:
        return None
    question = pick(chance, by.ways["pair"]).format(pick(chance, told).format(text))
    return AskedQuestion("pair", scenes, question, "true" if wanted else "false")


def _common(by: Asker, chance: Random) -> AskedQuestion | None:
    drawer = _few(by, chance, 6)
    scenes = tuple(drawer.scene(chance) for _ in range(3))
    shared = set.intersection(*({thing.thing.name for thing in scene.things} for scene in scenes))
    if len(shared) != 1:
        return None
    targets = [[i for i, thing in enumerate(scene.things) if thing.thing.name in shared] for scene in scenes]
    return _in_all("common", by, scenes, targets, "", chance)


def _attribute(by: Asker, chance: Random) -> AskedQuestion | None:
    found = group(chance.randrange(2**31), 0, by.sprites, by.split)
    return _in_all("attribute", by, found.scenes, found.targets, found.text, chance)


def _in_all(
    task: str,
    by: Asker,
    scenes: tuple[CaptionedScene, ...],
    targets: Sequence[Sequence[int]],
    about: str,
    chance: Random,
) -> AskedQuestion | None:
    spots = [by.outlines(scene, own, image) for image, (scene, own) in enumerate(zip(scenes, targets, strict=True))]
    if not all(spots):
        return None
    question = pick(chance, by.ways[task]).format(about)
    return AskedQuestion(task, scenes, question, FINE.say([spot for some in spots for spot in some]))


def _few(by: Asker, chance: Random, count: int) -> Drawer:
    """Draws from a few things alone, so that scenes share some."""
    drawer = Drawer(by.sprites, by.split)
    drawer.numbers = chance.sample(drawer.numbers, min(count, len(drawer.numbers)))
    return drawer


def called(thing: Placed) -> str:
    """A thing in its colour, where it was dyed."""
    return with_article(" ".join(filter(None, (thing.colour, thing.thing.words[0]))))


def _box(spot: Spot, image: int) -> Spot:
    left, top, right, bottom = spot.box
    return Spot("box", (np.array([[left, top], [right, bottom]]),), image)


_MAKE: dict[str, Callable[[Asker, Random], AskedQuestion | None]] = {
    "caption": _caption,
    "vqa": _vqa,
    "box": partial(_refer, "box"),
    "outline": partial(_refer, "outline"),
    "outlines": _refer_outlines,
    "region": _region,
    "pair": _pair,
    "common": _common,
    "attribute": _attribute,
}
TASKS = tuple(_MAKE)
"""Names of the tasks; questions take turns."""
