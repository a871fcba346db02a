"""Words that SQLite's tokenizer does not find: of languages without spaces, and names such as C++ and C#.

A run of Chinese, Japanese, Korean or Thai letters becomes its letters and its pairs of letters. A name with + or # at
its end becomes one piece. So does a word that is written otherwise in its plain letters: in wide or narrow ones, with
ligatures, with ß. Pieces are in an index of their own, which has rows only for the texts that contain some. A store of
an earlier version gets it with the first write.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator

_RUN = re.compile(
    "[\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Chinese
    "\u1100-\u11ff\uac00-\ud7af]+"  # Korean
)
_NAME = re.compile(r"(?<![\w+#])[A-Za-z]\w{0,19}(?:\+{1,2}|#)(?![\w+#])")


def pieces(text: str) -> Iterator[str]:
    """The pieces of a text, as words of ASCII letters."""
    plain = unicodedata.normalize("NFKC", text)
    for found in _RUN.finditer(plain):
        run = found[0]
        for place, letter in enumerate(run):
            yield _word(letter)
            if place + 1 < len(run):
                yield _word(run[place : place + 2])
    for found in _NAME.finditer(plain):
        yield _word(found[0].lower())
    if not text.isascii():
        yield from map(_word, sorted(_words(plain.casefold()) - _words(text.lower())))


def asked(query: str) -> list[str]:
    """The pieces to look for: of a run of several letters only the pairs, which say more."""
    found, plain = list[str](), unicodedata.normalize("NFKC", query)
    for run in _RUN.findall(plain):
        found += [_word(run[i : i + 2]) for i in range(len(run) - 1)] if len(run) > 1 else [_word(run)]
    names = {name.lower() for name in _NAME.findall(plain)}
    return sorted({*found, *map(_word, names | _words(plain.casefold()))})


def there(c: sqlite3.Connection, number: int) -> bool:
    """Whether a collection has an index of pieces."""
    return bool(c.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"piece_{number}",)).fetchone())


def lay(c: sqlite3.Connection, number: int) -> None:
    """Create the index of pieces where it is missing, with those of all entries."""
    if not there(c, number):
        c.execute(f"CREATE VIRTUAL TABLE piece_{number} USING fts5 (text, detail=none)")
        put(c, number, c.execute(f"SELECT id, text FROM entry_{number}"))


def put(c: sqlite3.Connection, number: int, texts: Iterable[tuple[int, str]]) -> None:
    """Add the pieces of entries: their ids and texts."""
    rows = ((id, " ".join(pieces(text))) for id, text in texts)
    c.executemany(f"INSERT INTO piece_{number} (rowid, text) VALUES (?, ?)", ((id, said) for id, said in rows if said))


def drop(c: sqlite3.Connection, number: int, id: int) -> None:
    """Remove the pieces of an entry."""
    c.execute(f"DELETE FROM piece_{number} WHERE rowid = ?", (id,))


def _words(text: str) -> set[str]:
    """The words of a text that have spaces around them in their language."""
    return set(re.findall(r"\w{1,40}", _RUN.sub(" ", text)))


def _word(piece: str) -> str:
    return "u" + "u".join(f"{ord(letter):x}" for letter in piece)
