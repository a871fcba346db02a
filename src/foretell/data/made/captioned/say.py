"""Captions of scenes: any of hundreds of true ones, each naming only a part.

They are made from the recorded factors, with limits of their own that keep away from what is doubtful. `check` reads
them without knowing how they came about; tests hold the two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import accumulate, combinations, islice, permutations
from random import Random

from .check import truth
from .draw import pick
from .factors import CaptionedScene, Ground, Placed
from .words import (
    ANYTHING,
    NUMBERS,
    OPENINGS,
    PATTERN_WORDS,
    PHOTOGRAPH_WORDS,
    PLACES,
    RELATIONS,
    SIZES,
    colour_words,
    plural,
    with_article,
)

CAPTIONS = 32
"""Kept of a scene."""
FOILS = 4
"""Pairs of a true and a false caption of each kind that are kept of a scene, at most."""
FORMS = {"name": 8, "place": 22, "ground": 6, "on": 10, "and": 22, "relation": 26, "count": 8}
"""How often each form of a caption is drawn, where the scene allows it."""


def captions(scene: CaptionedScene, chance: Random, split: str = "train", count: int = CAPTIONS) -> list[str]:
    """At most `count` captions, all different and all true, in an order that means nothing."""
    speaker = _Speaker(scene, chance, split)
    found: dict[str, None] = {}  # in their order
    for _ in range(3 * count):
        found[speaker.caption()] = None
        if len(found) == count:
            break
    return list(found)


def swapped_colours(scene: CaptionedScene, chance: Random) -> list[str]:
    """Pairs, one behind the other: a true caption, and one with two colours exchanged, which is false."""
    dyed = [(thing, thing.colour) for thing in scene.things if thing.colour is not None]
    pairs = []
    for (a, first), (b, second) in combinations(dyed, 2):
        one, other = pick(chance, a.thing.words), pick(chance, b.thing.words)
        pairs.append(
            tuple(f"{with_article(f'{c} {one}')} and {with_article(f'{d} {other}')}" for c, d in _both(first, second))
        )
    if scene.ground.style == "plain":
        ground = scene.ground.colours[0]
        for thing, colour in dyed:
            noun = pick(chance, thing.thing.words)
            said = "{} on {} background"
            pairs.append(
                tuple(said.format(with_article(f"{c} {noun}"), with_article(d)) for c, d in _both(colour, ground))
            )
    return _foils(pairs, scene, chance)


def swapped_places(scene: CaptionedScene, chance: Random) -> list[str]:
    """Pairs, one behind the other: a true caption of how two things lie, and a false one with both exchanged."""
    pairs = []
    for a, b in permutations(scene.things, 2):
        one, other = (with_article(pick(chance, thing.thing.words)) for thing in (a, b))
        pairs += [
            (f"{one} {how} {other}", f"{other} {how} {one}")
            for relation in _relations(a, b)
            if relation in ("left", "right", "above", "below")
            for how in [pick(chance, RELATIONS[relation])]
        ]
    return _foils(pairs, scene, chance)


def _both(first: str, second: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (first, second), (second, first)


def _foils(pairs: list[tuple[str, ...]], scene: CaptionedScene, chance: Random) -> list[str]:
    """Some of the pairs of which the second is certainly false: another dog may be what the first is not."""
    chance.shuffle(pairs)
    sure = (pair for pair in pairs if truth(pair[0], scene) is True and truth(pair[1], scene) is False)
    return [caption for pair in islice(sure, FOILS) for caption in pair]


class _Speaker:
    """Says something true of a scene."""

    def __init__(self, scene: CaptionedScene, chance: Random, split: str) -> None:
        self.scene, self.chance, self.split = scene, chance, split
        self.counts = _counts(scene) if split not in ("words", "things") else []
        several = len(scene.things) > 1
        related = [(a, b, how) for a, b in permutations(scene.things, 2) for how in _relations(a, b)]
        self.related = related
        possible = {"name": True, "place": True, "ground": True, "on": True, "and": several, "relation": bool(related)}
        possible["count"] = bool(self.counts)
        if split == "words":
            possible["ground"] = False  # every caption has a word that is new
        self.forms = [form for form in FORMS if possible[form]]
        self.weights = list(accumulate(FORMS[form] for form in self.forms))
        self.makers: dict[str, Callable[[], str]] = {
            "name": lambda: self.opening() + self.name(self.any()),
            "place": self.placed,
            "ground": lambda: self.opening() + self.ground(),
            "on": lambda: f"{self.opening()}{self.name(self.any())} on {self.ground()}",
            "and": self.two,
            "relation": self.relation,
            "count": self.count,
        }

    def caption(self) -> str:
        """Any caption."""
        return self.makers[self.chance.choices(self.forms, cum_weights=self.weights)[0]]()

    def any(self) -> Placed:
        """Any thing."""
        return pick(self.chance, self.scene.things)

    def opening(self) -> str:
        """How a caption begins; most often with the thing itself."""
        return pick(self.chance, OPENINGS) if self.chance.random() < 0.4 else ""

    def name(self, thing: Placed) -> str:
        """A thing with its article, and perhaps with its size and its colour."""
        noun, general = self.noun(thing)
        words = []
        if (size := _size(thing)) and self.chance.random() < 0.3:
            words.append(pick(self.chance, SIZES[size]))
        if thing.colour is not None and (general or self.chance.random() < 0.6):
            words.append(pick(self.chance, colour_words(thing.colour)))
        return with_article(" ".join([*words, noun]))

    def noun(self, thing: Placed) -> tuple[str, bool]:
        """What a thing is called, and whether others are called so as well."""
        kinds = thing.thing.kinds
        if self.split == "words":
            return pick(self.chance, thing.thing.held_out_words), False
        drawn = self.chance.random()
        if self.split == "things" or (drawn > 0.82 and (kinds or thing.colour)):
            general = kinds if kinds and (thing.colour is None or self.chance.random() < 0.7) else ANYTHING
            return pick(self.chance, general), True
        return pick(self.chance, thing.thing.words), False

    def placed(self) -> str:
        """A thing and where it is; of one that is nowhere in particular, what it is."""
        thing = self.any()
        name, places = self.name(thing), _places(thing)
        if not places:
            return self.opening() + name
        place = pick(self.chance, PLACES[pick(self.chance, places)])
        return f"{place} there is {name}" if self.chance.random() < 0.2 else f"{self.opening()}{name} {place}"

    def two(self) -> str:
        """Two things."""
        a, b = self.chance.sample(self.scene.things, 2)
        return self.both(a, b, "and")

    def relation(self) -> str:
        """How one thing lies to another, or which is larger."""
        a, b, relation = pick(self.chance, self.related)
        return self.both(a, b, pick(self.chance, RELATIONS[relation]))

    def both(self, a: Placed, b: Placed, between: str) -> str:
        """Two things; only one where both are called the same."""
        one, other = self.name(a), self.name(b)
        return self.opening() + (one if one == other else f"{one} {between} {other}")

    def count(self) -> str:
        """How many there are of what there are several of."""
        number, noun = pick(self.chance, self.counts)
        opening = self.opening().replace("there is", "there are")
        return f"{opening}{NUMBERS[number]} {plural(noun)}"

    def ground(self) -> str:
        """What all lies on."""
        return _ground(self.scene.ground, self.chance)


def _counts(scene: CaptionedScene) -> list[tuple[int, str]]:
    """What there are several of, and how many exactly: of one name, of one kind, and of all things."""
    nouns = Counter(noun for thing in scene.things for noun in dict.fromkeys(_called(thing)))
    loose = {noun for noun in nouns for thing in scene.things if _perhaps(thing, noun)}
    return [(number, noun) for noun, number in nouns.items() if number > 1 and noun not in loose]


def _called(thing: Placed) -> tuple[str, ...]:
    return *thing.thing.words, *thing.thing.kinds, *ANYTHING


def _perhaps(thing: Placed, noun: str) -> bool:
    """Whether people may call a thing so, though it is something else: a guide dog a dog."""
    words = (*thing.thing.words, *thing.thing.held_out_words, *thing.thing.kinds)
    return noun not in words and any(plural(word).endswith(f" {plural(noun)}") for word in words)


def _size(thing: Placed) -> str | None:
    return "small" if thing.size <= 0.3 else "large" if thing.size >= 0.45 else None


def _places(thing: Placed) -> list[str]:
    """Where a thing is, beyond doubt."""
    across = "left" if thing.x <= 0.34 else "right" if thing.x >= 0.66 else ""
    along = "top" if thing.y <= 0.34 else "bottom" if thing.y >= 0.66 else ""
    if across and along:
        return [across, along, f"{along} {across}", f"{along} {across}"]
    central = abs(thing.x - 0.5) <= 0.1 and abs(thing.y - 0.5) <= 0.1
    return [place for place in (across, along, "middle" if central else "") if place]


def _relations(a: Placed, b: Placed) -> list[str]:
    """How a lies to b, beyond doubt; to the left means more to the left than above or below."""
    across, along, larger = b.x - a.x, b.y - a.y, a.size / b.size
    found = []
    if abs(across) > max(0.14, 0.7 * abs(along)):
        found.append("left" if across > 0 else "right")
    if abs(along) > max(0.14, 0.7 * abs(across)):
        found.append("above" if along > 0 else "below")
    if larger >= 1.3 or larger <= 1 / 1.3:
        found.append("larger" if larger > 1 else "smaller")
    return found


def _ground(ground: Ground, chance: Random) -> str:
    """What a ground is called."""
    if ground.style in PHOTOGRAPH_WORDS:
        return f"a background of {pick(chance, PHOTOGRAPH_WORDS[ground.style])}"
    colours = [pick(chance, colour_words(colour)) for colour in ground.colours]
    if ground.style == "plain":
        return f"{with_article(colours[0])} background"
    noun, adjective = PATTERN_WORDS[ground.style]
    both = f"{colours[0]} and {colours[1]}" if chance.random() < 0.5 else f"{colours[1]} and {colours[0]}"
    return pick(
        chance,
        (f"{with_article(both)} {adjective} background", f"a background of {both} {noun}", f"a {adjective} background"),
    )
