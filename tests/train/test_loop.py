"""The promises of a run: the same steps after every interruption, and no silent failure."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from foretell.errors import ForetellError
from foretell.evaluate.spread import Spread, spread
from foretell.jepa import nearest_visible
from foretell.methods import IJEPA, IWM, METHODS, IJEPAConfig
from foretell.nn.vit import ViT
from foretell.train import checkpoint
from foretell.train.loop import TrainConfig, Trainer, batch_index, generator, precision, read, schedule
from foretell.train.monitors import Collapsed, Monitors
from foretell.train.world import World
from foretell.views import take

from .conftest import TINY
from .sharded import RUNS

HERE = World(torch.device("cpu"))
SHORT = TrainConfig(steps=6, batch=8, checkpoint_every=2, log_every=1, monitor_every=3, warmup=0.3)


def weights(model):
    return {name: t.clone() for name, t in model.state_dict().items()}


def fresh():
    torch.manual_seed(0)
    return IWM(TINY)


class Killed(BaseException):
    """Like a kill -9: no code catches it."""


def interrupted(trainer, at):
    """Make a trainer die in the middle of step `at`, after the optimiser has moved the weights."""
    step = trainer.step

    def dying(number, batches):
        loss = step(number, batches)
        if number == at:
            raise Killed
        return loss

    trainer.step = dying
    return trainer


@pytest.mark.parametrize(
    "config",
    [SHORT, replace(SHORT, accumulate=2, clip=1.0), replace(SHORT, optimizer="muon")],
    ids=["plain", "accumulated", "muon"],
)
def test_resumed_weights_are_bit_for_bit_those_of_an_uninterrupted_run(tmp_path, images, config):
    whole = fresh()
    Trainer(whole, images, config, tmp_path / "whole", HERE).run()

    with pytest.raises(Killed):
        interrupted(Trainer(fresh(), images, config, tmp_path / "cut", HERE), at=4).run()
    again = IWM(TINY)  # other initial weights: everything must come from the checkpoint
    trainer = Trainer(again, images, config, tmp_path / "cut", HERE)
    trainer.run(resume=True)

    assert all(torch.equal(t, weights(again)[name]) for name, t in weights(whole).items())
    before, after = (read(tmp_path / run / "metrics.jsonl") for run in ("whole", "cut"))
    assert [(line["step"], line.get("loss")) for line in after] == [(line["step"], line.get("loss")) for line in before]


def test_watching_changes_nothing(tmp_path, images):
    watched, alone = fresh(), fresh()
    Trainer(watched, images, replace(SHORT, monitor_every=1), tmp_path / "a", HERE).run()
    Trainer(alone, images, replace(SHORT, monitor_every=0), tmp_path / "b", HERE).run()
    assert all(torch.equal(t, weights(alone)[name]) for name, t in weights(watched).items())


def test_a_damaged_checkpoint_is_passed_over(tmp_path, images):
    Trainer(fresh(), images, SHORT, tmp_path, HERE).run()
    newest = sorted((tmp_path / "checkpoints").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-1000])
    model = fresh()
    start, damaged = checkpoint.resume(
        tmp_path / "checkpoints", model, Trainer(model, images, SHORT, tmp_path, HERE).optimizer, HERE
    )
    assert start == 4
    assert len(damaged) == 1
    assert newest.name in damaged[0]


def spoil(trainer, at):
    """Make a weight NaN after step `at`, as one absurd step does; the losses up to there are finite."""
    step = trainer.step

    def spoiling(number, batches):
        loss = step(number, batches)
        if number == at:
            trainer.model.predictor.project.bias.data[0] = float("nan")
        return loss

    trainer.step = spoiling
    return trainer


def checkpoints(out):
    return [int(path.stem.removeprefix("step-")) for path in sorted((out / "checkpoints").iterdir())]


@pytest.mark.parametrize("at", [3, 4, 5])
def test_weights_that_are_not_numbers_never_push_out_good_ones(tmp_path, images, at):
    """Checkpoints come oftener than lines of the log, so that nobody looks at the loss before they are saved."""
    config = replace(SHORT, steps=9, checkpoint_every=1, log_every=9, monitor_every=0)
    with pytest.raises(ForetellError, match=rf"project\.bias at step {at + 1}, expected finite numbers, so it was not"):
        spoil(Trainer(fresh(), images, config, tmp_path, HERE), at).run()
    assert checkpoints(tmp_path) == [at - 1, at]


def test_checkpoints_that_are_not_numbers_are_passed_over_and_do_not_push_out_good_ones(tmp_path, images):
    """An earlier version wrote such: at 5 and 6 here, after a good one at 2, whose weights a resumed run takes."""
    Trainer(fresh(), images, replace(SHORT, steps=2, monitor_every=0), tmp_path, HERE).run()
    folder = tmp_path / "checkpoints"
    tensors = load_file(folder / "step-00000002.safetensors")
    for step in (5, 6):
        odd = {name: t.double().mul(float("inf")).to(t.dtype) for name, t in tensors.items()}
        save_file(odd, folder / f"step-{step:08d}.safetensors", {"step": str(step)})
    model = fresh()
    trainer = Trainer(model, images, replace(SHORT, monitor_every=0), tmp_path, HERE)
    start, passed = checkpoint.resume(folder, model, trainer.optimizer, HERE)
    assert start == 2
    assert [sentence.partition(" holds ")[0][-20:] for sentence in passed] == [
        "00000006.safetensors",
        "00000005.safetensors",
    ]
    checkpoint.save(folder, 3, model, trainer.optimizer, HERE)
    assert checkpoints(tmp_path) == [2, 3]


def test_only_the_newest_checkpoints_are_kept(tmp_path, images):
    Trainer(fresh(), images, SHORT, tmp_path, HERE).run()
    assert [p.name for p in sorted((tmp_path / "checkpoints").iterdir())] == [
        "step-00000004.safetensors",
        "step-00000006.safetensors",
    ]


def test_a_loss_that_is_not_a_number_ends_the_run(tmp_path, images):
    model = fresh()
    model.predictor.project.bias.data[0] = float("nan")
    with pytest.raises(ForetellError, match="loss became nan at step 1"):
        Trainer(model, images, SHORT, tmp_path, HERE).run()


def test_a_collapsed_run_ends_with_an_explanation(tmp_path, images):
    model = fresh()
    for encoder in (model.context_encoder, model.target_encoder):
        encoder.patch_embed.weight.data.zero_()  # sees nothing: the latent is the position's alone
    with pytest.raises(Collapsed, match="lower --lr"):
        Trainer(model, images, replace(SHORT, steps=6, monitor_every=1, lr=1e-9, lr_start=1e-9), tmp_path, HERE).run()


def test_all_processes_come_to_the_same_verdict(tmp_path, images, monkeypatch):
    """Each measures by itself; where kernels are not exact one may find a spread above the line, another below it."""
    measured = iter([0.019, 0.5] * 2)
    monkeypatch.setattr(Monitors, "measure", lambda *_: {"loss": 1.0, "spread": next(measured)})
    monkeypatch.setattr(World, "mean", lambda self, value: torch.full_like(value, 0.01))
    with pytest.raises(Collapsed, match=r"spread of 0\.0100"):
        Trainer(fresh(), images, replace(SHORT, monitor_every=1), tmp_path, HERE).run()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_loss_falls(tmp_path, images, optimizer):
    config = replace(SHORT, steps=60, monitor_every=0, momentum=0.99, optimizer=optimizer)
    Trainer(fresh(), images, config, tmp_path, HERE).run()
    losses = [line["loss"] for line in read(tmp_path / "metrics.jsonl")]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


@given(samples=st.integers(1, 50), batch=st.integers(1, 120), seed=st.integers(0, 9))
def test_every_photograph_is_seen_once_an_epoch(samples, batch, seed):
    seen = torch.cat([batch_index(step, samples, batch, seed) for step in range(-(-3 * samples // batch))])
    for epoch in range(3):
        assert sorted(seen[epoch * samples : (epoch + 1) * samples].tolist()) == list(range(samples))


def test_chance_depends_on_seed_step_and_part_only():
    def draw(*numbers):
        return torch.rand(3, generator=generator(*numbers)).tolist()

    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({tuple(draw(*n)) for n in [(1, 2, 3), (0, 2, 3), (1, 0, 3), (1, 2, 0), (2, 1, 3)]}) == 5


def test_schedules_start_peak_and_end_where_they_should():
    config = TrainConfig(steps=100, warmup=0.1, lr=1.0, lr_start=0.1, lr_end=0.0, momentum=0.9)
    assert schedule(config, 0)["lr"] == pytest.approx(0.1)
    assert schedule(config, 10)["lr"] == pytest.approx(1.0)
    assert schedule(config, 55)["lr"] == pytest.approx(0.5)
    assert schedule(config, 100) == pytest.approx({"lr": 0.0, "weight_decay": 0.4, "momentum": 1.0})
    assert schedule(config, 50)["momentum"] == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("field", "value"), [("steps", 0), ("batch", 0), ("accumulate", 3), ("momentum", 1.5), ("log_every", 0)]
)
def test_settings_that_cannot_be_are_refused(field, value):
    with pytest.raises(ForetellError, match=field):
        TrainConfig(**{field: value})


def test_precision_is_what_was_asked_for():
    assert precision("fp32", torch.device("cpu")) == torch.float32
    assert precision("bf16", torch.device("cpu")) == torch.bfloat16


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_bf16_trains(tmp_path, images, optimizer):
    Trainer(fresh(), images, replace(SHORT, precision="bf16", optimizer=optimizer), tmp_path, HERE).run()
    assert len(read(tmp_path / "metrics.jsonl")) == 8


def test_tensorboard_files_are_written_where_asked_for(tmp_path, images):
    Trainer(fresh(), images, replace(SHORT, tensorboard=True), tmp_path, HERE).run()
    assert list((tmp_path / "tensorboard").iterdir())


def test_measures_are_what_they_say(images):
    model = fresh()
    measures = Monitors(images, seed=0).measure(model, HERE.device)
    assert measures.keys() == {"loss", "constant", "copy", "spread", "rankme", "knn"}
    assert 0 <= measures["knn"] <= 1
    assert json.dumps(measures)
    unlabelled = replace(images, labels=None)
    assert "knn" not in Monitors(unlabelled, seed=0).measure(model, HERE.device)


@pytest.mark.parametrize(("config", "data"), RUNS)
def test_a_look_takes_no_more_at_a_time_than_training_and_sees_the_same(config, data):
    model = next(kind for kind, schema in METHODS.values() if type(config) is schema)(config)
    monitors = Monitors(data, seed=0)
    expected = monitors.measure(model, HERE.device)
    taken = []
    for encoder in (module for module in model.children() if isinstance(module, ViT)):
        encoder.blocks[0].register_forward_pre_hook(lambda _, args: taken.append(len(args[0])))
    assert monitors.measure(model, HERE.device, part=3) == pytest.approx(expected, rel=1e-4)
    assert max(taken) == 3
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_look_computes_in_the_type_of_training(tmp_path, images):
    model, types = fresh(), set()
    model.target_encoder.blocks[0].attn.proj.register_forward_hook(lambda *call: types.add(call[2].dtype))
    Trainer(model, images, replace(SHORT, steps=1, precision="bf16"), tmp_path, HERE).run()
    assert types == {torch.bfloat16}


def test_the_spread_of_parts_is_that_of_the_whole():
    latents = torch.randn(50, 3, 4) * 0.1 + 5
    parted, same = Spread(), Spread()
    for part in latents.split(7):
        parted.add(part)
        same.add(latents[:1].expand(len(part), -1, -1))
    assert parted.value == pytest.approx(spread(latents), rel=1e-4)
    assert same.value < 1e-6


def test_copying_takes_the_nearest_visible_patch(images):
    model = IJEPA(IJEPAConfig(TINY.encoder, TINY.predictor))
    views = model.views(images.batch(range(4)), torch.Generator().manual_seed(0))
    copied = nearest_visible(model, views)
    s_x = model.target(views.context)
    for b in range(4):
        for at, block in enumerate(views.target_index[b]):
            for row, asked in enumerate(block.tolist()):
                gaps = [
                    ((asked // 4 - seen // 4) ** 2 + (asked % 4 - seen % 4) ** 2)
                    for seen in views.context_index[b].tolist()
                ]
                nearest = {views.context_index[b][k].item() for k, gap in enumerate(gaps) if gap == min(gaps)}
                assert any(torch.equal(copied[b, at, row], s_x[b, seen]) for seen in nearest)
    assert copied.shape == take(s_x, views.target_index).shape
