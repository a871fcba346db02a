"""Every recipe, and every use of its models, on a GPU that is not there (`tests.faked`)."""

from dataclasses import replace

import pytest
import torch
from tests.faked import GPU, faked, on_gpu
from torch._subclasses.fake_tensor import DataDependentOutputException

from foretell.chance import there
from foretell.data import Batch, Captions, Clips, Photographs
from foretell.data.columns import several_texts, tensor
from foretell.evaluate import MRR, evaluate
from foretell.evaluate.encode import augmented
from foretell.evaluate.measures.rankme import RankMe
from foretell.imagine import imagine, uncertainty
from foretell.methods import (
    IWM,
    VJEPA,
    VJEPAAC,
    IWMConfig,
    LatentDecoder,
    LatentDecoderConfig,
    VJEPAACConfig,
    VJEPAConfig,
)
from foretell.nn.causal import CausalConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.stochastic import PositionNoise
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.plan import CEM, plan
from foretell.recipes import RECIPES
from foretell.surprise import surprise
from foretell.train.cost import skeleton
from foretell.train.loop import TrainConfig, Trainer
from foretell.train.monitors import Monitors
from foretell.train.world import World

SEEN = {name: recipe for name, recipe in RECIPES.items() if isinstance(recipe().model.reads, Photographs | Clips)}
"""Recipes that learn from pictures or clips alone."""
ALIKE = (
    "vitb16",
    "vitl16",
    "vith16",
    "vitg-384",
    "wide",
    "muon",
    "mini-pixels",
    "deep-pixels",
    "inv-12x384",
    "equi-36x512",
)
"""Parts of the names of those that differ from others in size alone."""
SEEN = {
    name: recipe for name, recipe in SEEN.items() if not recipe().encoder and not any(part in name for part in ALIKE)
}


def batch(reads, count=2):
    """Black pictures or clips on the GPU."""
    frames = (reads.frames,) if isinstance(reads, Clips) else ()
    pixels = torch.zeros(count, 3, *frames, reads.size, reads.size, dtype=torch.uint8, device=GPU)
    if isinstance(reads, Captions):
        return Batch(pixels=pixels, captions=tensor(several_texts([[f"{n} dogs", f"dogs: {n}"] for n in range(count)])))
    return Batch(pixels=pixels)


def test_a_generator_of_another_device_and_a_number_that_is_waited_for_are_found():
    with faked() as counting:
        with pytest.raises(AssertionError, match="rand on cuda by one of cpu"):
            torch.rand(2, generator=torch.Generator(), device=GPU)
        with pytest.raises(DataDependentOutputException):
            torch.zeros(2, device=GPU).sum().item()
        with pytest.raises(RuntimeError, match="device"):
            torch.zeros(2, device=GPU) + torch.zeros(2)
        assert there(torch.Generator(GPU), GPU).device == GPU
        assert counting.waits == ["aten::_local_scalar_dense"]


def test_answers_are_ones_and_counted():
    with faked(answers=True) as counting:
        far, near = torch.zeros(2, device=GPU), torch.zeros(2)
        assert far.sum().item() == 1
        assert far.cpu().tolist() == [1, 1]
        near[:1] = far[:1].cpu()
        assert near.tolist() == [1, 0]
        assert len(counting.waits) == 3


def shallow(config):
    """The same with two blocks in each transformer: the others do what these do."""
    parts = {name: getattr(config, name) for name in ("encoder", "predictor", "text") if hasattr(config, name)}
    return replace(config, **{name: replace(part, depth=2) for name, part in parts.items() if hasattr(part, "heads")})


@pytest.mark.parametrize("name", SEEN)
def test_a_step_of_every_recipe_stays_on_its_gpu_and_is_never_waited_for(name):
    config = shallow(SEEN[name]().model)
    model = skeleton(config)  # holds no numbers, however large it is
    with faked() as counting:
        loss = on_gpu(model)(model.views(batch(config.reads), torch.Generator()))
    assert (loss.device.type, loss.shape) == ("cuda", ())
    assert counting.waits == []


SMALL, NARROW = ViTConfig(16, 4, 32, 2, 2), PredictorConfig(16, 2, 2)
FILM = VideoViTConfig(16, 4, 32, 2, 2, frames=8)


def test_evaluation_and_monitors_of_a_world_model_on_a_gpu(noise):
    model = IWM(IWMConfig(SMALL, NARROW))
    with faked(answers=True):
        model = on_gpu(model)
        measures = (RankMe(), MRR(images=4, bank=8, queries=2))
        found = evaluate(model, noise, noise, measures=measures, controls=False, progress=False)
        views = augmented(model, noise, objects=4, views=2)
        measures = Monitors(noise, seed=0, samples=16, problems=4).measure(model, GPU)
    assert all(found[name] for name in ("rankme", "mrr"))
    assert views.device.type == "cpu"
    assert {"loss", "constant", "copy", "spread", "rankme", "knn"} <= measures.keys()


def test_changes_are_imagined_on_a_gpu():
    noisy = replace(NARROW, noise=PositionNoise(0.25))
    with faked(answers=True):
        model = on_gpu(IWM(IWMConfig(SMALL, noisy)))
        picture = torch.zeros(3, 16, 16, dtype=torch.uint8)
        one = imagine(model, picture, {"brightness": 0.7}, bank=8)
        unsure = uncertainty(model, picture, contexts=2, draws=3)
    assert one.prediction.shape == (16, 32)
    assert {each.device.type for each in (one.bank, one.distances, one.prediction)} == {"cpu"}
    assert len(unsure) == 2


def test_surprise_on_a_gpu():
    with faked(answers=True):
        model = on_gpu(VJEPA(VJEPAConfig(FILM, NARROW)))
        found = surprise(model, torch.zeros(2, 3, 12, 16, 16, dtype=torch.uint8), stride=2)
    assert found.relative().shape == (2,)


def episodes(frames):
    """A batch on the GPU."""
    values = torch.zeros(2, frames - 1, 2, device=GPU)
    return Batch(pixels=torch.zeros(2, 3, frames, 16, 16, dtype=torch.uint8, device=GPU), states=values, actions=values)


def test_actions_are_learned_and_planned_on_a_gpu():
    config = VJEPAACConfig(SMALL, CausalConfig(width=16, depth=2, heads=2), frames=4)
    black = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with faked() as counting:
        model = on_gpu(VJEPAAC(config))
        assert model(model.views(episodes(4), torch.Generator())).device.type == "cuda"
    assert counting.waits == []
    with faked(answers=True):
        found = plan(on_gpu(VJEPAAC(config)), black, black, torch.zeros(1, 2), CEM(samples=8, elites=2, horizon=2))
    assert found.actions.shape == (1, 2, 2)


def test_a_decoder_learns_and_draws_on_a_gpu():
    world = VJEPA(VJEPAConfig(FILM, NARROW))
    decoder = LatentDecoder.begin(LatentDecoderConfig(width=16), world)
    with faked() as counting:
        on_gpu(world)
        model = on_gpu(decoder)
        problem = model.views(batch(world.config.reads), torch.Generator())
        assert model(problem).device.type == "cuda"
        assert model.decode(problem.latents).device.type == "cuda"
    assert counting.waits == []


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_cpu_waits_for_a_gpu_at_log_lines_alone(optimizer, noise, tmp_path):
    config = TrainConfig(steps=8, batch=4, log_every=4, monitor_every=0, precision="fp32", optimizer=optimizer)
    with faked(answers=True) as counting:
        trainer = Trainer(IWM(IWMConfig(SMALL, NARROW)), noise, config, tmp_path, World(GPU))
        before = [str(p.device) for p in trainer.model.parameters()]
        counting.waits.clear()
        for step in range(8):
            trainer.step(step)
        assert counting.waits == []
    assert set(before) == {"cuda:0"}
