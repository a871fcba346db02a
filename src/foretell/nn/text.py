"""The text tower: a transformer of its own over a byte-pair vocabulary (CLIP, arXiv:2103.00020, §2.4).

n texts · L tokens of the longest text · D width
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from foretell.errors import Range, within
from foretell.nn.vit import Block, initialise, transformer
from foretell.nn.vocabulary import BYTES, END, FIRST, PAD, Vocabulary


@dataclass(frozen=True)
class TextConfig:
    """Size of a text tower. CLIP's base: width 512, depth 12, 8 heads, 49,408 tokens, texts of 77."""

    width: int = 192
    depth: int = 4
    heads: int = 3
    vocabulary: int = 2048
    """The most tokens: 3 that mark places, 256 bytes, and pairs that training joins."""
    length: int = 48
    """The most tokens of a text, its start and end included; what is longer is cut."""
    causal: bool = True
    """Whether a token sees only those before it, as in CLIP, or all."""
    init_std: float | None = None
    """As of an encoder (`foretell.nn.vit.ViTConfig`)."""

    def __post_init__(self) -> None:
        transformer(self, "text")
        within(self, "text", vocabulary=Range(FIRST + BYTES, 2**20, whole=True), length=Range(3, 10_000, whole=True))


class TextTower(nn.Module):
    """Texts to one vector each: what the last block makes of a text's end."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary(config.vocabulary, config.length)
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Parameter(torch.empty(config.length, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        initialise(self, self.blocks, config.init_std)
        nn.init.normal_(self.embed.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.01)

    def learn(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary: which pairs of letters are joined."""
        self.vocabulary.learn(texts)

    def tokens(self, texts: Sequence[str]) -> Int[Tensor, "n L"]:
        """What `forward` takes, on the CPU. Raises ForetellError where there is no text, or an empty one."""
        return self.vocabulary(texts)

    def forward(self, tokens: Int[Tensor, "n L"]) -> Float[Tensor, "n D"]:
        """One vector a text.

        Args:
            tokens: from `tokens`.
        """
        L = tokens.shape[1]
        h = self.embed(tokens) + self.positions[:L]
        if self.config.causal:  # what fills a text up comes after its end, and is never seen
            mask = torch.ones(L, L, dtype=torch.bool, device=tokens.device).tril()
        else:
            mask = (tokens != PAD).view(-1, 1, 1, L)
        for block in self.blocks:
            h = block(h, mask=mask)
        end = (tokens == END).int().argmax(1)
        return self.norm(h[torch.arange(len(h), device=h.device), end])
