import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from foretell import hub
from foretell.cli import main
from foretell.data import Batch, Episodes, Images
from foretell.errors import ForetellError
from foretell.hub.files import from_config, to_config
from foretell.methods import (
    IJEPA,
    VJEPA,
    VJEPAAC,
    IJEPAConfig,
    SimCLR,
    SimCLRConfig,
    VICReg,
    VICRegConfig,
    VJEPAACConfig,
    VJEPAConfig,
)
from foretell.methods.vjepa_ac import encoder_of
from foretell.nn.causal import CausalConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig

IMAGE = ViTConfig(image_size=16, patch_size=8, width=12, depth=1, heads=3)
VIDEO = VideoViTConfig(image_size=16, patch_size=8, width=12, depth=1, heads=3, frames=4, tubelet=2)
CONFIG = VJEPAACConfig(encoder=IMAGE, predictor=CausalConfig(12, 2, 3), frames=5)


def model(config=CONFIG):
    torch.manual_seed(0)
    return VJEPAAC(config)


def moves(clips=3, frames=5, states=2, actions=2):
    g = torch.Generator().manual_seed(0)
    return Batch(
        pixels=torch.randint(256, (clips, 3, frames, 16, 16), dtype=torch.uint8, generator=g),
        states=torch.randn(clips, frames - 1, states, generator=g),
        actions=torch.randn(clips, frames - 1, actions, generator=g),
    )


def episodes(clips=6, states=("state_x", "state_y"), actions=("action_x", "action_y")):
    made = moves(clips, states=len(states), actions=len(actions))
    pixels = made.pixels.transpose(1, 2).contiguous().numpy()
    told = {"states": made["states"].numpy(), "actions": made["actions"].numpy()}
    return Episodes(pixels, None, (), (), "", **told, state_names=states, action_names=actions)


@torch.no_grad()
def test_frames_are_encoded_alone_and_layer_normed():
    for config in (IMAGE, VIDEO):
        m = model(VJEPAACConfig(encoder=config, frames=5))
        x = moves().pixels.float() / 255
        z = m.target(x)
        assert z.shape == (3, 5, 4, 12)
        frame = x[1:2, :, 3]
        alone = m.encoder(frame.unsqueeze(2).repeat(1, 1, 2, 1, 1) if config is VIDEO else frame)
        torch.testing.assert_close(z[1, 3], F.layer_norm(alone[0], (12,)))


@torch.no_grad()
def test_the_loss_is_teacher_forcing_and_a_rollout_of_two_steps():
    """Both terms written out: each step is predicted separately, only from the steps before it."""
    m, told = model(), moves()
    z, s, a = m.target(told.pixels.float() / 255), told["states"], told["actions"]

    def p(latents, states, actions):
        return F.layer_norm(m.predictor(latents, actions, states, (2, 2)), (12,))[:, -1]

    teacher = torch.stack([(p(z[:, :k], s[:, :k], a[:, :k]) - z[:, k]).abs().mean() for k in range(1, 5)]).mean()
    first = p(z[:, :1], s[:, :1], a[:, :1])
    states = torch.stack([s[:, 0], s[:, 0] + a[:, 0]], 1)
    second = p(torch.stack([z[:, 0], first], 1), states, a[:, :2])
    torch.testing.assert_close(m.rollout(z[:, 0], s[:, 0], a[:, :2]), torch.stack([first, second], 1))
    rollout = (second - z[:, 2]).abs().mean()
    views = m.views(told, torch.Generator())
    torch.testing.assert_close(m(views), teacher + rollout)
    told = m.measures(views)
    assert told["loss"] == pytest.approx((teacher + rollout).item(), rel=1e-5)
    assert told["teacher"] == pytest.approx(teacher.item(), rel=1e-5)
    assert told["copy"] == pytest.approx((z[:, 1:] - z[:, :-1]).abs().mean().item(), rel=1e-5)
    assert told["copy_rollout"] == pytest.approx((z[:, 2] - z[:, 0]).abs().mean().item(), rel=1e-5)
    alone = model(VJEPAACConfig(encoder=IMAGE, predictor=CONFIG.predictor, frames=5, rollout=1))
    torch.testing.assert_close(alone(views), teacher)


def test_only_the_predictor_learns():
    m = model()
    m(m.views(moves(), torch.Generator())).backward()
    assert all(p.grad is None and not p.requires_grad for p in m.encoder.parameters())
    assert all(p.grad is not None for p in m.predictor.parameters())


@torch.no_grad()
def test_the_units_of_states_and_actions_do_not_matter():
    metres, millimetres = episodes(), episodes()
    for steps in (millimetres.states, millimetres.actions):
        np.multiply(steps, 1000, out=steps)
    found = []
    for data in (metres, millimetres):
        m = model()
        m.prepare(data)
        found.append(m(m.views(data.batch([0, 1]), torch.Generator())))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)
    assert torch.equal(m.action_limit, torch.from_numpy(millimetres.actions).abs().amax((0, 1)))


@torch.no_grad()
def test_states_may_be_left_out():
    m = model(VJEPAACConfig(encoder=IMAGE, predictor=CausalConfig(12, 1, 3), states=0, actions=3, frames=5))
    data = episodes(states=(), actions=("action_a", "action_b", "action_c"))
    m.prepare(data)
    assert m(m.views(data.batch([0, 1]), torch.Generator())).isfinite()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actions": 0}, "actions is 0, expected at least 1"),
        ({"states": 3}, "states is 3 and actions is 2: expected equal numbers"),
        ({"rollout": 16}, "rollout is 16, expected 1 to 15"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ForetellError, match=message):
        VJEPAACConfig(**options)


def test_data_of_another_kind_is_refused(noise):
    with pytest.raises(ForetellError, match="learns from episodes"):
        model().prepare(noise)
    with pytest.raises(
        ForetellError, match=r"1 columns of states and 1 of actions .*--model.states 1 --model.actions 1"
    ):
        model().prepare(episodes(states=("state_x",), actions=("action_x",)))
    with pytest.raises(ForetellError, match=r"2 columns of states and 1 of actions .*: take the columns of states out"):
        model().prepare(episodes(states=("state_x", "state_y"), actions=("action_x",)))
    assert isinstance(noise, Images)


@pytest.mark.parametrize("encoder", [IMAGE, VIDEO])
def test_a_configuration_says_of_what_kind_its_encoder_is(encoder):
    config = VJEPAACConfig(encoder=encoder, frames=5)
    written = json.loads(json.dumps(to_config(VJEPAAC(config))))
    assert from_config(written).config == config


def test_any_vision_transformer_can_be_stood_on():
    small = PredictorConfig(12, 1, 3)
    for other in (
        IJEPA(IJEPAConfig(IMAGE, small)),
        VJEPA(VJEPAConfig(VIDEO, small)),
        SimCLR(SimCLRConfig(encoder=IMAGE)),
        model(),
    ):
        m = VJEPAAC.begin(CONFIG, other)
        assert m.config.encoder == other.config.encoder
        own, theirs = m.encoder.state_dict(), encoder_of(other).state_dict()
        assert all(torch.equal(t, theirs[name]) for name, t in own.items())
        assert m.encoder is not encoder_of(other)
    jepa = IJEPA(IJEPAConfig(IMAGE, small))
    assert encoder_of(jepa) is jepa.target_encoder
    with pytest.raises(ForetellError, match="VICReg has no encoder of patches"):
        encoder_of(VICReg(VICRegConfig(encoder=ResNetConfig(name="resnet18", image_size=16, base=4))))


@torch.no_grad()
def test_features_are_of_images_and_of_clips():
    m, x = model(), torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(m.features(x), m.encoder(x).mean(1))
    torch.testing.assert_close(m.features(x.unsqueeze(2).repeat(1, 1, 3, 1, 1)), m.features(x))
    torch.testing.assert_close(m.latents(x), m.target(x.unsqueeze(2))[:, 0])


TRAIN = (
    "train vjepa-ac --data pusher:16 --model.predictor.width 12 --model.predictor.depth 1 --model.frames 4 --steps 4 "
    "--batch 4 --checkpoint-every 2 --monitor-every 2 --precision fp32 --device cpu"
).split()


def test_it_is_trained_resumed_and_loaded_without_the_model_it_stands_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(1)
    base = hub.save(IJEPA(IJEPAConfig(IMAGE, PredictorConfig(12, 1, 3))), tmp_path / "base")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    main([*TRAIN, "--encoder", str(base), "--out", str(whole)])
    main([*TRAIN, "--encoder", str(base), "--out", str(cut), "--steps", "4"])
    for path in (cut / "model.safetensors", cut / "checkpoints" / "step-00000004.safetensors"):
        path.unlink()
    main([*TRAIN, "--encoder", str(base), "--out", str(cut), "--resume"])
    first, second = (hub.load(folder).state_dict() for folder in (whole, cut))
    assert all(torch.equal(t, second[name]) for name, t in first.items())
    assert "shuffled" in capsys.readouterr().err
    base.joinpath("model.safetensors").unlink()
    loaded = hub.load(whole)
    assert isinstance(loaded, VJEPAAC)
    assert loaded.action_limit.max() <= 0.2
    assert json.loads((whole / "config.json").read_text())["encoder"] == str(base)
    main(["evaluate", str(whole), "--data", "pusher:16", "--json"])
    assert json.loads(capsys.readouterr().out)["model"]["method"] == "VJEPAAC"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--encoder", "nothing"], "no model 'nothing'"),
        (["--model.encoder.width", "48"], "--model.encoder has no effect"),
        (["--model.actions", "3", "--model.states", "3"], "2 columns of states and 2 of actions"),
        (["--data", "scenes"], "not found"),
    ],
)
def test_wrong_words_end_in_one_sentence(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SystemExit):
        main([*TRAIN, "--out", str(tmp_path / "run"), *args])
    assert message in capsys.readouterr().err
