"""The vocabulary and the text tower."""

import pytest
import torch
from torch import nn

from foretell.errors import ForetellError
from foretell.nn.text import TextConfig, TextTower
from foretell.nn.vocabulary import BYTES, END, FIRST, PAD, START, Vocabulary

TEXTS = ["a dog left of a tree", "a red dog", "a tree"] * 4
TINY = TextConfig(width=12, depth=2, heads=3, vocabulary=300, length=16)


def tower(**changes):
    from dataclasses import replace

    made = TextTower(replace(TINY, **changes))
    made.learn(TEXTS)
    return made.eval()


def test_before_it_learned_a_vocabulary_knows_bytes():
    tokens = Vocabulary(300, 16)(["Hi"])
    assert tokens.shape == (1, 5)  # start, a space, h, i, end
    assert tokens[0, 0] == START
    assert tokens[0, -1] == END
    assert ((tokens[0, 1:-1] >= FIRST) & (tokens[0, 1:-1] < FIRST + BYTES)).all()


def test_frequent_words_become_one_token_each_and_any_script_has_tokens():
    made = Vocabulary(300, 32)
    made.learn(TEXTS)
    dog, odd = made(["a dog"]), made(["🐶 дом"])
    assert dog.shape == (1, 4)
    assert dog[0, 2] >= FIRST + BYTES
    assert odd.shape[1] > 8
    assert odd.max() < 300


def test_case_does_not_matter_and_short_texts_are_filled_up():
    made = Vocabulary(300, 32)
    made.learn(TEXTS)
    tokens = made(["A  Dog".replace("  ", " "), "a dog", "a dog left of a tree"])
    assert torch.equal(tokens[0], tokens[1])
    assert tokens[0, 4:].eq(PAD).all()
    assert tokens[2].ne(PAD).all()


def test_a_long_text_is_cut_and_still_ends():
    made = Vocabulary(300, 6)
    assert made(["abcdefghij"])[0].tolist()[-1] == END
    assert made(["abcdefghij"]).shape == (1, 6)
    assert made.cut("abcdefghij")
    assert not made.cut("abc")


def test_who_has_the_weights_has_the_vocabulary():
    made, other = tower(), TextTower(TINY).eval()
    assert not torch.equal(made.tokens(TEXTS), other.tokens(TEXTS))
    other.load_state_dict(made.state_dict())
    assert torch.equal(made.tokens(TEXTS), other.tokens(TEXTS))
    torch.testing.assert_close(made(made.tokens(TEXTS)), other(other.tokens(TEXTS)), rtol=0, atol=0)


def test_the_same_texts_give_the_same_vocabulary():
    first, second = (Vocabulary(300, 16) for _ in range(2))
    first.learn(TEXTS)
    second.learn(iter(TEXTS))
    assert torch.equal(first.pairs, second.pairs)


@pytest.mark.parametrize("causal", [True, False])
def test_what_fills_a_text_up_changes_nothing(causal):
    made = tower(causal=causal)
    alone, beside = made.tokens(["a dog"]), made.tokens(["a dog", "a dog left of a tree"])
    assert beside.shape[1] > alone.shape[1]
    torch.testing.assert_close(made(beside)[:1], made(alone))


def test_the_order_of_words_matters():
    made = tower()
    one, other = made(made.tokens(["a dog left of a tree", "a tree left of a dog"]))
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_causal_tower_sees_only_what_came_before():
    made = tower(causal=True)
    tokens = made.tokens(["a red dog"])
    seen = []
    made.blocks[-1].register_forward_hook(lambda *call: seen.append(call[2]))
    made(tokens)
    changed = tokens.clone()
    changed[0, -2] = FIRST
    made(changed)
    torch.testing.assert_close(seen[0][:, :-2], seen[1][:, :-2])
    assert not torch.allclose(seen[0][:, -1], seen[1][:, -1])


def test_every_parameter_learns():
    made = tower().train()
    made(made.tokens(["a red dog of a tree"])).sum().backward()
    # the sum of a layer norm's output does not depend on its input
    assert all(p.grad is not None for p in made.parameters())
    assert isinstance(made.embed, nn.Embedding)


@pytest.mark.parametrize("texts", [[], [""], ["a dog", "  "]])
def test_nothing_to_encode_is_refused(texts):
    with pytest.raises(ForetellError, match=r"empty|no texts"):
        tower().tokens(texts)


@pytest.mark.parametrize("wrong", [{"vocabulary": 258}, {"length": 2}, {"heads": 5}, {"width": 0}])
def test_sizes_that_cannot_be_are_refused(wrong):
    from dataclasses import replace

    with pytest.raises(ForetellError, match="text"):
        replace(TINY, **wrong)
