"""Words, places and pictures as tokens of one vocabulary, and what a reply may say next.

Words are byte pairs that training joins (`foretell.nn.vocabulary`), or those of a pretrained language model
(`foretell.nn.adapted`). Each symbol of `foretell.language.places` is one token more, as in VistaLLM (arXiv:2312.12423,
§3.2), and so are the marks `<image_1>` and on. `PICTURE` stands where the tokens of a picture go.

V tokens of all · b replies
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from foretell.language.places import FEWEST, MARKS, RING, Places, SpotKind
from foretell.nn.vocabulary import END, FIRST, Words

_SYMBOL = re.compile(r"(<\w+>)")
RESERVE = 9
"""Tokens before the end of a reply from which on it is being ended: the shortest outline, its end, and the end."""


class Speech(nn.Module):
    """Texts to tokens and back.

    Args:
        words: how words are said.
        places: how places are said.
        pictures: pictures of a question at most.
    """

    def __init__(self, words: Words, places: Places, pictures: int) -> None:
        super().__init__()
        self.places, self.pictures = places, pictures
        self.vocabulary = words
        first = words.size
        symbols = (*places.tokens, *(f"<image_{k + 1}>" for k in range(pictures)))
        self.numbers = {symbol: first + k for k, symbol in enumerate(symbols)}
        self.symbols = dict(zip(self.numbers.values(), symbols, strict=True))
        self.bins = range(first, first + places.bins + 1)
        """The tokens of numbers; neighbours are neighbours."""
        self.picture = first + len(symbols)
        """`PICTURE`."""

    def __len__(self) -> int:
        return self.picture + 1

    @property
    def learned(self) -> bool:
        """Whether it knows more words than bytes."""
        return self.vocabulary.learned()

    def learn(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary of words; symbols in the texts are known already."""
        self.vocabulary.learn(without_symbols(text) for text in texts)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, without an end. Symbols that are not known are words like others."""
        found: list[int] = []
        words = ""
        for part in (*_SYMBOL.split(text), ""):
            if part in self.numbers or not part:
                found += self.vocabulary.ids(words) if words.strip() else []
                found += [self.numbers[part]] if part else []
                words = ""
            else:
                words += part
        return found

    def text(self, ids: Sequence[int]) -> str:
        """What tokens say."""
        parts: list[str] = []
        words: list[int] = []
        for token in (*ids, END):
            if token < self.bins.start and token >= FIRST:
                words.append(token)
                continue
            if words:
                parts.append(f" {self.vocabulary.text(words)} ")
                words = []
            parts.append(self.symbols.get(token, ""))
        return "".join(parts).strip()


def without_symbols(text: str) -> str:
    """The words of a text alone."""
    return " ".join(_SYMBOL.sub(" ", text).split())


class Grammar:
    """Which tokens may come next, so that a reply ends in time and its places can be read.

    Args:
        speech: the vocabulary.
    """

    def __init__(self, speech: Speech) -> None:
        number, self._bins = speech.numbers, speech.bins
        self._starts: dict[int, SpotKind] = {number[f"<{mark}_st>"]: kind for kind, mark in MARKS.items()}
        self._ends = {number[f"<{mark}_ed>"] for mark in MARKS.values()}
        images = [token for symbol, token in number.items() if symbol.startswith("<image_")]
        self._tables = {
            "outside": _table(speech, [END, *range(FIRST, speech.bins.start), *self._starts, *images]),
            "last": _table(speech, [END]),
            "inside": _table(speech, speech.bins),
        }
        for kind, mark in MARKS.items():
            more = [number[f"<{mark}_sep>"], *((number[RING], *speech.bins) if kind == "mask" else ())]
            self._tables[kind] = _table(speech, [number[f"<{mark}_ed>"], *more])
            self._tables[f"last {kind}"] = _table(speech, [number[f"<{mark}_ed>"]])

    def allowed(self, said: Sequence[int], left: int) -> Bool[Tensor, " V"]:
        """Whether each token may come next.

        Args:
            said: the reply so far.
            left: tokens that there is still room for, the end included.
        """
        kind, count = self._within(said)
        last = "last " if left <= RESERVE else ""
        if kind is None:
            return self._tables["last" if last else "outside"]
        whole = {"box": count == 4, "point": count == 2, "mask": count >= 2 * FEWEST and count % 2 == 0}[kind]
        return self._tables[f"{last}{kind}" if whole else "inside"]

    def _within(self, said: Sequence[int]) -> tuple[SpotKind | None, int]:
        """The kind of the place that is being said, and the numbers since its last mark."""
        count, counting = 0, True
        for token in reversed(said):
            if token in self._starts:
                return self._starts[token], count
            if token in self._ends:
                return None, 0
            counting &= token in self._bins
            count += counting
        return None, 0


def _table(speech: Speech, tokens: Iterable[int]) -> Bool[Tensor, " V"]:
    table = torch.zeros(len(speech), dtype=torch.bool)
    table[[*tokens]] = True
    return table
