"""The letters of PDF text: codes of TeX's fonts, ligatures, and raised numbers.

All but `plain` keep the number of characters, so that the places of letters on the page stay known.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from .layout import Box

# Codes of TeX's T1 fonts that do not say which letters they show. The last four are OT1's.
_CODES = {
    **dict(zip(range(0x10, 0x17), "“”„«»–—", strict=True)),
    **dict(zip(range(0x19, 0x20), "ıȷﬀﬁﬂﬃﬄ", strict=True)),
    **{0x0B: "ﬀ", 0x0C: "ﬁ", 0x0E: "ﬃ", 0x0F: "ﬄ"},
}
# Ligatures, and the forms of Arabic and Hebrew letters that fonts use; other compatibility letters (², ½) mean more.
_FORMS = re.compile("[\ufb00-\ufdff\ufe70-\ufefc]")
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff\u2700-\u27bf\x00-\x08\x0b\x0c\x0e-\x1f]")
_JOINED = "\u2060"  # takes no room; in the place of a line end that PDFium sees after a raised number
_RAISED = str.maketrans("0123456789+-−–", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")
_NUMBER = re.compile(r"(?<=[^\s\d])[+\-−–]?\d{1,3}|(?<=\d)\d{1,3}")
_BREAK = re.compile(r"\r\n(?=\s?\S)")


def translated(text: str) -> str:
    """The text with the letters that TeX's codes mean."""
    return text.translate(_CODES)


def unreadable(text: str) -> float:
    """The share of characters that say nothing: of private use, codes, or ornaments."""
    shown = text.replace("\r", "").replace("\n", "").replace(" ", "")
    return len(_UNREADABLE.findall(shown)) / max(len(shown), 1)


def plain(text: str) -> str:
    """The text without ligatures, special forms of letters and soft hyphens."""
    if text.isascii():
        return text
    text = _FORMS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    return text.replace("\xad", "").replace(_JOINED, "")


def raised(text: str, box: Callable[[int], Box]) -> str:
    """The text with raised numbers, as of footnotes and powers, in raised digits: 1873² and 10⁻³, not 18732 and 10-3.

    PDFium ends a line after a raised number; the rest of the line is joined to it.

    Args:
        text: of a page.
        box: the box of the character at an index: left, bottom, right, top.
    """
    found, end = [], 0
    for match in re.finditer(r"\d", text):
        at = match.start()
        if at < end or not at or text[at - 1].isspace():
            continue
        at -= text[at - 1] in "+-−–" and at > 1 and not text[at - 2].isspace()
        base = box(at - 1)
        stop = at
        while stop < len(text) and (text[stop].isdigit() or stop == at) and _is_above(box(stop), base):
            stop += 1
        if stop == at or not text[stop - 1].isdigit():
            continue
        found.append(text[end:at] + text[at:stop].translate(_RAISED))
        end = stop
        after = _BREAK.match(text, stop)
        if after and _goes_on(box(stop - 1), base, box(after.end() + text[after.end()].isspace())):
            found.append(_JOINED * 2)
            end = after.end()
    return "".join([*found, text[end:]])


def _is_above(box: Box, base: Box) -> bool:
    height = base[3] - base[1]
    return box[1] > base[1] + 0.2 * height and box[3] - box[1] < 0.85 * height and box[0] >= base[0]


def _goes_on(mark: Box, base: Box, box: Box) -> bool:
    """Whether a letter stands on the same line, right of a raised number."""
    return abs(box[1] - base[1]) < 0.2 * (base[3] - base[1]) and 0 <= box[0] - mark[0] < 3 * (base[3] - base[1])
