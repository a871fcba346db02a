"""Split texts into passages of 250 to 900 characters that keep sentences and paragraphs whole.

Dynamic programming chooses the cuts of a document together. A cut between paragraphs is preferred, one between
sentences costs, one inside a sentence costs much, and so does a passage that is too short.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from foretell.search.passage import Passage

from .block import Metadata, TextBlock

LEAST, TYPICAL, MOST = 250, 600, 900  # characters of a passage
HORIZON = 16 * MOST  # characters whose cuts are chosen together: far cuts do not change near ones

# A full stop after one of these never ends a sentence.
ABBREVIATIONS = frozenset(
    "al approx assoc bros ca cf dept dr eds esp et hon incl jr ltd messrs mr mrs ms mt prof proc resp sgt sr trans "
    "univ viz vs jan feb aug sept oct nov dec".split()
)
# The same before a number, a bracket or a lone letter: "Fig. 3", "Eq. (4)", "Thm. A", but not "said no. Then".
BEFORE_NUMBERS = frozenset(
    "alg app appx art ch chap cor def ed eq eqn eqs ex fig figs lem no nos p pp par pl pt ref refs rem sec sect secs "
    "st suppl tab tbl thm thms vol vols".split()
)
_END = re.compile(r"""[.!?…]+['"’”»)\]]*(?=\s)|[。！？؟۔।]+['"’”»)\]」』）]*""")
_WORD = re.compile(r"[^\W_](?:[\w.]*[^\W_])?$")  # the last word, with its inner full stops
_NEXT = re.compile(r"\s*(\S*)")
_SEPARATORS = (re.compile(r"(?<=\n)"), re.compile(r"(?<=[;:,،、])(?=\s)"), re.compile(r"(?<=\s)(?=\S)"))


class _Unit(NamedTuple):
    """A piece of text that is never cut, and the cost of a cut before it."""

    text: str  # with one white space at its end, if there was any
    page: int | None
    cut: float


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the space after it, so that together they are the text.

    A full stop does not end a sentence after an abbreviation ("e.g.", "Fig. 3", "et al."), an initial ("J. Smith") or
    the number of an item ("2. Method"), nor before a small letter.
    """
    found, start = [], 0
    for match in _END.finditer(text):
        if _ends(text, start, match):
            end = match.end()
            end += len(text[end:]) - len(text[end:].lstrip()) if text[end : end + 1].isspace() else 0
            found.append(text[start:end])
            start = end
    return [*found, text[start:]] if text[start:] else found


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    following = _NEXT.match(text, match.end())
    after = following[1] if following else ""
    if not after:
        return False
    if after.lstrip("'\"’”‘“«([")[:1].islower():
        return False
    if match[0] != ".":
        return True
    before = _WORD.search(text, max(start, match.start() - 24), match.start())
    if before is None:
        return True
    word = before[0]
    if word.isdecimal():
        return bool(text[start : before.start()].strip())  # otherwise "2." is the number of an item
    if len(word) == 1 and word.isalpha() and word.isupper():
        return False
    last = word.casefold()
    if last in ABBREVIATIONS or re.fullmatch(r"(?:[a-z]\.)+[a-z]", last):
        return False
    return not (last in BEFORE_NUMBERS and (after[0] in "([" or after[0].isdigit() or len(after.strip(".,:;")) == 1))


def passages(blocks: Iterable[TextBlock], metadata: Metadata | None = None) -> Iterator[Passage]:
    """Gather paragraphs into passages; long ones are cut at sentence ends.

    No passage has more than 900 characters. One has fewer than 250 only where there is no more text, or where a
    sentence would have to be cut. White space at the cuts is dropped; all other text stays in its order. A heading
    stays with the paragraph after it. A passage that spans pages has the number of the first.
    """
    units: list[_Unit] = []
    size, after_heading = 0, False
    for block in blocks:
        if not (new := _units(block, after_heading)):
            continue
        after_heading = block.heading
        units += new
        size += sum(len(unit.text) for unit in new)
        while size > HORIZON:
            parts = _parts(units)
            settled = parts[: len(parts) // 2]
            yield from (_passage(part, metadata) for part in settled)
            units = units[sum(map(len, settled)) :]
            size = sum(len(unit.text) for unit in units)
    yield from (_passage(part, metadata) for part in _parts(units))


def _units(block: TextBlock, after_heading: bool) -> list[_Unit]:
    """The sentences of a paragraph; long ones in pieces."""
    units: list[_Unit] = []
    page, turns, at = block.page, list(block.turns), 0
    for sentence in sentences(block.text):
        for number, piece in enumerate(_pieces(sentence)):
            while turns and turns[0][0] <= at:
                page = turns.pop(0)[1]
            at += len(piece)
            if not (text := piece.strip()):
                continue
            if not units:
                cut = 2.0 if after_heading else -0.5 if block.heading else -0.1
            elif number:
                cut = 1.0 if units[-1].text.endswith("\n") else 3.0
            else:
                cut = 0.3
            space = piece[len(piece.rstrip()) :]
            units.append(_Unit(text + ("\n" if "\n" in space else space[:1]), page, cut))
    if units:
        units[-1] = units[-1]._replace(text=units[-1].text.rstrip() + "\n")
    return units


def _pieces(text: str, separators: tuple[re.Pattern[str], ...] = _SEPARATORS) -> list[str]:
    """The text in pieces of at most 900 characters: cut at lines, or at commas, or at spaces, or anywhere."""
    if len(text) <= MOST:
        return [text]
    if not separators:
        return [text[start : start + MOST] for start in range(0, len(text), MOST)]
    pieces: list[str] = []
    for part in separators[0].split(text):
        small = len(part) <= LEAST and pieces and len(pieces[-1]) <= LEAST
        pieces[len(pieces) - bool(small) :] = [pieces[-1] + part] if small else _pieces(part, separators[1:])
    return pieces


def _parts(units: list[_Unit]) -> list[list[_Unit]]:
    """The units in runs of at most 900 characters, cut at the least total cost."""
    sizes = [len(unit.text) for unit in units]
    cuts = [0.0, *(unit.cut for unit in units[1:])]
    best, previous = [0.0], [0]
    for end in range(1, len(units) + 1):
        length, least, chosen = -units[end - 1].text[-1:].isspace(), float("inf"), end - 1
        for start in range(end - 1, -1, -1):
            length += sizes[start]
            if length > MOST:
                break
            short = 2.0 + 2.0 * (LEAST - length) / LEAST if length < LEAST else 0.0
            cost = best[start] + cuts[start] + short + 0.2 * (length / TYPICAL - 1.0) ** 2
            if cost < least:
                least, chosen = cost, start
        best.append(least)
        previous.append(chosen)
    parts, end = [], len(units)
    while end:
        parts.append(units[previous[end] : end])
        end = previous[end]
    return parts[::-1]


def _passage(units: list[_Unit], metadata: Metadata | None) -> Passage:
    return Passage("".join(unit.text for unit in units).rstrip(), units[0].page, metadata=dict(metadata or {}))
