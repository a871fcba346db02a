"""Action spaces: a table of parameters, and its consequences."""

from dataclasses import dataclass, replace

import pytest
import torch

from foretell.actions import ActionSpace, Parameter, PictureActions, Steps
from foretell.augment import OPERATIONS, Photometric
from foretell.errors import ForetellError
from foretell.imagine import imagine, sweep
from foretell.methods import IWM, VJEPAAC, IWMConfig, VJEPAACConfig
from foretell.nn.causal import CausalConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig

VIT, PREDICTOR = ViTConfig(16, 4, 24, 1, 2), PredictorConfig(12, 1, 2)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class Shade(PictureActions):
    """Another action space of pictures: one colour parameter, and one that destroys."""

    @property
    def parameters(self):
        return (
            Parameter("shade", "factor", 0.5, 1.0, 1.0, False, "darken; 1 leaves it"),
            Parameter("flat", "off or on", 0.0, 1.0, 0.0, True, "make it grey", 0.5),
        )

    def draw(self, generator, batch, probability=None):
        theta = self.identity(batch, generator.device)
        theta[:, 0] = 0.5 + 0.5 * torch.rand(batch, generator=generator, device=generator.device)
        return theta

    def destroy(self, generator, states, certain=False):
        theta = states.clone()
        theta[:, 1] = (torch.rand(len(states), generator=generator) < (1.0 if certain else 0.5)).float()
        return theta

    def action(self, source, target):
        return target - source

    def apply(self, images, states):
        shaded = images * states[:, 0].view(-1, 1, 1, 1)
        return torch.where(states[:, 1].view(-1, 1, 1, 1) > 0, 0.5, shaded)


@pytest.mark.parametrize("space", [Photometric(), Shade(), Steps((0.5, 2.0))], ids=lambda s: type(s).__name__)
def test_what_follows_from_the_table_alone(space):
    assert isinstance(space, ActionSpace)
    assert space.names == tuple(p.name for p in space.parameters)
    identity = space.identity(3)
    assert identity.tolist() == [[p.identity for p in space.parameters]] * 3
    assert torch.equal(space.parse({}), identity[:1])
    for column, p in enumerate(space.parameters):
        assert space.find(p.name) == (column, p)
        for value in (p.low, p.high):
            state = space.parse({p.name: value})
            assert state[0, column] == pytest.approx(value)
            others = [c for c in range(len(space.names)) if c != column]
            assert torch.equal(state[:, others], identity[:1, others])
        with pytest.raises(ForetellError, match=rf"{p.name} is .*, but this model learned .*\({p.unit}\)"):
            space.parse({p.name: p.high + 1})
    with pytest.raises(ForetellError, match="'tint' is not a parameter of this model; it has "):
        space.parse({"tint": 0.0})


def test_steps_are_numbers_around_nothing_within_their_limits():
    space = Steps((0.5, 2.0))
    assert not isinstance(space, PictureActions)
    assert space.names == ("action_1", "action_2")
    assert [(p.low, p.high, p.identity) for p in space.parameters] == [(-0.5, 0.5, 0.0), (-2.0, 2.0, 0.0)]


def test_what_a_planner_may_ask_for_is_what_training_has_shown():
    model = VJEPAAC(VJEPAACConfig(VIT, CausalConfig(12, 1, 2), frames=4))
    model.action_limit.copy_(torch.tensor([0.1, 0.3]))
    limits = torch.tensor([p.high for p in model.action_space.parameters])
    assert torch.equal(limits, model.action_limit)  # to the bit: plans stay as they were


def test_draws_are_those_of_before():
    """Written down by the code that named its columns by number."""
    g, augment = chance(7), Photometric()
    states = augment.destroy(g, augment.draw(g, 6))
    gray, blur, solarize, sigma = torch.rand(4, 6, generator=_after_jitter())
    low, high = augment.blur_sigma
    assert torch.equal(states[:, 4], (gray < augment.grayscale_probability).float())
    assert torch.equal(states[:, 5], torch.where(blur < augment.blur_probability, low + (high - low) * sigma, 0.0))
    assert torch.equal(states[:, 6], (solarize < augment.solarize_probability).float())


def _after_jitter():
    g = chance(7)
    torch.rand(6, generator=g)
    for _ in range(4):
        torch.rand(6, generator=g)
    return g


def test_certain_destruction_is_that_of_probabilities_of_one():
    augment = Photometric()
    always = replace(augment, grayscale_probability=1.0, blur_probability=1.0, solarize_probability=1.0)
    clean = augment.identity(5)
    certain = augment.destroy(chance(3), clean, certain=True)
    assert torch.equal(certain, always.destroy(chance(3), clean))
    assert (certain[:, 4:] != clean[:, 4:]).all()
    assert torch.equal(clean, augment.identity(5))  # what was given stays


def test_every_parameter_has_its_operation_and_only_that_one_is_done():
    augment = Photometric(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.4)
    assert set(OPERATIONS) == set(augment.names)
    images = torch.rand(1, 3, 8, 8, generator=chance())
    for p in augment.parameters:
        state = augment.parse({p.name: p.high})
        expected = OPERATIONS[p.name](images, torch.tensor([p.high]))
        torch.testing.assert_close(augment.apply(images, state), expected)
        assert not torch.equal(expected, images)


def test_the_table_says_what_training_draws():
    augment = Photometric(jitter_probability=0.7, grayscale_probability=0.0, blur_probability=0.3)
    table = {p.name: p.probability for p in augment.parameters}
    jitter = dict.fromkeys(("brightness", "contrast", "saturation", "hue"), 0.7)
    assert table == jitter | {"grayscale": 0.0, "blur": 0.3, "solarize": 0.1}


def test_what_destroys_is_done_to_the_source_and_the_rest_is_asked_for():
    source, target = Photometric().split({"brightness": 0.7, "blur": 1.5})
    assert torch.equal(source, Photometric().parse({"blur": 1.5}))
    assert torch.equal(target, Photometric().parse({"brightness": 0.7}))


def test_a_model_of_other_actions_is_asked_by_its_own_table():
    model = IWM(IWMConfig(VIT, PREDICTOR)).eval()
    model.actions = Shade()
    model.predictor.queries = _Ignores(model.predictor.queries, 7)
    image = torch.rand(3, 16, 16, generator=chance())
    found = imagine(model, image, {"shade": 0.6, "flat": 1}, bank=8)
    assert torch.equal(found.source, torch.full_like(image, 0.5))
    torch.testing.assert_close(found.asked, image * 0.6)
    rows = sweep(model, image, bank=16, steps=3)
    assert [one.values["shade"] for one in rows["shade"]] == [0.5, 0.75, 1.0]
    assert list(rows) == ["shade"]


class _Ignores(torch.nn.Module):
    """Queries built for seven numbers, which are told fewer."""

    def __init__(self, own, numbers):
        super().__init__()
        self.own, self.numbers = own, numbers

    def forward(self, position, action):
        return self.own(position, torch.nn.functional.pad(action, (0, self.numbers - action.shape[1])))
