"""A small causal language model: tokens, or vectors in the place of tokens, to what comes next.

Pre-norm blocks with rotary positions (Su et al. 2021, arXiv:2104.09864). In generation keys and values are kept, so
that a step costs one token.

B texts · L tokens of the longest · M with those before · D width · V tokens of the vocabulary
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from foretell.nn.attention import Memory
from foretell.nn.rotary import line_rotation, pairs_an_axis
from foretell.nn.speech import Grammar
from foretell.nn.vit import Block, initialise, transformer
from foretell.nn.vocabulary import END

if TYPE_CHECKING:
    from foretell.nn.adapted import Adapted


@dataclass(frozen=True)
class DecoderConfig:
    """Size of a language model. Parameters: about 12 · depth · width², and 2 · V · width."""

    width: int = 192
    depth: int = 4
    heads: int = 4

    def __post_init__(self) -> None:
        transformer(self, "decoder")
        pairs_an_axis(self.width // self.heads, (1,))


class Decoder(nn.Module):
    """A causal transformer with an embedding and a head.

    Args:
        config: its size.
        vocabulary: V.
        line: tokens of numbers in order. They begin as points of a line, neighbours alike; none where it is empty.
    """

    def __init__(self, config: DecoderConfig, vocabulary: int, line: range = range(0)) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = nn.Linear(config.width, vocabulary)
        initialise(self, self.blocks, None)
        nn.init.normal_(self.embed.weight, std=0.5)
        if line:
            points = on_a_line(len(line), config.width).to(self.embed.weight)
            self.embed.weight.data[line] = points
            self.head.weight.data[line] = points * config.width**-0.5

    @property
    def width(self) -> int:
        """D."""
        return self.config.width

    def forward(
        self, h: Float[Tensor, "B L D"], there: Bool[Tensor, "B M"], memory: list[Memory] | None = None
    ) -> Float[Tensor, "B L D"]:
        """What is known after each token; `head` makes logits of the next one.

        Args:
            h: embedded tokens; those of shorter texts begin later.
            there: which tokens there are, those before included.
            memory: of each block, from `remember`; None for a text that is seen at once.
        """
        L, M = h.shape[1], there.shape[1]
        places = (there.cumsum(1) - 1)[:, M - L :].float()
        rotation = line_rotation(self.config.width // self.config.heads, places)
        at, own = torch.arange(M, device=h.device), torch.arange(M - L, M, device=h.device)
        past = at <= own.unsqueeze(1)
        # what is not there sees itself: a softmax over nothing is no number
        mask = (past & there.unsqueeze(1) | (at == own.unsqueeze(1))).unsqueeze(1)
        for number, block in enumerate(self.blocks):
            h = block(h, rotation=rotation, mask=mask, memory=None if memory is None else memory[number])
        return self.norm(h)

    def remember(self) -> list[Memory]:
        """Memories that hold nothing yet, one a block."""
        return [Memory() for _ in self.blocks]


@torch.no_grad()
def greedy(
    decoder: Decoder | Adapted, h: Float[Tensor, "B L D"], there: Bool[Tensor, "B L"], grammar: Grammar, longest: int
) -> list[list[int]]:
    """What each text goes on with: the likeliest token that the grammar allows, again and again, until it ends.

    Args:
        decoder: the language model.
        h: embedded texts; shorter ones begin later.
        there: which tokens there are.
        grammar: of replies.
        longest: tokens of a reply at most, its end included.

    Returns:
        The tokens of each reply, without its end.
    """
    replies: list[list[int]] = [[] for _ in range(len(h))]
    speaking, memory = list(range(len(h))), decoder.remember()
    for left in range(longest, 0, -1):
        logits = decoder.head(decoder(h, there, memory)[:, -1])
        allowed = torch.stack([grammar.allowed(replies[n], left) for n in speaking]).to(h.device)
        said = logits.masked_fill(~allowed, -torch.inf).argmax(-1)
        for n, token in zip(speaking, said.tolist(), strict=True):
            replies[n].append(token)
        going = (said != END).nonzero()[:, 0]
        if not len(going):
            break
        if len(going) < len(speaking):  # the others are done
            speaking, said, there = [speaking[n] for n in going.tolist()], said[going], there[going]
            for each in memory:
                each.keep(going)
        h = decoder.embed(said).unsqueeze(1)
        there = torch.cat([there, there.new_ones(len(there), 1)], 1)
    return [reply[: reply.index(END)] if END in reply else reply for reply in replies]


def on_a_line(count: int, width: int) -> Float[Tensor, "count width"]:
    """Vectors of `count` numbers: the nearer two are, the more alike their vectors. Waves from 4 to 2·count steps."""
    # on the CPU also where a model is built on `meta`: there torch may take plain numbers for tensors of another device
    places = torch.arange(count, dtype=torch.float64, device="cpu").unsqueeze(1)
    shares = torch.linspace(0, 1, width // 2, dtype=torch.float64, device="cpu")
    angles = places * 2 * torch.pi / (4 * (max(count, 4) / 2) ** shares)
    return (torch.cat([angles.sin(), angles.cos()], 1) / 2**0.5).float()[:, :width]
