"""Whether a caption is true of a scene: the caption is read, and held against the recorded factors.

This does not know how captions are made. It reads their English:

    a small red dog · a dog in the top left corner · in the middle there is a dog · a dog and a blue cat
    two dogs · a dog left of a cat · a red dog on a blue background · a background of red and white stripes

What is near a limit (a thing a little left of the middle), or was not recorded (the natural colours of a thing), cannot
be said. Therefore truth has three values (Kleene's logic): `and` is the least, `there is` is the greatest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

from foretell.data.sprites import Thing

from .factors import GROUND_COLOURS, CaptionedScene, Ground, Placed
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
)

NO, PERHAPS, YES = 0, 1, 2


class Phrase(NamedTuple):
    """Some things, as words say which: "two small red dogs on the left"."""

    count: int | None
    """Exactly so many; None: at least one."""
    size: str | None
    colour: str | None
    noun: str
    dyed: str
    """Colour and noun as they were said: of a "red fox" the colour is part of the name."""
    whole: str
    """Size, colour and noun as they were said."""
    place: str | None = None


class Said(NamedTuple):
    """What a caption says, as far as it can be read."""

    first: Phrase | None
    relation: str | None = None
    """One of `RELATIONS`, "and", or None without a second phrase."""
    second: Phrase | None = None
    ground: str | None = None


def truth(caption: str, scene: CaptionedScene) -> bool | None:
    """Whether a caption is true of a scene. None: it cannot be said, or the caption cannot be read."""
    said = read(caption)
    return None if said is None else {NO: False, PERHAPS: None, YES: True}[_truth(said, scene)]


def named(expression: str, scene: CaptionedScene) -> tuple[int, ...] | None:
    """Which things an expression names: "the red dog", "the dog left of the cat", "both cats", "all red things".

    Returns:
        Their places in `scene.things`; () where there is none. None where it cannot be said of a thing, where the
        expression cannot be read, and where "the" or "both" stands before another number of things.
    """
    parts = re.match(rf"^(the|both|all) (.*?)(?: ({_RELATION}) the (.*))?$", expression.strip().lower())
    phrase = parts and _phrase(f"{'one' if parts[1] == 'the' else 'two'} {parts[2]}")  # one thing, or several
    if not parts or phrase is None:
        return None
    levels = matching(phrase, scene)
    if parts[3]:
        other = _phrase(f"one {parts[4]}")
        marks = [] if other is None else matching(other, scene)
        if marks.count(YES) != 1 or PERHAPS in marks:
            return None
        mark = scene.things[marks.index(YES)]
        how = (NO if each is mark else relates(each, mark, _RELATION_OF[parts[3]]) for each in scene.things)
        levels = list(map(min, levels, how))
    found = tuple(i for i, level in enumerate(levels) if level == YES)
    several = {"the": (0, 1), "both": (2,), "all": range(len(levels) + 1)}[parts[1]]
    return found if PERHAPS not in levels and len(found) in several else None


def matching(phrase: Phrase, scene: CaptionedScene) -> list[int]:
    """Of each thing of a scene whether a phrase names it: `NO`, `PERHAPS` or `YES`."""
    return [
        min(_described(thing, phrase), YES if phrase.place is None else _at(thing, phrase.place))
        for thing in scene.things
    ]


def relates(a: Placed, b: Placed, relation: str) -> int:
    """Whether one thing lies to another as a relation says."""
    differences = {
        "left": b.x - a.x,
        "right": a.x - b.x,
        "above": b.y - a.y,
        "below": a.y - b.y,
        "larger": 0.6 * (a.size / b.size - 1),
        "smaller": 0.6 * (b.size / a.size - 1),
    }
    return _graded(differences[relation], 0.0, 0.12)


def _truth(said: Said, scene: CaptionedScene) -> int:
    ground = YES if said.ground is None else _grounded(scene.ground, said.ground)
    if said.first is None:
        return ground
    first = matching(said.first, scene)
    if said.second is None:
        return min(ground, _there(first, said.first.count))
    second = matching(said.second, scene)
    if said.relation == "and" and (said.first.count or said.second.count):
        return min(_there(first, said.first.count), _there(second, said.second.count))
    if said.first.count or said.second.count:  # "two dogs left of a cat": both, or one of them?
        return PERHAPS
    best = NO
    for i, j in permutations(range(len(first)), 2):
        how = YES if said.relation == "and" else relates(scene.things[i], scene.things[j], str(said.relation))
        best = max(best, min(first[i], second[j], how))
    return min(ground, best)


def _there(found: list[int], count: int | None) -> int:
    """Whether there are so many, where each thing is one of them, or may be."""
    if count is None:
        return max(found, default=NO)
    least, most = found.count(YES), len(found) - found.count(NO)
    return YES if least == most == count else PERHAPS if least <= count <= most else NO


def _graded(value: float, above: float, surely: float) -> int:
    return YES if value >= surely else PERHAPS if value > above else NO


def _described(thing: Placed, phrase: Phrase) -> int:
    size = YES if phrase.size is None else _sized(thing.size, phrase.size)
    colour = YES if phrase.colour is None else _coloured(thing, phrase.colour)
    several = phrase.count not in (None, 1)
    return max(
        _named(thing, phrase.whole, several),
        min(size, _named(thing, phrase.dyed, several)),
        min(size, colour, _named(thing, phrase.noun, several)),
    )


def _named(thing: Placed, noun: str, several: bool) -> int:
    surely, perhaps = _names(thing.thing, several)
    return YES if noun in surely else PERHAPS if noun in perhaps else NO


@lru_cache(10_000)
def _names(thing: Thing, several: bool) -> tuple[frozenset[str], frozenset[str]]:
    """What a thing is called, and what it may be called: a "guide dog" may be a "dog"."""
    called = [*thing.words, *thing.held_out_words, *thing.kinds, *ANYTHING]
    called = list(map(plural, called)) if several else called
    return frozenset(called), frozenset(" ".join(word.split(" ")[1:]) for word in called)


def _sized(size: float, word: str) -> int:
    return _graded(-size, -0.38, -0.31) if word == "small" else _graded(size, 0.38, 0.44)


def _coloured(thing: Placed, colour: str) -> int:
    return PERHAPS if thing.colour is None else YES if thing.colour == colour else NO


def _at(thing: Placed, place: str) -> int:
    if place == "middle":
        return min(_graded(-abs(value - 0.5), -0.18, -0.11) for value in (thing.x, thing.y))
    toward = {"left": -thing.x, "right": thing.x - 1, "top": -thing.y, "bottom": thing.y - 1}
    return min(_graded(toward[side], -0.46, -0.36) for side in place.split())


def _grounded(ground: Ground, words: str) -> int:
    """Whether a ground is called so."""
    if words in GROUND_COLOURS:
        return YES if ground.colours == (words,) else NO if ground.style == "plain" else PERHAPS
    style, *colours = words.split()
    return YES if style == ground.style and set(colours) in (set(), set(ground.colours)) else NO


@lru_cache(100_000)
def read(caption: str) -> Said | None:
    """What a caption says; None where it cannot be read."""
    text = caption.strip().lower().removesuffix(".")
    text = re.sub(rf"^({'|'.join(map(re.escape, sorted(filter(None, _STARTS), key=len, reverse=True)))})", "", text)
    if fronted := re.match(rf"^({_PLACE}) there (?:is|are) (.*)$", text):
        return None if (first := _phrase(f"{fronted[2]} {fronted[1]}")) is None else Said(first)
    if ground := _ground(text):
        return Said(None, ground=ground)
    if (parts := re.match(r"^(.*) on (.*(?:background|background of .*))$", text)) and (ground := _ground(parts[2])):
        return None if (first := _phrase(parts[1])) is None else Said(first, ground=ground)
    if parts := re.match(rf"^(.*?) ({_RELATION}|and) ((?:an?|{'|'.join(NUMBERS)}) .*)$", text):
        first, second = _phrase(parts[1]), _phrase(parts[3])
        if first is not None and second is not None:
            return Said(first, _RELATION_OF.get(parts[2], "and"), second)
    return None if (first := _phrase(text)) is None else Said(first)


def _phrase(text: str) -> Phrase | None:
    """Article or number, size, colour, noun, place: each but the noun and what stands before all may be missing."""
    much, place = rf"(an?|{_any(NUMBERS[1:])})", rf"(?: ({_PLACE}))?"
    found = re.match(rf"^{much} ((?:({_SIZE}) )?((?:({_COLOUR}) )?(.+?))){place}$", text)
    if not found:
        return None
    count, whole, size, dyed, colour, noun, where = found.groups()
    if re.search(rf"\b(?:and|an?|{_RELATION})\b", noun):  # more than one phrase
        return None
    return Phrase(
        NUMBERS.index(count) if count in NUMBERS else None,
        size and _SIZE_OF[size],
        colour and _COLOUR_OF[colour],
        noun,
        dyed,
        whole,
        where and _PLACE_OF[where],
    )


def _ground(text: str) -> str | None:
    """A colour, or a style and perhaps its colours; None where it is no ground."""
    if found := re.match(rf"^an? (?:({_COLOUR}) and )?(?:({_COLOUR}) )?(?:({_PATTERN}) )?background$", text):
        *colours, pattern = found.groups()
        return _ground_of([_COLOUR_OF[colour] for colour in colours if colour], pattern and _PATTERN_OF[pattern])
    if found := re.match(rf"^a background of (?:({_COLOUR}) and ({_COLOUR}) )?({_PATTERN}|{_PHOTOGRAPH})$", text):
        first, second, style = found.groups()
        colours = [_COLOUR_OF[colour] for colour in (first, second) if colour]
        return _ground_of(colours, {**_PATTERN_OF, **_PHOTOGRAPH_OF}[style])
    return None


def _ground_of(colours: list[str], style: str | None) -> str | None:
    if style is None:
        return colours[0] if len(colours) == 1 else None
    return " ".join([style, *colours])


def _reversed(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {word: name for name, words in table.items() for word in words}


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_STARTS = (*OPENINGS, "there are ")
_COLOUR_OF = _reversed({name: colour_words(name) for name in GROUND_COLOURS})
_SIZE_OF, _PLACE_OF, _RELATION_OF = _reversed(SIZES), _reversed(PLACES), _reversed(RELATIONS)
_PATTERN_OF, _PHOTOGRAPH_OF = _reversed(PATTERN_WORDS), _reversed(PHOTOGRAPH_WORDS)
_COLOUR, _SIZE, _PLACE, _RELATION = map(_any, (_COLOUR_OF, _SIZE_OF, _PLACE_OF, _RELATION_OF))
_PATTERN, _PHOTOGRAPH = _any(_PATTERN_OF), _any(_PHOTOGRAPH_OF)
