"""Words, places and pictures in one vocabulary, and the grammar of replies."""

import pytest
import torch

from foretell.language.places import Places
from foretell.nn.speech import RESERVE, Grammar, Speech
from foretell.nn.vocabulary import END, PAD, START, Vocabulary

TEXTS = ["where is the red dog?", "outline all red things.", "a dog: <b_st><bin_1><bin_2><bin_3><bin_4><b_ed>"] * 4
PLACES = Places(20)


def speech():
    made = Speech(Vocabulary(300, 300), PLACES, 3)
    made.learn(TEXTS)
    return made


@pytest.mark.parametrize(
    "text",
    [
        "where is the red dog?",
        "<image_2><m_st><bin_0><bin_20><m_ring><bin_3><m_sep><bin_4><m_ed>",
        "a dog <b_st><bin_1><bin_2><bin_3><bin_4><b_ed> and more",
        "собака 🐶",
    ],
)
def test_texts_come_back(text):
    made = speech()
    assert made.text(made.ids(text)) == text


def test_a_symbol_is_one_token_and_an_unknown_one_is_words():
    made = speech()
    assert made.ids("<bin_20><b_ed>") == [made.bins[20], made.numbers["<b_ed>"]]
    assert len(made.ids("<bin_21>")) > 1
    assert max(made.ids("<image_4>")) < made.bins.start
    assert made.picture == len(made) - 1


def test_symbols_are_no_words_to_learn():
    made = speech()
    plain = Speech(Vocabulary(300, 300), PLACES, 3)
    plain.learn(text.replace("<b_st><bin_1><bin_2><bin_3><bin_4><b_ed>", " ") for text in TEXTS)
    assert torch.equal(made.vocabulary.pairs, plain.vocabulary.pairs)


def test_whatever_is_likeliest_a_reply_ends_and_can_be_read():
    made = speech()
    grammar = Grammar(made)
    for seed in range(300):
        chance = torch.Generator().manual_seed(seed)
        taste = torch.randn(len(made), generator=chance)
        for symbol, liking in (("<m_st>", 2.0), ("<b_st>", 2.0), ("<m_ring>", 1.0), ("<m_sep>", 1.0)):
            taste[made.numbers[symbol]] += liking
        said: list[int] = []
        longest = 10 + seed % 60
        while not said or said[-1] != END:
            allowed = grammar.allowed(said, longest - len(said))
            assert not allowed[[PAD, START, made.picture]].any()
            noise = torch.randn(len(made), generator=chance)
            said.append(int((taste + noise).masked_fill(~allowed, -torch.inf).argmax()))
        assert len(said) <= longest
        assert PLACES.read(made.text(said[:-1])).lost == ()


def test_an_end_comes_where_there_is_no_room_for_more():
    made = speech()
    grammar = Grammar(made)
    assert grammar.allowed([], RESERVE).nonzero().flatten().tolist() == [END]
    box = made.ids("<b_st><bin_1><bin_2><bin_3><bin_4>")
    assert grammar.allowed(box, 2).nonzero().flatten().tolist() == [made.numbers["<b_ed>"]]
    assert grammar.allowed(box[:-1], 3).nonzero().flatten().tolist() == list(made.bins)
