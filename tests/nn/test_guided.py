"""The instruction-guided tokenizer."""

from dataclasses import replace

import pytest
import torch

from foretell.errors import ForetellError
from foretell.nn.guided import GuidedConfig, GuidedTokenizer

SMALL = GuidedConfig(tokens=4, width=24, depth=2, heads=3, length=8)


def tokenizer(**changes):
    torch.manual_seed(0)
    return GuidedTokenizer(replace(SMALL, **changes), 12, (3, 3), 50).eval()


def asked(*rows):
    L = max(map(len, rows))
    tokens = torch.tensor([[*row, *[0] * (L - len(row))] for row in rows])
    return tokens, tokens != 0


def test_other_words_give_other_tokens_where_they_guide():
    latents = torch.randn(1, 9, 12)
    guided, unguided = tokenizer(), tokenizer(guided=False)
    one, other = asked([5, 6, 7]), asked([5, 8, 7])
    assert guided(latents, *one).shape == (1, 4, 24)
    assert (guided(latents, *one) - guided(latents, *other)).abs().max() > 1e-3
    torch.testing.assert_close(unguided(latents, *one), unguided(latents, *other))
    assert not any(name.startswith("words") for name, _ in unguided.named_parameters())


def test_other_pictures_give_other_tokens_and_places_matter():
    latents, made = torch.randn(1, 9, 12), tokenizer()
    one = asked([5, 6, 7])
    assert (made(latents, *one) - made(torch.randn(1, 9, 12), *one)).abs().max() > 1e-3
    assert (made(latents, *one) - made(latents.flip(1), *one)).abs().max() > 1e-3


def test_a_longer_question_beside_it_changes_nothing():
    latents, made = torch.randn(2, 9, 12), tokenizer()
    both = made(latents, *asked([5, 6], [7, 8, 9, 10, 11]))
    torch.testing.assert_close(both[:1], made(latents[:1], *asked([5, 6])), rtol=1e-4, atol=1e-5)


def test_bad_sizes_are_told():
    with pytest.raises(ForetellError, match="tokenizer tokens is 0, expected a whole number, 1 to"):
        GuidedConfig(tokens=0)
