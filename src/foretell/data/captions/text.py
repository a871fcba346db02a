"""What is odd about captions as people write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LONGEST = 1000
"""Characters of a caption that are kept."""
_PICTOGRAPHS = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]")


def cleaned(captions: Iterable[str | bytes | None]) -> tuple[list[str], list[str]]:
    """Captions without needless spaces, each once, and what was odd about them.

    Empty ones and those that are no UTF-8 are left out. Longer ones than `LONGEST` are cut at a word. Emoji and other
    scripts than Latin are kept, and told: a model that never saw them learns nothing from them.

    Returns:
        The captions in their order, and a line for each that is odd.
    """
    kept: dict[str, None] = {}
    odd = []
    for caption in captions:
        try:
            text = caption.decode() if isinstance(caption, bytes) else caption or ""
        except UnicodeDecodeError:
            odd.append("no UTF-8 (left out)")
            continue
        text = " ".join(_printable(text).split())
        if not text:
            odd.append("empty (left out)")
            continue
        if len(text) > LONGEST:
            text = text[:LONGEST].rsplit(" ", 1)[0]
            odd.append(f"longer than {LONGEST:,} characters (cut)")
        if _PICTOGRAPHS.search(text):
            odd.append("with emoji (kept)")
        if _other_script(text):
            odd.append("in another script than Latin (kept)")
        kept[text] = None
    return list(kept), odd


def _printable(text: str) -> str:
    """Without control characters and lone surrogates, which no UTF-8 file can hold."""
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in text if unicodedata.category(c) != "Cs")


def _other_script(text: str) -> bool:
    """Whether most letters are of another script."""
    letters = [c for c in text if c.isalpha()]
    return 2 * sum(not unicodedata.name(c, "").startswith("LATIN") for c in letters) > len(letters)
