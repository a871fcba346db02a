from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from foretell import losses
from foretell.augment import Photometric
from foretell.errors import ForetellError
from foretell.evaluate import mrr
from foretell.evaluate.measures import mrr as ranking
from foretell.evaluate.measures.mrr import score
from foretell.jepa import JEPA
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.nn.predictor import Predictor, PredictorConfig
from foretell.nn.queries import MaskTokens
from foretell.nn.vit import ViT, ViTConfig

CHANCE = sum(1 / k for k in range(1, 257)) / 256
JITTER = ("brightness", "contrast", "saturation", "hue")
DESTRUCTIVE = ("grayscale", "blur", "solarize")


@dataclass(frozen=True)
class Written(Photometric):
    """Changes nothing but writes a picture's state into its first row, where a latent can be read off."""

    def apply(self, images, theta):
        images = images.clone()
        images[:, 0, 0, : theta.shape[1]] = theta
        return images


@dataclass(frozen=True)
class Toy:
    actions: Written = Written()
    collapsed: bool = False


class Oracle(JEPA):
    """The latents are the state. The predictor makes the share `skill` of the action's change: 0 before training."""

    def __init__(self, config: Toy) -> None:
        encoder = ViT(ViTConfig(image_size=8, patch_size=8, width=4, depth=1, heads=1))
        small = PredictorConfig(width=4, depth=1, heads=1)
        super().__init__(encoder, Predictor(small, 4, MaskTokens(4)), losses.l2, config)
        self.actions = config.actions
        self.skill = 0.0

    def views(self, images, generator):
        raise NotImplementedError

    def encode(self, x, index=None):
        return x[:, 0, 0, :7].unsqueeze(1)

    def target(self, y):
        return 0 * self.encode(y) if self.config.collapsed else self.encode(y)

    def predict(self, s_x, context_index=None, target_index=None, action=None, grid=None):
        reach = torch.tensor([p.high - p.low for p in self.actions.parameters])
        undone = torch.where(action < 0, 0.0, s_x[:, 0])
        destructive = torch.tensor([p.destructive for p in self.actions.parameters])
        done = torch.where(destructive, undone, s_x[:, 0] + action * reach)
        return torch.lerp(s_x[:, 0], done, self.skill)[:, None, None]


def oracle(skill: float, **config) -> Oracle:
    model = Oracle(Toy(**config))
    model.skill = skill
    return model


def rows(report: dict) -> dict[str, dict]:
    return {"all": report, **report["per_action"]}


class TestScore:
    def test_by_hand(self):
        distances = torch.tensor([[3.0, 1.0, 2.0, 4.0], [3.0, 1.0, 2.0, 4.0]])
        torch.testing.assert_close(
            score(distances, torch.tensor([1, 3])), torch.tensor([[1, 1, 1, 1], [1 / 4, 0, 1, 1]])
        )

    def test_ties_are_broken_at_random_in_expectation(self):
        # one is nearer, three are as near: ranks 2, 3 and 4 alike
        distances = torch.tensor([[0.0, 1.0, 1.0, 1.0, 5.0]])
        reciprocal, *hits = score(distances, torch.tensor([2]))[0].tolist()
        assert reciprocal == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
        assert hits == [0, 1, 1]
        assert score(torch.zeros(1, 256), torch.tensor([7]))[0].tolist() == pytest.approx(
            [CHANCE, 1 / 256, 5 / 256, 10 / 256]
        )


class TestOracle:
    def test_is_perfect_in_every_row(self, images):
        found = mrr(oracle(1.0), images(9, 8), images=8, queries=8)
        assert found is not None
        for row in rows(found).values():
            assert (row["value"], row["low"], row["high"]) == (1, 1, 1)
            assert (row["hits@1"], row["hits@5"], row["hits@10"]) == (1, 1, 1)
        assert tuple(found["per_action"]) == JITTER + DESTRUCTIVE
        assert {found["per_action"][name]["direction"] for name in JITTER} == {"clean to jittered"}
        assert {found["per_action"][name]["direction"] for name in DESTRUCTIVE} == {"destroyed to jittered"}

    def test_its_untrained_self_is_at_chance(self, images):
        # asked for every element, a prediction that ignores the action meets every rank once
        found = mrr(oracle(1.0), images(9, 8), images=8, queries=256)
        assert found is not None
        for row in rows(found["untrained"]).values():
            assert row["value"] == pytest.approx(CHANCE, rel=1e-5)
            assert row["chance"] == pytest.approx(CHANCE)
            assert row["hits@10"] == pytest.approx(10 / 256)
            assert row["intervals"]["hits@10"]["chance"] == 10 / 256

    def test_of_a_collapsed_world_is_at_chance(self, images):
        found = mrr(oracle(1.0, collapsed=True), images(3, 8), images=3)
        assert found is not None
        for row in rows(found).values():
            assert row["value"] == pytest.approx(CHANCE, rel=1e-5)

    def test_a_predictor_that_guesses_is_about_chance(self, images):
        class Guesser(Oracle):
            def predict(self, s_x, context_index=None, target_index=None, action=None, grid=None):
                noise = np.random.default_rng(int(action.abs().sum() * 1e4)).normal(size=(len(s_x), 7))
                return torch.from_numpy(noise).float()[:, None, None]

        found = mrr(Guesser(Toy()), images(64, 8), images=64)
        assert found is not None
        assert found["low"] < CHANCE < found["high"]

    def test_half_an_action_is_worth_something_between(self, images):
        found = mrr(oracle(0.8), images(9, 8), images=8)
        assert found is not None
        assert 2 * CHANCE < found["value"] < 1

    def test_batches_do_not_change_the_result(self, images):
        model, some = oracle(0.8), images(5, 8)
        assert mrr(model, some, images=5, batch=7) == mrr(model, some, images=5, batch=1000)

    def test_rows_are_those_the_model_was_trained_on(self, images):
        found = mrr(oracle(1.0, actions=Written(hue=0.0, blur_probability=0.0)), images(2, 8), images=2)
        assert found is not None
        assert tuple(found["per_action"]) == ("brightness", "contrast", "saturation", "grayscale", "solarize")

    def test_counts(self, images):
        found = mrr(oracle(1.0), images(9, 8), images=7, bank=6, queries=20)
        assert found is not None
        assert (found["bank"], found["images"], found["queries"]) == (6, 7, 6)
        assert found["per_action"]["hue"]["images"] == 2  # a quarter, rounded up: a bank of its own
        assert found["per_action"]["blur"]["images"] == 7
        assert found["untrained"]["images"] == 2
        assert found["intervals"]["hits@10"]["chance"] == 1


class TestModels:
    def test_an_untrained_world_model_is_near_chance_and_deterministic(self, images, world_model):
        model, some = world_model(), images(8)
        before = torch.get_rng_state()
        first = mrr(model, some, bank=16, images=8, queries=16, seed=1)
        assert first == mrr(model, some, bank=16, images=8, queries=16, seed=1)
        assert torch.equal(before, torch.get_rng_state())
        assert first != mrr(model, some, bank=16, images=8, queries=16, seed=2)
        assert first is not None
        assert first["value"] == pytest.approx(first["chance"], abs=0.08)
        assert first["chance"] == pytest.approx(0.2113, abs=1e-4)  # H_16 / 16

    def test_distances_are_those_of_whole_latents_in_any_batch(self, images, world_model):
        model, some = world_model(), images(1)
        bank = ranking._draw(model.actions, 1, 16, torch.Generator().manual_seed(0))[0]
        one, asked = bank.at(0, torch.device("cpu")), torch.tensor([3, 9])
        photograph = some.take([0]) / 255
        with torch.no_grad():
            found = ranking._distances({"trained": model}, photograph, one, asked, 5)
            again = ranking._distances({"trained": model}, photograph, one, asked, 64)
            target = model.target(model.actions.apply(photograph.repeat(16, 1, 1, 1), one.elements))
            action = model.actions.action(model.actions.identity(2), one.elements[asked])
            guess = model.imagine(photograph.repeat(2, 1, 1, 1), action)
        expected = (guess.unsqueeze(1) - target).double().square().sum((2, 3))
        torch.testing.assert_close(found["trained", "all"].double(), expected, rtol=1e-5, atol=0)
        for key, distances in found.items():
            torch.testing.assert_close(distances, again[key], rtol=1e-5, atol=0)

    def test_distances_of_near_ties_are_exact(self):
        torch.manual_seed(0)
        a, b = torch.randn(3, 64, 32), torch.randn(5, 64, 32)
        b[0] = a[0] + 1e-4 * torch.randn(64, 32)
        expected = (a.double().unsqueeze(1) - b.double()).square().sum((2, 3))
        torch.testing.assert_close(ranking._squared(a, b).double(), expected, rtol=1e-6, atol=0)

    def test_the_bank_holds_only_jitter_and_the_photograph_never(self):
        actions = replace(Photometric(), jitter_probability=0.0)
        headline, *own = ranking._draw(actions, 4, 32, torch.Generator().manual_seed(0))
        changed = headline.elements != actions.identity(1)
        assert changed[..., :4].all()
        assert not changed[..., 4:].any()
        assert headline.sources["blur"][:, 5].ge(0.1).all()
        for column, bank in enumerate(own):
            changed = bank.elements != actions.identity(1)
            assert changed[..., column].all()
            assert changed.sum() == changed[..., column].sum()

    def test_none_without_actions(self, images):
        config = IJEPAConfig(encoder=ViTConfig(image_size=16, patch_size=4, width=24, depth=1, heads=2))
        assert mrr(IJEPA(config), images(3)) is None


def test_a_predictor_that_official_weights_came_without_is_not_ranked(images, world_model):
    model = world_model()
    model.untrained = "predictor"
    assert mrr(model, images(3)) is None

    def test_refuses_no_photographs_and_a_model_that_diverged(self, images, world_model):
        model = world_model()
        with pytest.raises(ForetellError, match="no photographs"):
            mrr(model, images(3).subset([]))
        model.predictor.norm.weight.data.fill_(float("nan"))
        with pytest.raises(ForetellError, match="not finite"):
            mrr(model, images(3), images=1, bank=4)
