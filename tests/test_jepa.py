import math

import pytest
import torch

from foretell.augment import to_float
from foretell.capabilities import Predicts, require
from foretell.data import Batch
from foretell.errors import ForetellError
from foretell.method import Method
from foretell.methods import IJEPA, IWM, IJEPAConfig, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.views import Views

ENCODER = ViTConfig(image_size=16, patch_size=4, width=12, depth=2, heads=3)
PREDICTOR = PredictorConfig(width=8, depth=2, heads=2)
CONDITIONING = ["feature", "sequence", "none"]


def ijepa():
    return spread(IJEPA(IJEPAConfig(ENCODER, PREDICTOR)))


def iwm(conditioning="feature"):
    return spread(IWM(IWMConfig(ENCODER, PREDICTOR, conditioning=conditioning)))


def spread(model):
    """Weights larger than at the start and different everywhere, so that nothing is hidden by a zero."""
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return model


def photographs(batch=3, size=16):
    return torch.randint(256, (batch, 3, size, size), dtype=torch.uint8)


def problem(model, batch=3, seed=0):
    return model.views(Batch(pixels=photographs(batch)), torch.Generator().manual_seed(seed))


# The equations once more, a token at a time and independently of the package --------------------------------


def normed(v, layer=None):
    v = (v - v.mean()) / (v.var(correction=0) + (1e-5 if layer is None else 1e-6)).sqrt()
    return v if layer is None else layer.weight * v + layer.bias


def transform(block, tokens, heads):
    D = len(tokens[0])
    d = D // heads
    W, b = block.attn.qkv.weight, block.attn.qkv.bias
    projected = [W @ normed(t, block.norm1) + b for t in tokens]
    out = []
    for token, asking in zip(tokens, projected, strict=True):
        said = []
        for h in range(heads):
            q = asking[h * d : (h + 1) * d]
            scores = [math.exp(q @ p[D + h * d : D + (h + 1) * d] / d**0.5) for p in projected]
            values = [p[2 * D + h * d : 2 * D + (h + 1) * d] for p in projected]
            said.append(sum(s * v for s, v in zip(scores, values, strict=True)) / sum(scores))
        token = token + block.attn.proj.weight @ torch.cat(said) + block.attn.proj.bias
        hidden = block.mlp.fc1.weight @ normed(token, block.norm2) + block.mlp.fc1.bias
        hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
        out.append(token + block.mlp.fc2.weight @ hidden + block.mlp.fc2.bias)
    return out


def position(width, patch):
    pairs = width // 4
    angles = [place * 10000 ** (-i / pairs) for place in (patch % 4, patch // 4) for i in range(pairs)]
    parts = [f(a) for side in (angles[:pairs], angles[pairs:]) for f in (math.sin, math.cos) for a in side]
    return torch.tensor(parts)


def latents(encoder, picture, patches):
    """f(x) at some patches of a 16 × 16 picture in patches of 4 × 4."""
    mean, std = torch.tensor(ENCODER.mean), torch.tensor(ENCODER.std)
    tokens = []
    for patch in patches:
        row, column = 4 * (patch // 4), 4 * (patch % 4)
        pixels = (picture[:, row : row + 4, column : column + 4] - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        embedded = encoder.patch_embed.weight @ pixels.flatten() + encoder.patch_embed.bias
        tokens.append(embedded + position(12, patch))
    for block in encoder.blocks:
        tokens = transform(block, tokens, heads=3)
    return [normed(t, encoder.norm) for t in tokens]


def foretold(predictor, context, seen, asked, action):
    """p(s_x, a) at the asked patches, with IWM's feature conditioning where there is an action."""
    tokens = []
    for patch in asked:
        query = predictor.queries.token + position(8, patch)
        if action is not None:
            first, second, third = (
                predictor.queries.mix[0],
                predictor.queries.mix[2],
                predictor.queries.mix[4],
            )
            hidden = (first.weight @ torch.cat([query, action]) + first.bias).clamp(min=0)
            hidden = (second.weight @ hidden + second.bias).clamp(min=0)
            query = third.weight @ hidden + third.bias
        tokens.append(query)
    for latent, patch in zip(context, seen, strict=True):
        tokens.append(predictor.embed.weight @ latent + predictor.embed.bias + position(8, patch))
    for block in predictor.blocks:
        tokens = transform(block, tokens, heads=2)
    return [predictor.project.weight @ normed(t, predictor.norm) + predictor.project.bias for t in tokens[: len(asked)]]


@torch.no_grad()
def loss_by_hand(model, views, distance):
    errors = []
    for b in range(len(views.context)):
        seen = views.context_index[b].tolist()
        s_x = latents(model.context_encoder, views.context[b], seen)
        s_y = latents(model.target_encoder, views.target[b], range(16))
        for asked in views.target_index[b].tolist():
            action = None if views.action is None else views.action[b]
            said = foretold(model.predictor, s_x, seen, asked, action)
            errors += [distance(p - normed(s_y[j])) for j, p in zip(asked, said, strict=True)]
    return torch.cat(errors).mean().item()


def test_the_loss_of_ijepa_is_its_equation():
    model = ijepa()
    model.target_encoder.blocks[0].mlp.fc1.weight.data.mul_(1.5)  # the two encoders differ
    views = problem(model, batch=2)
    expected = loss_by_hand(model, views, lambda e: torch.where(e.abs() < 1, e**2 / 2, e.abs() - 0.5))
    assert model(views).item() == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_iwm_is_its_equation():
    model = iwm()
    model.target_encoder.blocks[0].mlp.fc1.weight.data.mul_(1.5)
    views = problem(model, batch=2)
    assert views.action.abs().max() > 0
    assert model(views).item() == pytest.approx(loss_by_hand(model, views, torch.square), rel=1e-4)


# Laws -------------------------------------------------------------------------------------------------------


def test_targets_are_layer_normed_and_without_gradient():
    target = ijepa().target(torch.rand(2, 3, 16, 16, requires_grad=True))
    assert not target.requires_grad
    torch.testing.assert_close(target.mean(-1), torch.zeros(2, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(target.var(-1, correction=0), torch.ones(2, 16), atol=1e-3, rtol=0)


def test_the_target_encoder_starts_as_the_context_encoder():
    model = IJEPA(IJEPAConfig(ENCODER, PREDICTOR))
    for slow, fast in zip(model.target_encoder.parameters(), model.context_encoder.parameters(), strict=True):
        assert torch.equal(slow, fast)
        assert slow.data_ptr() != fast.data_ptr()
        assert not slow.requires_grad


@pytest.mark.parametrize("momentum", [0.9, 0.0, 1.0])
def test_the_target_encoder_moves_by_an_exponential_average(momentum):
    model = ijepa()
    slow = [p.clone() for p in model.target_encoder.parameters()]
    fast = [p.clone() for p in model.context_encoder.parameters()]
    model.update_target(momentum)
    for before, towards, after in zip(slow, fast, model.target_encoder.parameters(), strict=True):
        expected = (momentum * before.double() + (1 - momentum) * towards.double()).float()
        torch.testing.assert_close(after, expected, atol=1e-7, rtol=1e-6)
    for before, after in zip(fast, model.context_encoder.parameters(), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("conditioning", CONDITIONING)
def test_gradients_reach_context_encoder_predictor_and_queries_and_not_the_target(conditioning):
    model = iwm(conditioning)
    model(problem(model)).backward()
    for part in (model.context_encoder, model.predictor):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
    assert all(p.grad is None for p in model.target_encoder.parameters())


def test_the_loss_sees_only_the_visible_patches_of_x_and_all_of_y():
    model = ijepa()
    views = problem(model)
    hidden = torch.ones(3, 16, dtype=torch.bool).scatter_(1, views.context_index, False)
    pixels = hidden.view(3, 1, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)

    def with_x(x):
        return Views(x, views.target, views.context_index, views.target_index)

    before = model(views)
    assert torch.equal(model(with_x(torch.where(pixels, 0.5, views.context))), before)
    assert not torch.allclose(model(with_x(torch.where(pixels, views.context, 0.5))), before)


@pytest.mark.parametrize("conditioning", CONDITIONING)
def test_only_a_conditioned_model_imagines_what_an_action_does(conditioning):
    model, x = iwm(conditioning), torch.rand(2, 3, 16, 16)
    null = torch.zeros(2, 7)
    darker = null.clone()
    darker[:, 0] = -0.5
    same = torch.allclose(model.imagine(x, null), model.imagine(x, darker), atol=1e-4)
    assert same == (conditioning == "none")


def test_to_imagine_is_to_predict_every_patch_from_every_patch():
    model, x, action = iwm(), torch.rand(2, 3, 16, 16), torch.rand(2, 7)
    every = torch.arange(16).expand(2, -1)
    expected = model.predict(model.encode(x, every), every, every.unsqueeze(1), action)
    torch.testing.assert_close(model.imagine(x, action), expected[:, 0])
    torch.testing.assert_close(model.imagine(x, action[:1])[0], expected[0, 0])
    torch.testing.assert_close(model.imagine(x, action[:1]), model.imagine(x, action[[0, 0]]))
    with pytest.raises(ForetellError, match="a row of numbers for each of 2"):
        model.imagine(x, action[[0, 1, 0]])


def test_a_prediction_can_be_asked_anywhere_from_any_context():
    model, x = ijepa(), torch.rand(2, 3, 16, 16)
    seen, asked = torch.tensor([[5], [3]]), torch.tensor([[[0, 15]], [[3, 3]]])
    prediction = model.predict(model.encode(x, seen), seen, asked)
    assert prediction.shape == (2, 1, 2, 12)
    torch.testing.assert_close(prediction[1, 0, 0], prediction[1, 0, 1])  # the same question twice


def test_images_of_another_size_are_predicted_on_their_own_grid():
    model, x = ijepa(), torch.rand(2, 3, 16, 24)
    assert model.imagine(x).shape == model.target(x).shape == (2, 24, 12)
    index = torch.arange(24).expand(2, -1)
    views = Views(x, x, index[:, :10], index[:, 10:].unsqueeze(1))
    assert model(views).isfinite()


def test_a_model_built_again_from_its_configuration_takes_its_weights():
    model = iwm("sequence")
    twin = type(model)(model.config)
    twin.load_state_dict(model.state_dict())
    views = problem(model)
    assert torch.equal(model(views), twin(views))


@pytest.mark.parametrize("make", [ijepa, iwm])
def test_autocast_changes_the_loss_by_little(make):
    model = make()
    views = problem(model)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(views)
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(model(views).item(), rel=0.03)


def test_only_a_jepa_passes_for_one():
    model = ijepa()
    assert require(model, Predicts, "finetuning") is model
    with pytest.raises(ForetellError, match=r"finetuning needs a model that predicts patch latents.*; Plain does not"):
        require(Plain(None), Predicts, "finetuning")


def test_a_method_that_says_no_more_than_it_must_is_watched():
    x = torch.rand(2, 3, 2, 2)
    plain = Plain(None)
    plain.update_target(0.9)
    assert plain.measures(x) == {"loss": pytest.approx(x.mean().item())}
    latents = plain.latents(x)
    assert latents.shape == (2, 1, 12)
    torch.testing.assert_close(latents.mean(-1), torch.zeros(2, 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(latents.std(-1, correction=0), torch.ones(2, 1), atol=1e-3, rtol=0)


class Plain(Method):
    """Its features are the pixels."""

    def views(self, images, generator):
        return to_float(images)

    def augmented(self, images, generator):
        return self.views(images, generator)

    def forward(self, views):
        return views.mean()

    def trained(self):
        return {"encoder": torch.nn.Identity()}

    def features(self, x):
        return x.flatten(1)
