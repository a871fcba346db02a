"""How near a sentence is to what was expected: CIDEr-D and BLEU.

    CIDEr-D = 10/4 Σₙ mean_r exp(−(l − l_r)² / 2σ²) · min(g, g_r)·g_r / ‖g‖‖g_r‖, n = 1…4, g tf-idf of n-grams
    (Vedantam et al. 2015, arXiv:1411.5726, eq. 4)
    BLEU-4  = min(1, e^(1 − r/c)) · (p₁ p₂ p₃ p₄)^¼, p_n clipped matches over all replies (Papineni et al. 2002)

R replies · n of an n-gram
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, log, sqrt
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

LONGEST = 4
"""n, at most."""
SIGMA = 6.0
"""Words by which lengths may differ: CIDEr-D's σ."""
Grams: TypeAlias = Counter[tuple[str, ...]]


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case, without punctuation."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())


def cider(replies: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of each reply, 0 to 10.

    How rare an n-gram is, is counted over the references of all replies. A word that all of them have says nothing.

    Args:
        replies: one a picture.
        references: one or more a picture.
    """
    known = [[_grams(text) for text in some] for some in references]
    seen: Counter[tuple[str, ...]] = Counter()
    for some in known:
        seen.update({gram for grams in some for gram in grams})
    rare = {gram: log(len(replies) / count) for gram, count in seen.items()}
    most = log(len(replies)) if replies else 0.0

    def weighed(grams: Grams) -> list[dict[tuple[str, ...], float]]:
        made: list[dict[tuple[str, ...], float]] = [{} for _ in range(LONGEST)]
        for gram, count in grams.items():
            made[len(gram) - 1][gram] = count * rare.get(gram, most)
        return made

    found = []
    for reply, some in zip(replies, known, strict=True):
        own, length = weighed(_grams(reply)), len(words_of(reply))
        each = [_alike(own, weighed(grams), length - _length(grams)) for grams in some]
        found.append(10 * sum(each) / len(each))
    return found


def _alike(a: Sequence[dict[tuple[str, ...], float]], b: Sequence[dict[tuple[str, ...], float]], longer: int) -> float:
    """The mean over n of clipped cosines, less where lengths differ."""
    total = 0.0
    for own, other in zip(a, b, strict=True):
        norm = sqrt(sum(v * v for v in own.values())) * sqrt(sum(v * v for v in other.values()))
        if norm:
            total += sum(min(v, other.get(gram, 0.0)) * other.get(gram, 0.0) for gram, v in own.items()) / norm
    return total / LONGEST * exp(-(longer**2) / (2 * SIGMA**2))


def bleu_counts(reply: str, references: Sequence[str]) -> list[float]:
    """What BLEU-4 adds up over replies: 4 clipped matches, 4 numbers of n-grams, and the lengths of both sides.

    The length of the other side is that of the reference whose length is nearest.
    """
    own, known = _grams(reply), [_grams(text) for text in references]
    most: Grams = Counter()
    for grams in known:
        most |= grams
    matches, totals = [0.0] * LONGEST, [0.0] * LONGEST
    for gram, count in own.items():
        matches[len(gram) - 1] += min(count, most[gram])
        totals[len(gram) - 1] += count
    length = _length(own)
    nearest = min((_length(grams) for grams in known), key=lambda other: (abs(other - length), other))
    return [*matches, *totals, float(length), float(nearest)]


def bleu(counts: Float[Tensor, "R 10"]) -> Float[Tensor, " R"]:
    """BLEU-4 of sums or means of `bleu_counts`, 0 to 1."""
    matches, totals, (own, other) = counts[:, :LONGEST], counts[:, LONGEST : 2 * LONGEST], counts[:, -2:].T
    shares = (matches / totals.clamp_min(1e-12)).log().mean(1).exp()
    return shares * (1 - other / own.clamp_min(1e-12)).clamp_max(0).exp()


def _grams(text: str) -> Grams:
    words = words_of(text)
    return Counter(tuple(words[i : i + n]) for n in range(1, LONGEST + 1) for i in range(len(words) - n + 1))


def _length(grams: Grams) -> int:
    return sum(count for gram, count in grams.items() if len(gram) == 1)
