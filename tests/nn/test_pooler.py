import torch

from foretell.nn.pooler import AttentiveClassifier, AttentivePooler


def pooler(width=6, heads=2):
    torch.manual_seed(0)
    made = AttentivePooler(width, heads)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def test_a_pooler_is_one_query_over_all_latents_then_a_residual_mlp_and_a_norm():
    model, latents = pooler(), torch.randn(2, 5, 6)
    k, v = model.kv(model.norm1(latents)).chunk(2, -1)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        weights = (k[..., part] @ model.query[part] / 3**0.5).softmax(1)
        heads.append((weights.unsqueeze(-1) * v[..., part]).sum(1))
    x = model.query + torch.cat(heads, -1)
    torch.testing.assert_close(model(latents), model.norm(x + model.mlp(model.norm2(x))))


def test_pooling_does_not_depend_on_the_order_of_patches():
    model, latents = pooler(), torch.randn(2, 5, 6)
    torch.testing.assert_close(model(latents[:, torch.randperm(5)]), model(latents))


def test_a_classifier_is_a_pooler_and_a_linear_layer():
    classifier, latents = AttentiveClassifier(6, 2, classes=4), torch.randn(3, 5, 6)
    torch.testing.assert_close(classifier(latents), classifier[1](classifier[0](latents)))
    assert classifier(latents).shape == (3, 4)
    assert classifier[1].bias.abs().max() == 0
