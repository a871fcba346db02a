"""The words of captions: how things, colours, sizes, places and grounds are called."""

from __future__ import annotations

import re
from functools import cache

ANYTHING = ("thing", "object")
"""Words for every thing."""
COLOUR_WORDS: dict[str, tuple[str, ...]] = {"purple": ("purple", "violet"), "grey": ("grey", "gray")}
"""Colours with several names; the others have their own alone."""
SIZES: dict[str, tuple[str, ...]] = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
PLACES: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
    "middle": ("in the middle", "in the centre"),
    "top left": ("in the top left corner", "in the upper left corner"),
    "top right": ("in the top right corner", "in the upper right corner"),
    "bottom left": ("in the bottom left corner", "in the lower left corner"),
    "bottom right": ("in the bottom right corner", "in the lower right corner"),
}
RELATIONS: dict[str, tuple[str, ...]] = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under", "beneath"),
    "larger": ("larger than", "bigger than"),
    "smaller": ("smaller than",),
}
"""How one thing lies to another."""
PATTERN_WORDS: dict[str, tuple[str, ...]] = {
    "stripes": ("stripes", "striped"),
    "checks": ("checks", "checked"),
    "dots": ("dots", "dotted"),
}
PHOTOGRAPH_WORDS: dict[str, tuple[str, ...]] = {
    "leaves": ("leaves", "green leaves"),
    "wood": ("wood",),
    "fur": ("fur",),
    "galaxies": ("galaxies", "outer space"),
}
TEMPLATES = ("{}", "a picture of {}", "a picture with {}", "there is {}", "here you can see {}")
"""What a caption of one thing may look like; each takes the thing with its article, such as "a dog"."""
OPENINGS = tuple(template.format("") for template in TEMPLATES if template.endswith("{}"))

_IRREGULAR = {
    "mouse": "mice",
    "goose": "geese",
    "die": "dice",
    "ox": "oxen",
    "leaf": "leaves",
    "wolf": "wolves",
    "scarf": "scarves",
    "loaf": "loaves",
    "puppy": "puppies",
}
_THE_SAME = ("sheep", "fish", "deer", "moose", "bison", "buffalo", "squid", "aircraft")


@cache
def with_article(noun: str) -> str:
    """`a` or `an` before a noun, as it sounds."""
    vowel = re.match(r"[aeio]|u(?!ni|fo|se|kul)", noun) and not noun.startswith("one")
    return f"{'an' if vowel else 'a'} {noun}"


@cache
def plural(noun: str) -> str:
    """Several of it: "slices of pizza", "polar bears", "mice"."""
    head, of, rest = noun.partition(" of ")
    *before, last = head.split(" ")
    if last in _THE_SAME or (last.endswith("fish") and last not in ("starfish",)):
        several = last
    elif last in _IRREGULAR:
        several = _IRREGULAR[last]
    elif re.search(r"(s|x|z|ch|sh|[^aeiou]o)$", last) and last not in (
        "avocado",
        "burrito",
        "taco",
        "dodo",
        "flamingo",
        "kimono",
        "rhino",
        "hippo",
        "piano",
    ):
        several = f"{last}es"
    elif re.search(r"[^aeiou]y$", last):
        several = f"{last[:-1]}ies"
    else:
        several = f"{last}s"
    return " ".join([*before, several]) + of + rest


def colour_words(colour: str) -> tuple[str, ...]:
    """What a colour is called."""
    return COLOUR_WORDS.get(colour, (colour,))
