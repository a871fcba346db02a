"""Texts with pictures among their tokens, in groups of like length, and the loss of their answers.

b texts of a group · p pictures of a group · L tokens · n tokens of answers · V tokens of the vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from foretell.nn.vocabulary import PAD


class Turn(NamedTuple):
    """Tokens of a question and of its answer."""

    guide: list[int]
    """The question as the tokenizer of pictures sees it."""
    question: list[int]
    answer: list[int]


@dataclass(frozen=True)
class Sequences:
    """Some questions, and perhaps answers, of like length."""

    questions: Int[Tensor, " b"]
    """Their numbers."""
    tokens: Int[Tensor, "b L"]
    """Filled up in front."""
    pictures: Int[Tensor, " p"]
    """The numbers of their pictures, in order."""
    answered: Bool[Tensor, "b L"]
    """Which tokens are of answers."""


def sequences(
    rows: Sequence[tuple[list[int], list[int]]], counts: Sequence[int], size: int, device: torch.device
) -> tuple[Sequences, ...]:
    """Questions and answers in groups.

    Args:
        rows: tokens of each question, and of its answer.
        counts: pictures of each question; they are numbered one behind the other.
        size: questions of a group, at most.
        device: the device of the results.
    """
    first, found = [sum(counts[:n]) for n in range(len(counts))], []
    for some in in_groups([len(asked) + len(told) for asked, told in rows], size):
        tokens = padded([rows[n][0] + rows[n][1] for n in some], "left")
        lengths = torch.tensor([len(rows[n][1]) for n in some]).unsqueeze(1)
        answered = torch.arange(tokens.shape[1]) >= tokens.shape[1] - lengths
        numbers = torch.tensor([first[n] + k for n in some for k in range(counts[n])])
        found.append(Sequences(*(part.to(device) for part in (torch.tensor(some), tokens, numbers, answered))))
    return tuple(found)


def in_groups(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Numbers of texts in groups of like length."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[first : first + size] for first in range(0, len(order), size)]


def padded(rows: Sequence[Sequence[int]], side: str) -> Int[Tensor, "b L"]:
    """Rows of tokens of one length, filled up with `PAD` on the left or the right."""
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD, padding_side=side)


def near_entropy(
    logits: Float[Tensor, "n V"], targets: Int[Tensor, " n"], line: range, deviation: float
) -> Float[Tensor, " n"]:
    """Cross-entropy, in which numbers near the true one are a little right.

    Args:
        logits: of each token.
        targets: the true ones.
        line: tokens of numbers, in order.
        deviation: of the normal distribution around a true number, cut at three of it; 0 for plain cross-entropy.
    """
    scores = logits.float().log_softmax(-1)
    loss = -scores.gather(1, targets.unsqueeze(1))[:, 0]
    reach, numbers = int(3 * deviation), (targets >= line.start) & (targets < line.stop)
    if not reach or not numbers.any():
        return loss
    near = torch.arange(-reach, reach + 1, device=targets.device)
    at = targets[numbers].unsqueeze(1) + near
    share = (-0.5 * (near / deviation) ** 2).exp() * ((at >= line.start) & (at < line.stop))
    share = share / share.sum(1, keepdim=True)
    smooth = -(scores[numbers].gather(1, at.clamp(line.start, line.stop - 1)) * share).sum(1)
    return loss.masked_scatter(numbers, smooth)
