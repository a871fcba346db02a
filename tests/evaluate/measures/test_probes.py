import numpy as np
import pytest
import torch

from foretell.augment import to_float
from foretell.errors import ForetellError
from foretell.evaluate import attentive_probe, augmented, encode, features, knn, latents, linear_probe
from foretell.evaluate.measures import linear
from foretell.nn.vit import pool


def blobs(n: int, seed: int, classes: int = 3, width: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Well separated Gaussian blobs, on the axes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    return 6 * torch.eye(width)[labels] + torch.randn(n, width, generator=generator), labels


def crossed(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The class is whether two signs agree: no line divides it, neighbours do."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(2, (n, 2), generator=generator)
    noise = 0.1 * torch.randn(n, 2, generator=generator)
    return 2 * signs.float() - 1 + noise, (signs[:, 0] == signs[:, 1]).long()


class TestEncode:
    def test_pools_the_target_encoder(self, images, world_model):
        model, some = world_model(), images(11)
        model.context_encoder.norm.bias.data += 1  # so that the two encoders differ
        whole = to_float(some.take(range(11)))
        with torch.no_grad():
            target, context = model.target_encoder(whole), model.context_encoder(whole)
        torch.testing.assert_close(features(model, some, batch=4), pool(target))
        torch.testing.assert_close(encode(model, some, keep=0, network=model.context_encoder).features, pool(context))
        torch.testing.assert_close(latents(model, some, batch=4), target.half(), atol=2e-3, rtol=2e-3)

    def test_keeps_a_random_part(self, images, world_model):
        model, some = world_model(), images(50)
        everything, part = encode(model, some, batch=8), encode(model, some, keep=9, batch=8, seed=3)
        assert part.latents.shape == (9, 16, 24)
        assert (part.index.diff() > 0).all()
        assert part.index.tolist() != encode(model, some, keep=9, seed=4).index.tolist()
        torch.testing.assert_close(part.features, everything.features)
        torch.testing.assert_close(part.latents, everything.latents[part.index])

    def test_leaves_the_model_as_it_was(self, images, world_model):
        model = world_model().train()
        model.target_encoder.eval()
        features(model, images(3))
        assert model.training
        assert model.context_encoder.blocks[0].training
        assert not model.target_encoder.training

    def test_what_it_returns_can_be_trained_on(self, images, world_model):
        layer = torch.nn.Linear(24, 2)
        layer(features(world_model(), images(3))).sum().backward()
        assert layer.weight.grad is not None

    def test_refuses_a_model_that_diverged(self, images, world_model):
        model = world_model()
        model.target_encoder.norm.weight.data.fill_(float("nan"))
        with pytest.raises(ForetellError, match="encoder gives latents that are not finite"):
            features(model, images(3))

    def test_refuses_no_images(self, images, world_model):
        with pytest.raises(ForetellError, match="no images"):
            features(world_model(), images(3).subset([]))

    def test_augmented_views(self, images, world_model):
        model, some = world_model(), images(20)
        made = augmented(model, some, objects=6, views=4)
        assert made.shape == (6, 4, 24)
        assert (made.std(1) > 0).any()
        torch.testing.assert_close(made, augmented(model, some, objects=6, views=4), rtol=0, atol=0)


class TestNearestNeighbours:
    def test_separable(self):
        assert knn(*blobs(90, 0), *blobs(60, 1)).all()

    def test_near_ones_count_more(self):
        # cosines 1, 0.8 and 0.8: weights 1 against 2·exp(−0.2/0.07) = 0.11
        train = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6]])
        labels = torch.tensor([0, 1, 1])
        asked, right = torch.tensor([[5.0, 0.0]]), torch.tensor([0])
        assert knn(train, labels, asked, right, k=3).all()
        assert not knn(train, labels, asked, right, k=3, temperature=10).any()

    def test_agrees_with_a_loop(self):
        (x, y), (asked, right) = blobs(40, 2), blobs(25, 3)
        x, asked = x + 3 * torch.randn(40, 6), asked + 3 * torch.randn(25, 6)
        for found, a, label in zip(knn(x, y, asked, right, k=7), asked, right, strict=True):
            cosine = torch.cosine_similarity(x, a.unsqueeze(0))
            votes = torch.zeros(3)
            for i in cosine.argsort(descending=True)[:7]:
                votes[y[i]] += (cosine[i] / 0.07).exp()
            assert bool(found) == (int(votes.argmax()) == int(label))

    def test_fewer_images_than_neighbours_and_an_unknown_class(self):
        correct = knn(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), torch.tensor([0, 2]))
        assert correct.tolist() == [True, False]


class TestLinear:
    def test_separable(self):
        assert linear_probe(*blobs(90, 0), *blobs(60, 1)).all()

    def test_only_what_a_line_divides(self):
        train, test = crossed(400, 0), crossed(400, 1)
        assert knn(*train, *test).float().mean() > 0.99
        assert linear_probe(*train, *test).float().mean() < 0.8

    def test_does_not_depend_on_the_features_scale(self):
        (x, y), (asked, right) = blobs(90, 0), blobs(60, 1)
        noise = 4 * torch.randn(150, 6, generator=torch.Generator().manual_seed(2))
        x, asked, scale = x + noise[:90], asked + noise[90:], 2.0 ** torch.arange(-20, 21, 8)
        shifted = linear_probe(x * scale + 64 * scale, y, asked * scale + 64 * scale, right)
        assert torch.equal(linear_probe(x, y, asked, right), shifted)

    def test_reaches_the_best_error_on_known_gaussians(self):
        # two unit Gaussians 2 apart: the best classifier is linear and right with probability Φ(1) = 0.841
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(6000) % 2
        x = torch.randn(6000, 10, generator=generator)
        x[:, 0] += 2 * y - 1
        correct = linear_probe(x[:3000], y[:3000], x[3000:], y[3000:])
        assert correct.float().mean() == pytest.approx(0.841, abs=0.02)

    def test_the_solver_stands_where_the_gradient_is_zero(self):
        x, y = blobs(60, 0)
        weight = linear._logistic(x, y, 0.1, torch.zeros(7, 3)).requires_grad_()
        loss = torch.nn.functional.cross_entropy(x @ weight[:-1] + weight[-1], y)
        (loss + 0.05 * weight[:-1].square().sum()).backward()
        assert weight.grad is not None
        assert weight.grad.abs().max() < 1e-4

    def test_a_constant_channel_is_no_harm(self):
        (x, y), (asked, right) = blobs(90, 0), blobs(60, 1)
        x[:, 5] = asked[:, 5] = 1
        assert linear_probe(x, y, asked, right).all()


class TestAttentive:
    def test_sees_what_the_mean_over_patches_hides(self):
        def opposites(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
            """Two of four patches carry ±v, and v says the class: their mean is zero."""
            random = np.random.default_rng(seed)
            labels = torch.arange(n) % 2
            z = torch.zeros(n, 4, 8)
            for i in range(n):
                up, down = random.choice(4, 2, replace=False)
                z[i, up, labels[i]], z[i, down, labels[i]] = 2, -2
            return z.half(), labels

        train, test = opposites(256, 0), opposites(128, 1)
        before = torch.get_rng_state()
        correct = attentive_probe(*train, *test, heads=2)
        assert correct.float().mean() > 0.95
        assert torch.equal(before, torch.get_rng_state())
        assert torch.equal(correct, attentive_probe(*train, *test, heads=2))
        assert pool(train[0].float()).abs().max() == 0
