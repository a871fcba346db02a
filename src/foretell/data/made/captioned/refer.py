"""Expressions that name exactly some things of a scene: one, several or none; and groups of pictures.

    the red dog · the dog in the top left corner · the dog left of the cat · both cats · all red things · the blue horse

`named` in `check` reads an expression, and says of each thing whether it is meant. Where that cannot be said of one of
them, the expression is not used.

n things
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random

from foretell.data.sprites import Sprites

from .check import named
from .draw import Drawer, chance_of, pick
from .factors import COLOURS, CaptionedScene, Placed
from .words import ANYTHING, PLACES, RELATIONS, SIZES, colour_words, plural

FEW = 8
"""Things that a group of pictures is drawn from."""


@dataclass(frozen=True)
class Expression:
    """Words, and the things that they name."""

    text: str
    targets: tuple[int, ...]
    """Places in `scene.things`, ascending; () where nothing is there that is so called."""


def expressions(scene: CaptionedScene, chance: Random) -> list[Expression]:
    """All expressions for the things of a scene, in an order by chance: of one thing, and of several."""
    found: dict[str, Expression] = {}
    for text in _candidates(scene, scene.things, chance):
        if expression := _told(text, scene):
            found[text] = expression
    listed = list(found.values())
    chance.shuffle(listed)
    return listed


def refer(scene: CaptionedScene, target: int, chance: Random) -> Expression | None:
    """An expression for one thing, its place in `scene.things`; None where no words tell it from the others."""
    texts = list(_candidates(scene, scene.things[target : target + 1], chance))
    chance.shuffle(texts)
    told = (_told(text, scene) for text in texts)
    return next((each for each in told if each and each.targets == (target,)), None)


def _told(text: str, scene: CaptionedScene) -> Expression | None:
    targets = named(text, scene) or ()
    several = text.startswith("all ")  # "all" means two or more
    return Expression(text, targets) if len(targets) > several else None


def absent(scene: CaptionedScene, sprites: Sprites, chance: Random, tries: int = 20) -> Expression | None:
    """An expression that names nothing in a scene: another colour of a thing that is there, or another thing."""
    for _ in range(tries):
        colour = pick(chance, list(COLOURS))
        near = pick(chance, scene.things).thing if chance.random() < 0.5 else pick(chance, sprites.things)
        word = pick(chance, near.words)
        text = f"the {colour} {word}" if chance.random() < 0.7 else f"the {word}"
        if named(text, scene) == ():
            return Expression(text, ())
    return None


@dataclass(frozen=True)
class Group:
    """Pictures, in each of which things share something."""

    text: str
    """What they share: "all red things"."""
    scenes: tuple[CaptionedScene, ...]
    targets: tuple[tuple[int, ...], ...]
    """Of each scene the places of those things, at least one."""


def group(seed: int, index: int, sprites: Sprites, split: str = "train", count: int = 3) -> Group:
    """Group number `index`: `count` scenes whose things share a name, a kind, a colour, a size or a place.

    Half of the groups have dyed things alone, so that colours can be told. A group is drawn from a few things, so that
    names are shared often enough.
    """
    chance = chance_of("group", split, seed, index)
    drawer = Drawer(sprites, split, dyed=pick(chance, (0.0, 1.0)))
    drawer.numbers = chance.sample(drawer.numbers, min(FEW, len(drawer.numbers)))
    while True:
        scenes = tuple(drawer.scene(chance) for _ in range(count))
        shared = []
        for texts in _shared(scenes[0]):
            told = [(text, found) for text in texts if all(found := [named(text, scene) for scene in scenes])]
            shared += [told] if told else []
        if shared:
            text, targets = pick(chance, pick(chance, shared))
            return Group(text, scenes, tuple(tuple(each or ()) for each in targets))


def _shared(scene: CaptionedScene) -> list[list[str]]:
    """What things of a scene may share with others, in words: names, kinds, colours, sizes, places."""
    return [
        [f"all {plural(thing.thing.name)}" for thing in scene.things],
        [f"all {plural(kind)}" for thing in scene.things for kind in thing.thing.kinds],
        [f"all {thing.colour} things" for thing in scene.things if thing.colour],
        [f"all {words[0]} things" for words in SIZES.values()],
        [f"all things {words[0]}" for words in PLACES.values()],
    ]


def _candidates(scene: CaptionedScene, things: tuple[Placed, ...], chance: Random) -> Iterator[str]:
    """Expressions that may name some of the things of a scene."""
    for thing in things:
        word, general = pick(chance, thing.thing.words), pick(chance, (*thing.thing.kinds, *ANYTHING))
        for noun, size, colour in product((word, general), _sizes(chance), _colours(thing, chance)):
            words = " ".join(filter(None, (size, colour, noun)))
            several = " ".join(filter(None, (size, colour, plural(noun))))
            yield from (f"the {words}", f"both {several}", f"all {several}")
            if size is None:
                place = pick(chance, PLACES[pick(chance, list(PLACES))])
                yield from (f"the {words} {place}", f"all {several} {place}")
        for other in scene.things:
            how = pick(chance, RELATIONS[pick(chance, list(RELATIONS))])
            yield f"the {word} {how} the {pick(chance, other.thing.words)}"


def _sizes(chance: Random) -> tuple[str | None, ...]:
    return None, pick(chance, SIZES[pick(chance, list(SIZES))])


def _colours(thing: Placed, chance: Random) -> tuple[str | None, ...]:
    return (None,) if thing.colour is None else (None, pick(chance, colour_words(thing.colour)))
