"""The mixture against sums by hand, and its special cases."""

import pytest
import torch
from torch.nn import functional as F

from foretell.errors import ForetellError
from foretell.nn.mixture import Mixture, MixtureConfig

K, D, G = 3, 10, 6
SMALL = {"out": 8, "heads": 2, "temperature": 2.0}


def build(by="text", **changes):
    return Mixture(MixtureConfig(by=by, **SMALL | changes), D, G)


def inputs(images=4, captions=5, outputs=K):
    return torch.randn(images, outputs, D), torch.randn(captions, G)


def test_the_paper_by_hand():
    mixture = build()
    h, g = inputs()
    z = torch.zeros(4, 5, 8)
    for i in range(4):
        for j in range(5):
            heads = []
            for m in (slice(0, 4), slice(4, 8)):
                q = mixture.query(g[j])[m]
                logits = torch.stack([q @ mixture.key(h[i, k])[m] / 2.0 for k in range(K)])
                w = logits.softmax(0)
                heads.append(sum(w[k] * mixture.value(h[i, k])[m] for k in range(K)))
            z[i, j] = mixture.project(torch.cat(heads))
    torch.testing.assert_close(mixture(h, g), F.normalize(z, dim=-1))
    t = F.normalize(mixture.project_text(g), dim=-1)
    torch.testing.assert_close(mixture.similarity(h, g), (F.normalize(z, dim=-1) * t).sum(-1))


def test_a_temperature_can_also_be_divided_by_the_root_of_a_heads_width():
    plain, scaled = build(temperature=4.0), build(temperature=2.0, scaled=True)  # √4 = 2
    scaled.load_state_dict(plain.state_dict())
    h, g = inputs()
    torch.testing.assert_close(plain.weights(h, g), scaled.weights(h, g))


def test_zero_logits_are_the_uniform_average():
    text, uniform = build(), build("uniform")
    torch.nn.init.zeros_(text.query.weight)
    uniform.load_state_dict({k: v for k, v in text.state_dict().items() if k in uniform.state_dict()})
    h, g = inputs()
    torch.testing.assert_close(text(h, g), uniform(h, g).expand(-1, 5, -1))
    torch.testing.assert_close(text(h), uniform(h))  # and so is no caption at all


def test_a_high_temperature_comes_near_the_uniform_average_and_a_low_one_chooses():
    h, g = inputs()
    weights = build(temperature=1e6).weights(h, g)
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / K))
    assert build(temperature=1e-6).weights(h, g).amax(-1).min() > 0.999


def test_one_output_is_a_linear_map_whoever_mixes():
    h, g = inputs(outputs=1)
    text = build()
    expected = F.normalize(text.project(text.value(h[:, 0])), dim=-1)
    torch.testing.assert_close(text(h, g), expected.unsqueeze(1).expand(-1, 5, -1))
    for by in ("learned", "uniform", "first"):
        other = build(by)
        other.value.load_state_dict(text.value.state_dict())
        other.project.load_state_dict(text.project.state_dict())
        torch.testing.assert_close(other(h, g)[:, 0], expected)


def test_only_the_first_output_counts():
    mixture = build("first")
    h, g = inputs()
    other = h.clone()
    other[:, 1:] = torch.randn(4, K - 1, D)
    torch.testing.assert_close(mixture(h, g), mixture(other, g))


@pytest.mark.parametrize("by", ["learned", "uniform", "first"])
def test_a_caption_has_no_say_in_the_other_mixtures(by):
    mixture = build(by)
    h, g = inputs()
    assert mixture(h, g).shape == (4, 1, 8)
    torch.testing.assert_close(mixture(h, g), mixture(h))
    assert mixture.similarity(h, g).shape == (4, 5)


def test_weights_are_shares_and_the_order_of_outputs_does_not_matter():
    mixture = build()
    h, g = inputs()
    weights = mixture.weights(h, g)
    assert weights.shape == (4, 5, 2, K)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 5, 2))
    torch.testing.assert_close(mixture(h, g), mixture(h[:, [2, 0, 1]], g))


def test_embeddings_have_length_one():
    h, g = inputs()
    torch.testing.assert_close(build()(h, g).norm(dim=-1), torch.ones(4, 5))
    torch.testing.assert_close(build().embed_text(g).norm(dim=-1), torch.ones(5))


@pytest.mark.parametrize("wrong", [{"heads": 3}, {"temperature": 0.0}, {"out": 0}])
def test_sizes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ForetellError, match="mixture"):
        build(**wrong)
