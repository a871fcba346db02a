"""The instruction-guided tokenizer of pictures (VistaLLM, arXiv:2312.12423, §3.1; InstructBLIP's Q-Former,
arXiv:2305.06500, §2.2).

    [q; w] ← [q; w] + attention of [q; w]       learned queries q see the words w of the instruction
    q ← q + attention of q to [h; places]       and look at the picture's patches h
    [q; w] ← [q; w] + MLP([q; w])               block after block; what becomes of q is the picture

So a picture costs Q tokens, whatever its size, and they are about what was asked. `guided` False is the ablation: the
queries see no words.

Differs from the paper:
- Words have embeddings of their own here and are learned from the start; the paper begins with a BERT.
- Queries share their MLP with the words, and every block looks at the picture.
- Q of 4, 9, 16, … queries begin as what lies in the parts of a grid over the picture. Learned queries alone look at all
  alike for long, and nothing is known of places until they differ.

P pictures · N patches · D width of the patches · Q queries · L words · d width of the tokenizer
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.errors import Range, within
from foretell.nn.attention import Attention, attend
from foretell.nn.positions import sincos
from foretell.nn.vit import initialise, mlp, transformer


@dataclass(frozen=True)
class GuidedConfig:
    """Size of a tokenizer of pictures."""

    tokens: int = 32
    """Q: tokens of a picture."""
    width: int = 128
    depth: int = 2
    heads: int = 4
    guided: bool = True
    """Whether queries see the instruction."""
    length: int = 96
    """Words of an instruction at most."""

    def __post_init__(self) -> None:
        transformer(self, "tokenizer")
        within(self, "tokenizer", tokens=Range(1, 10_000, whole=True), length=Range(8, 10_000, whole=True))


class LookingBlock(nn.Module):
    """Queries and words attend to each other, queries to the picture, and all go through an MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm_query = nn.LayerNorm(width, eps=1e-6)
        self.query = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.look = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = mlp(width, 4 * width)

    def forward(
        self,
        x: Float[Tensor, "P QL d"],
        picture: Float[Tensor, "P N d"],
        Q: int,
        mask: Bool[Tensor, "P 1 1 QL"] | None = None,
    ) -> Float[Tensor, "P QL d"]:
        """Queries, the first Q of x, and words.

        Args:
            x: queries and words.
            picture: patches, with their places.
            Q: the number of queries.
            mask: which words there are.
        """
        x = x + self.attn(self.norm1(x), mask=mask)
        q = self.query(self.norm_query(x[:, :Q])).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(picture).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = self.look(attend(q, k, v).transpose(1, 2).flatten(2))
        x = torch.cat([x[:, :Q] + seen, x[:, Q:]], 1)
        return x + self.mlp(self.norm2(x))


class Looks(NamedTuple):
    """How M heads of a Llip look at pictures for a text each (`foretell.nn.mixture`)."""

    registers: Float[Tensor, "P R D"]
    weights: Float[Tensor, "P M R"]
    """Of each register; sums of 1."""
    shares: Float[Tensor, "P M N"]
    """Of each patch; sums of 1."""


class GuidedTokenizer(nn.Module):
    """Patches of pictures, and an instruction each, to Q tokens a picture.

    Args:
        config: its size.
        image_width: D.
        grid: rows and columns of patches.
        vocabulary: tokens of words.
        register_width: width of registers that come with the patches; 0 where none do.
    """

    def __init__(
        self, config: GuidedConfig, image_width: int, grid: tuple[int, ...], vocabulary: int, register_width: int = 0
    ) -> None:
        super().__init__()
        self.config = c = config
        self.grid = grid
        self.embed = nn.Linear(image_width, c.width)
        self.embed_register = nn.Linear(register_width, c.width) if register_width else None
        self.norm_picture = nn.LayerNorm(c.width, eps=1e-6)
        self.queries = nn.Parameter(torch.empty(c.tokens, c.width).normal_(std=0.02))
        self.side = side if (side := isqrt(c.tokens)) ** 2 == c.tokens else 0
        if c.guided:
            self.words = nn.Embedding(vocabulary, c.width)
            self.order = nn.Parameter(torch.empty(c.length, c.width).normal_(std=0.02))
        self.blocks = nn.ModuleList(LookingBlock(c.width, c.heads) for _ in range(c.depth))
        self.norm = nn.LayerNorm(c.width, eps=1e-6)
        initialise(self, self.blocks, None)
        if c.guided:
            nn.init.normal_(self.words.weight, std=0.5)

    def forward(
        self,
        latents: Float[Tensor, "P N D"],
        instructions: Int[Tensor, "P L"] | None = None,
        there: Bool[Tensor, "P L"] | None = None,
        looks: Looks | None = None,
    ) -> Float[Tensor, "P _ d"]:
        """The tokens of pictures: Q, and one more for each head of `looks`.

        Args:
            latents: patches of each picture.
            instructions: the words of each picture's question; not read where the tokenizer is not guided.
            there: which words there are, where questions differ in length.
            looks: how heads of a Llip look at each picture for its question; only where registers come, too.
        """
        Q, place = self.config.tokens, sincos(self.config.width, self.grid, device=latents.device)
        picture = self.norm_picture(self.embed(latents) + place)
        x, mask = self.queries.expand(len(latents), -1, -1), None
        if self.side:
            field = picture.transpose(1, 2).unflatten(2, self.grid)
            x = x + F.adaptive_avg_pool2d(field, self.side).flatten(2).transpose(1, 2)
        if looks is not None and self.embed_register is not None:
            x = torch.cat([x, self.embed_register(looks.weights @ looks.registers) + looks.shares @ picture], 1)
            Q = x.shape[1]
        if self.config.guided and instructions is not None and there is not None:
            L = instructions.shape[1]
            x = torch.cat([x, self.words(instructions) + self.order[:L]], 1)
            mask = torch.cat([there.new_ones(len(latents), Q), there], 1)[:, None, None]
        for block in self.blocks:
            x = block(x, picture, Q, mask)
        return self.norm(x[:, :Q])
