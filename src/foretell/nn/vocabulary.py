"""A byte-pair vocabulary (Sennrich et al. 2016, arXiv:1508.07909) that a model learns and carries in its weights.

A text becomes bytes, and pairs of neighbours that were frequent in training are joined, the most frequent first. So
every text in any script has tokens, and common words have one each. The pairs are a tensor among the model's weights.
So whoever has the weights has the vocabulary.

n texts · L tokens of the longest text · V tokens of the vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor, nn

from foretell.errors import ForetellError
from foretell.extras import needed

PAD, START, END = 0, 1, 2
FIRST = 3
"""The token of byte 0; those of pairs come after the 256 bytes."""
BYTES = 256


@runtime_checkable
class Words(Protocol):
    """Texts to tokens from `FIRST` on, and back: a vocabulary of ours, or that of a pretrained language model."""

    size: int
    """V: one more than the last token."""

    def learned(self) -> bool:
        """Whether it knows more than bytes."""
        ...

    def learn(self, texts: Iterable[str]) -> None:
        """Learn from some texts."""
        ...

    def ids(self, text: str) -> list[int]:
        """The tokens of a text."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """The text of tokens."""
        ...


class Vocabulary(nn.Module):
    """Texts to tokens: start, bytes and joined pairs, end.

    Args:
        size: V: the most tokens there can be, 259 or more.
        length: the most tokens of a text, start and end included. What is longer is cut.
    """

    pairs: Tensor

    def __init__(self, size: int, length: int) -> None:
        super().__init__()
        self.size, self.length = size, length
        # on the CPU wherever the rest is built, as `_apply` keeps it
        self.register_buffer("pairs", torch.full((size - FIRST - BYTES, 2), -1, dtype=torch.int32, device="cpu"))
        self._tokenizer: tuple[bytes, Any] = b"", None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Vocabulary:
        """Stay on the CPU, where texts are read: else every batch would wait for a GPU to say the pairs."""
        return self

    def learned(self) -> bool:
        """Whether it knows pairs of letters."""
        return bool((self.pairs >= 0).any())

    def learn(self, texts: Iterable[str]) -> None:
        """Find the pairs to join in some texts. The same texts give the same pairs.

        Raises:
            MissingExtra: the package tokenizers is not installed.
        """
        tokenizers = needed("tokenizers", "a text tower")
        learned, alphabet = _blank(), _alphabet()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=self.size - FIRST, initial_alphabet=alphabet, min_frequency=2, show_progress=False
        )
        learned.train_from_iterator(texts, trainer)
        state = _state(learned)
        own = {token: number for number, token in enumerate(alphabet)}
        found = []
        for left, right in state["merges"]:
            found.append((own[left], own[right]))
            own.setdefault(left + right, len(own))
        self.pairs.fill_(-1)
        self.pairs[: len(found)] = torch.tensor(found, dtype=torch.int32).reshape(-1, 2)

    def forward(self, texts: Sequence[str]) -> Int[Tensor, "n L"]:
        """The tokens of each text on the CPU, filled up with `PAD`.

        Raises:
            ForetellError: no texts, or one that is empty.
        """
        if not texts:
            raise ForetellError("there are no texts to encode: give one or more")
        if blank := [number for number, text in enumerate(texts) if not text.strip()]:
            raise ForetellError(f"text {blank[0] + 1} of {len(texts)} is empty, expected words")
        found = self._ready().encode_batch_fast([*texts])
        rows = [[START, *(FIRST + i for i in each.ids[: self.length - 2]), END] for each in found]
        tokens = torch.full((len(rows), max(map(len, rows))), PAD)
        for row, ids in zip(tokens, rows, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        return tokens

    def ids(self, text: str) -> list[int]:
        """The tokens of a text alone, without start and end, and however many."""
        return [FIRST + i for i in self._ready().encode(text).ids]

    def text(self, ids: Sequence[int]) -> str:
        """The text that tokens stand for; those that mark places in a text stand for nothing."""
        return self._ready().decode([i - FIRST for i in ids if i >= FIRST]).strip()

    def cut(self, text: str) -> bool:
        """Whether a text has more tokens than are read."""
        return len(self._ready().encode(text).ids) > self.length - 2

    def _ready(self) -> Any:
        """The tokenizer of the pairs; made anew when they changed, as when weights were loaded."""
        pairs = self.pairs
        key = pairs.numpy().tobytes()
        if self._tokenizer[1] is None or self._tokenizer[0] != key:
            tokenizers = needed("tokenizers", "a text tower")
            known, merges = _alphabet(), []
            places = {token: number for number, token in enumerate(known)}
            for left, right in pairs[pairs[:, 0] >= 0].tolist():
                merges.append((known[left], known[right]))
                if (joined := known[left] + known[right]) not in places:
                    places[joined] = len(known)
                    known.append(joined)
            made = _blank()
            made.model = tokenizers.models.BPE(places, merges)
            self._tokenizer = key, made
        return self._tokenizer[1]


def _blank() -> Any:
    """A tokenizer that knows only bytes. Case and the form of letters do not matter; words keep the space before."""
    tokenizers = needed("tokenizers", "a text tower")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.NFKC(), tokenizers.normalizers.Lowercase(), tokenizers.normalizers.Strip()]
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = tokenizers.decoders.ByteLevel()
    return made


def _alphabet() -> list[str]:
    """The letter that stands for each byte, in a fixed order."""
    return sorted(needed("tokenizers", "a text tower").pre_tokenizers.ByteLevel.alphabet())


def _state(tokenizer: Any) -> dict[str, Any]:
    import json

    return json.loads(tokenizer.to_str())["model"]
