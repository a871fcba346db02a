"""The causal decoder: what sees what, and that a step with memory is the whole."""

import torch

from foretell.language.places import Places
from foretell.nn.decoder import Decoder, DecoderConfig, greedy, on_a_line
from foretell.nn.speech import Grammar, Speech
from foretell.nn.vocabulary import Vocabulary

SMALL = DecoderConfig(width=24, depth=2, heads=3)


def decoder(vocabulary=40, line=range(0)):
    torch.manual_seed(0)
    return Decoder(SMALL, vocabulary, line).eval()


def test_a_token_sees_none_that_come_after_it():
    made, there = decoder(), torch.ones(1, 6, dtype=torch.bool)
    h = torch.randn(1, 6, 24)
    changed = h.clone()
    changed[:, 4:] = torch.randn(1, 2, 24)
    torch.testing.assert_close(made(h, there)[:, :4], made(changed, there)[:, :4])
    assert not torch.allclose(made(h, there)[:, 4:], made(changed, there)[:, 4:])


def test_what_fills_a_text_up_changes_nothing():
    made = decoder()
    h = torch.randn(2, 5, 24)
    filled = torch.cat([torch.randn(2, 3, 24), h], 1)
    there = torch.ones(2, 8, dtype=torch.bool)
    there[:, :3] = False
    torch.testing.assert_close(made(filled, there)[:, 3:], made(h, there[:, 3:]), rtol=1e-4, atol=1e-5)
    assert made(filled, there).isfinite().all()


def test_steps_with_memory_are_the_whole_text_at_once():
    made = decoder()
    h = torch.randn(2, 7, 24)
    there = torch.ones(2, 7, dtype=torch.bool)
    there[1, :2] = False
    whole, memory, found = made(h, there), made.remember(), []
    for first, last in ((0, 4), (4, 5), (5, 7)):
        found.append(made(h[:, first:last], there[:, :last], memory))
    torch.testing.assert_close(torch.cat(found, 1)[there], whole[there], rtol=1e-4, atol=1e-5)


def test_replies_are_those_of_full_passes_whoever_else_is_in_the_batch():
    speech = Speech(Vocabulary(259, 259), Places(6), 1)
    made, grammar = decoder(len(speech), speech.bins), Grammar(speech)
    texts = [torch.randint(3, 200, (length,)) for length in (5, 3, 4)]

    def alone(text):
        said = []
        while True:
            h = made.embed(torch.cat([text, torch.tensor(said, dtype=torch.int64)]))[None]
            logits = made.head(made(h, torch.ones(h.shape[:2], dtype=torch.bool))[0, -1])
            token = int(logits.masked_fill(~grammar.allowed(said, 30 - len(said)), -torch.inf).argmax())
            if token == 2:
                return said
            said.append(token)

    padded = torch.stack([torch.cat([torch.zeros(5 - len(text), dtype=torch.int64), text]) for text in texts])
    found = greedy(made, made.embed(padded), padded != 0, grammar, 30)
    assert found == [alone(text) for text in texts]


def test_neighbours_on_a_line_are_alike():
    line = on_a_line(50, 32)
    products = line @ line.T
    assert (products.diagonal() - products.diagonal()[0]).abs().max() < 1e-4
    assert (products.diagonal(1) > products.diagonal(5)[:45].mean()).all()
    assert torch.equal(decoder(line=range(5, 20)).embed.weight[5:20], on_a_line(15, 24))
