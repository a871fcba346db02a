"""SimCLR, VICReg and BYOL: their views, their losses computed by hand, and that they learn."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from foretell import hub, losses
from foretell.augment import Photometric
from foretell.data import Batch
from foretell.errors import ForetellError
from foretell.evaluate import evaluate, features
from foretell.finetune import finetune
from foretell.hub.files import from_config, to_config
from foretell.imagine import actions_of
from foretell.methods import BYOL, METHODS, BYOLConfig, SimCLR, SimCLRConfig, VICReg, VICRegConfig
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import ViTConfig
from foretell.train.loop import TrainConfig, Trainer
from foretell.train.world import World

RESNET, VIT = ResNetConfig(image_size=16, base=4), ViTConfig(16, 4, 24, 1, 3, last_width=36)
SMALL = ProjectorConfig(width=16, out=8)
CONFIGS = [
    SimCLRConfig(RESNET, SMALL),
    VICRegConfig(VIT, replace(SMALL, layers=1)),
    BYOLConfig(RESNET, SMALL),
]
KINDS = {SimCLRConfig: SimCLR, VICRegConfig: VICReg, BYOLConfig: BYOL}
HERE = World(torch.device("cpu"))
each = pytest.mark.parametrize("config", CONFIGS, ids=lambda c: type(c).__name__)


def build(config):
    torch.manual_seed(0)
    return KINDS[type(config)](config)


def photographs(batch=6, size=20):
    return torch.randint(256, (batch, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def problem(model, batch=6, seed=0):
    return model.views(Batch(pixels=photographs(batch)), torch.Generator().manual_seed(seed))


@each
def test_views_are_two_crops_drawn_from_the_generator_alone(config):
    model = build(config)
    one, again, other = problem(model), problem(model), problem(model, seed=1)
    for view in (one.source, one.target):
        assert view.shape == (6, 3, 16, 16)
        assert view.min() >= 0
        assert view.max() <= 1
    assert torch.equal(one.source, again.source)
    assert torch.equal(one.target, again.target)
    assert not torch.equal(one.source, other.source)
    assert not torch.equal(one.source, one.target)


def test_byols_views_are_distorted_differently():
    never = {"jitter_probability": 0.0, "grayscale_probability": 0.0, "blur_probability": 0.0}
    plain = Photometric(**never, solarize_probability=0.0)
    config = replace(CONFIGS[2], augment=plain, augment_other=replace(plain, solarize_probability=1.0))
    white = torch.full((4, 3, 16, 16), 255, dtype=torch.uint8)
    views = build(config).views(Batch(pixels=white), torch.Generator().manual_seed(0))
    assert views.source.min() > 0.99
    assert views.target.max() < 0.01


def test_simclr_embeds_both_views_as_one_batch():
    model = build(CONFIGS[0])
    views = problem(model)
    reference = copy.deepcopy(model)
    h = reference.encoder(torch.cat([views.source, views.target])).mean(1)
    z = reference.projector(h)
    torch.testing.assert_close(model(views), losses.nt_xent(z[:6], z[6:], 0.1))


def test_vicreg_adds_its_three_terms():
    model = build(replace(CONFIGS[1], invariance=2.0, variance=3.0, covariance=5.0))
    views = problem(model)
    z, other = (model.projector(model.encoder(x).mean(1)) for x in (views.source, views.target))
    expected = (
        2 * (z - other).square().mean()
        + 3 * (losses.variance(z) + losses.variance(other)) / 2
        + 5 * (losses.covariance(z) + losses.covariance(other))
    )
    torch.testing.assert_close(model(views), expected)


def test_byol_predicts_each_view_from_the_other():
    model = build(CONFIGS[2])
    nn.init.normal_(model.target_projector[-1].weight)  # the two sides differ, as they do in training
    views, reference = problem(model), copy.deepcopy(model)
    total = 0.0
    for x, y in ((views.source, views.target), (views.target, views.source)):
        q = reference.predictor(reference.projector(reference.encoder(x).mean(1)))
        z = reference.target_projector(reference.target_encoder(y).mean(1))
        total += (nn.functional.normalize(q) - nn.functional.normalize(z)).square().sum(1).mean()
    loss = model(views)
    torch.testing.assert_close(loss, total)
    loss.backward()
    trained = {id(p) for module in model.trained().values() for p in module.parameters()}
    assert all((p.grad is not None) == (id(p) in trained) for p in model.parameters())


def test_byols_target_is_a_moving_average():
    model = build(CONFIGS[2])
    with torch.no_grad():
        for p in [*model.encoder.parameters(), *model.projector.parameters()]:
            p.add_(1)
    before = [p.clone() for p in (*model.target_encoder.parameters(), *model.target_projector.parameters())]
    model.update_target(0.9)
    after = [*model.target_encoder.parameters(), *model.target_projector.parameters()]
    assert all(torch.allclose(a, b + 0.1, atol=1e-6) for a, b in zip(after, before, strict=True))


@each
def test_a_lone_photograph_is_refused(config):
    model = build(config)
    with pytest.raises(ForetellError, match="larger --batch"):
        problem(model, batch=1)
    assert len(problem(model.eval(), batch=1).target) == 1  # LiDAR wants views, and no loss


@each
def test_a_killed_run_resumes_bit_for_bit_and_the_model_loads(tmp_path, config, noise):
    train = TrainConfig(steps=4, batch=8, checkpoint_every=2, log_every=2, monitor_every=2, warmup=0.3)
    whole = build(config)
    Trainer(whole, noise, train, tmp_path / "whole", HERE).run()
    cut = build(config)
    Trainer(cut, noise, replace(train, steps=4), tmp_path / "cut", HERE).run()
    (tmp_path / "cut" / "checkpoints" / "step-00000004.safetensors").unlink()
    again = KINDS[type(config)](config)
    Trainer(again, noise, train, tmp_path / "cut", HERE).run(resume=True)
    assert all(torch.equal(t, again.state_dict()[name]) for name, t in whole.state_dict().items())

    loaded = hub.load(hub.save(whole, tmp_path / "saved"))
    assert loaded.config == config
    assert all(torch.equal(t, loaded.state_dict()[name]) for name, t in whole.state_dict().items())
    half = hub.load(hub.save(whole, tmp_path / "half", dtype=torch.float16))
    assert all(b.dtype == whole.state_dict()[name].dtype for name, b in half.state_dict().items())


@pytest.mark.parametrize("encoder", [ViTConfig(16, 4, 24, 1, 3), replace(RESNET, last_width=32)])
def test_a_saved_configuration_says_which_encoder_it_has(encoder):
    config = SimCLRConfig(encoder, SMALL)
    saved = json.loads(json.dumps(to_config(SimCLR(config))))
    assert from_config(saved).config == config
    saved["model"]["encoder"]["depht"] = 3
    with pytest.raises(ForetellError, match=r"model.encoder.depht is not a field"):
        from_config(saved)
    saved["model"]["encoder"] |= {"image_size": "large"}
    with pytest.raises(ForetellError, match=r"model.encoder.*image_size is 'large'"):
        from_config(saved)


@each
def test_watching_changes_nothing(tmp_path, config, noise):
    models = [build(config), build(config)]
    for every, model in enumerate(models):
        train = TrainConfig(steps=3, batch=8, monitor_every=every)
        Trainer(model, noise, train, tmp_path / str(every), HERE).run()
    alone, watched = (model.state_dict() for model in models)
    assert all(torch.equal(t, watched[name]) for name, t in alone.items())


def test_a_report_leaves_out_what_needs_patches(noise):
    model = build(CONFIGS[0])
    report = evaluate(model, noise, noise.subset(range(10)), progress=False)
    assert report["attentive"] is None
    assert report["mrr"] is None
    assert report["linear"]["value"] > 0
    assert report["lidar"]["of"] == 32
    assert report["sparsity"]["zeros"] >= 0
    assert report["model"].keys() == {"method", "width", "encoder", "projector"}
    assert features(model, noise).shape == (len(noise), 32)


def test_what_needs_a_predictor_says_so(noise):
    model = build(CONFIGS[0])
    with pytest.raises(ForetellError, match="SimCLR does not"):
        finetune(model, noise, noise, progress=False)
    with pytest.raises(ForetellError, match="SimCLR does not"):
        actions_of(model)


@each
def test_one_batch_can_be_learned(config):
    model = build(config)
    views = problem(model, batch=8)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    start = model(views).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = model(views)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.8 * start


def test_processes_together_have_the_gradient_of_one_with_all_photographs(tmp_path):
    torch.multiprocessing.spawn(_process, (tmp_path / "meet",), nprocs=2)


def _process(rank: int, meet: Path) -> None:
    """Every process checks its own: the mean of the processes' gradients is that of the whole batch."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=2)
    try:
        for config in (  # without batch norm, which on a CPU is each process's own
            SimCLRConfig(VIT, replace(SMALL, layers=1)),
            VICRegConfig(VIT, replace(SMALL, layers=1)),
        ):
            model = build(config).double()  # float32 adds in an order that processors choose
            pixels = photographs(8, 16).double() / 255
            views = type(problem(model))(pixels, pixels.flip(-1))
            mine = slice(4 * rank, 4 * rank + 4)
            loss = model(type(views)(views.source[mine], views.target[mine]))
            loss.backward()
            gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
            dist.all_reduce(gradient)

            alone = build(config).double()
            alone.gather = lambda z: z.float()
            expected = alone(views)
            expected.backward()
            torch.testing.assert_close(loss, expected)
            whole = torch.cat([p.grad.flatten() for p in alone.parameters()])
            torch.testing.assert_close(gradient / 2, whole, atol=1e-6, rtol=1e-4)
    finally:
        dist.destroy_process_group()


def test_all_are_registered():
    assert {"simclr", "vicreg", "byol"} <= METHODS.keys()
