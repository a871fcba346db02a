import torch

from foretell.nn.queries import FeatureConditioned, MaskTokens, SequenceConditioned, TokenPerMask

POSITION = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
ACTION = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))


def test_mask_tokens_are_one_token_and_the_position():
    queries = MaskTokens(8)
    assert torch.equal(queries(POSITION), POSITION + queries.token)
    assert torch.equal(queries(POSITION, ACTION), queries(POSITION))


def test_a_token_a_mask_starts_at_zero_and_is_chosen_by_the_action():
    queries = TokenPerMask(8, 3)
    assert torch.equal(queries(POSITION), POSITION)
    torch.nn.init.normal_(queries.tokens)
    one, other = queries(POSITION, torch.eye(3)[[2, 0]])
    assert torch.equal(one, POSITION[0] + queries.tokens[2])
    assert torch.equal(other, POSITION[1] + queries.tokens[0])
    for untold in (None, torch.zeros(2, 0)):
        assert torch.equal(queries(POSITION, untold), POSITION + queries.tokens[1])
    assert torch.equal(TokenPerMask(8, 1)(POSITION), POSITION)


def test_feature_conditioning_mixes_token_position_and_action_by_three_linear_layers():
    queries = FeatureConditioned(8, 3)
    first, second, third = (layer for layer in queries.mix if isinstance(layer, torch.nn.Linear))
    for b in range(2):
        for i in range(5):
            h = torch.cat([queries.token + POSITION[b, i], ACTION[b]])
            expected = third(second(first(h).relu()).relu())
            torch.testing.assert_close(queries(POSITION, ACTION)[b, i], expected)


def test_sequence_conditioning_adds_a_token_a_parameter_each_by_its_own_map():
    queries = SequenceConditioned(8, 3)
    tokens = queries(POSITION, ACTION)
    assert tokens.shape == (2, 5 + 3, 8)
    assert torch.equal(tokens[:, :5], POSITION + queries.token)
    for b in range(2):
        for p in range(3):
            expected = ACTION[b, p] * queries.weight[p] + queries.bias[p]
            torch.testing.assert_close(tokens[b, 5 + p], expected)
    assert len(queries(POSITION, torch.ones(2, 3))[0, 5:].unique(dim=0)) == 3, "equal values, told apart"
