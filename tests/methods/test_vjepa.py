import json
from dataclasses import replace

import pytest
import torch

from foretell import hub
from foretell.cli import main
from foretell.data import Batch
from foretell.errors import ForetellError
from foretell.masking import TubeMasks
from foretell.methods import VJEPA, VideoPixels, VideoPixelsConfig, VJEPAConfig
from foretell.methods.vjepa import moved
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig

ENCODER = VideoViTConfig(image_size=16, patch_size=4, width=12, depth=1, heads=3, frames=8, tubelet=2)
torch.manual_seed(0)
MODEL = VJEPA(VJEPAConfig(ENCODER, PredictorConfig(12, 1, 3), TubeMasks(visible=0.25)))
CLIPS = torch.randint(256, (3, 3, 8, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def views(clips=CLIPS, seed=0):
    return MODEL.views(Batch(pixels=clips), torch.Generator().manual_seed(seed))


def test_a_clip_is_a_grid_of_three_axes():
    assert ENCODER.grid == (4, 4, 4)
    assert MODEL.encode(torch.rand(2, 3, 8, 16, 16)).shape == (2, 64, 12)
    assert MODEL.encode(torch.rand(1, 3, 4, 24, 16)).shape == (1, 2 * 6 * 4, 12)


def test_every_frame_is_cropped_alike():
    still = CLIPS[:, :, :1].expand(-1, -1, 8, -1, -1)
    y = views(still.contiguous()).target
    assert torch.equal(y, y[:, :, :1].expand_as(y))
    assert not torch.equal(views(CLIPS).target[:, :, 0], views(CLIPS).target[:, :, 1])


@pytest.mark.parametrize(("loss", "power"), [("l1", 1), ("l2", 2)])
def test_two_masks_share_one_target_and_the_loss_is_their_mean(loss, power):
    model, v = VJEPA(replace(MODEL.config, loss=loss)), views()
    model.load_state_dict(MODEL.state_dict())
    assert len(v.context) == 6
    assert len(v.target) == 3
    s_y = MODEL.target(v.target)
    losses = []
    for mask in range(2):
        part = slice(3 * mask, 3 * mask + 3)
        context, target = v.context_index[part], v.target_index[part]
        prediction = MODEL.predict(MODEL.encode(v.target, context), context, target)[:, 0]
        wanted = torch.stack([s_y[b][target[b, 0]] for b in range(3)])
        losses.append((prediction - wanted).abs().pow(power).mean())
    assert torch.allclose(model(v), torch.stack(losses).mean(), atol=1e-6)


def test_what_is_hidden_is_hidden_through_time():
    v = views()
    seen = torch.zeros(6, 64, dtype=torch.bool).scatter_(1, v.context_index, True).unflatten(1, (4, 16))
    assert (seen == seen[:, :1]).all()
    assert (seen.sum(2) == 4).all()
    hidden = torch.zeros(6, 64, dtype=torch.bool).scatter_(1, v.target_index[:, 0], True)
    assert (hidden == ~seen.flatten(1)).all()


def test_causal_masks_show_the_past_alone():
    masks = TubeMasks(((0, 0.0),), visible=1.0, past=(0.5, 0.5))
    context, target = masks.draw(torch.Generator().manual_seed(0), (4, 3, 3), 2)
    assert context.tolist() == [list(range(18))] * 2
    assert target.tolist() == [[list(range(18, 36))]] * 2


def test_how_much_of_the_past_is_shown_is_drawn_anew():
    masks, generator = TubeMasks(((0, 0.0),), visible=1.0, past=(0.25, 0.75)), torch.Generator().manual_seed(0)
    shown = [masks.draw(generator, (4, 3, 3), 1)[0].shape[1] for _ in range(40)]
    assert set(shown) == {9, 18, 27}


def test_the_context_lies_outside_the_blocks_where_there_is_room():
    """One block of half the plane leaves half free: all of a quarter's budget comes from there."""
    masks = TubeMasks(((1, 0.5),), aspect=(1.0, 1.0), visible=0.25)
    context, _ = masks.draw(torch.Generator().manual_seed(0), (1, 8, 8), 200)
    seen = torch.zeros(200, 64).scatter_(1, context, 1.0).view(200, 8, 8)
    sums = torch.nn.functional.avg_pool2d(seen.unsqueeze(1), 6, 1).amin((1, 2, 3))  # blocks are 6 × 6 here
    assert (sums == 0).all()


@pytest.mark.parametrize("options", [{"visible": 0.0}, {"past": (0.5, 1.5)}, {"past": (0.5, 0.4)}, {"blocks": ()}])
def test_masks_out_of_range_are_refused(options):
    with pytest.raises(ForetellError, match="expected"):
        TubeMasks(**options)


def test_masks_must_hide_and_show():
    for masks in (TubeMasks(visible=0.01), TubeMasks(visible=1.0)):
        with pytest.raises(ForetellError, match="expected some and not all"):
            masks.draw(torch.Generator(), (4, 4, 4), 1)


def test_moving_patches_are_those_that_change():
    clip = torch.zeros(1, 3, 8, 16, 16)
    clip[:, :, 4:6, 4:8, 8:12] = 1.0  # a square appears at patch (1, 2) for one tubelet
    assert moved(clip, (2, 4, 4), 2).nonzero().tolist() == [[0, 1 * 4 + 2]]
    assert not moved(clip, (2, 4, 4), 1).any()


def test_motion_tells_slow_features_from_others():
    still = torch.rand(4, 3, 1, 16, 16, generator=torch.Generator().manual_seed(1)).expand(-1, -1, 8, -1, -1)
    moving = torch.rand(4, 3, 8, 16, 16, generator=torch.Generator().manual_seed(1))
    told = MODEL.motion(moving)
    assert 0 < told["static"] < 1
    assert told["moving"] > 0
    assert MODEL.motion(still.contiguous())["moving"] == 1.0  # nothing moves: nothing is shown
    assert MODEL.measures(views()).keys() >= {"loss", "constant", "copy", "static", "moving"}


def test_centred_targets_have_no_mean_over_the_clip():
    model = VJEPA(VJEPAConfig(ENCODER, PredictorConfig(12, 1, 3), centred=True))
    clip = torch.rand(2, 3, 8, 16, 16)
    s = model.target_encoder(clip)
    expected = torch.nn.functional.layer_norm(s - s.mean(1, keepdim=True), (12,))
    assert torch.allclose(model.target(clip), expected)


def test_it_is_trained_measured_and_loaded_like_any_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    out = str(tmp_path / "run")
    small = (
        "--model.encoder.image-size 16 --model.encoder.patch-size 8 --model.encoder.frames 8 --model.encoder.width 12"
    )
    size = "--model.encoder.depth 1 --model.predictor.width 12 --model.predictor.depth 1 --model.masks.visible 0.5"
    train = ["train", "vjepa", "--data", "scenes:24", "--out", out, *small.split(), *size.split()]
    main([*train, *"--steps 2 --batch 4 --monitor-every 1 --precision fp32".split()])
    capsys.readouterr()
    main(["evaluate", out, "--data", "scenes:24", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["data"]["train"] == 24
    assert report["mrr"] is None
    model = hub.load(out)
    assert isinstance(model, VJEPA)
    assert model.config.reads.pace == {"fps": None, "stride": 1}


@pytest.mark.parametrize("kind", ["rotary", "rotary-vjepa2"])
def test_positions_can_be_rotary(kind):
    config = VJEPAConfig(replace(ENCODER, positions=kind, heads=1), PredictorConfig(12, 2, 1, kind), MODEL.config.masks)
    model = VJEPA(config)
    model(model.views(Batch(pixels=CLIPS), torch.Generator().manual_seed(0))).backward()
    assert all(p.grad is not None for part in model.trained().values() for p in part.parameters())
    assert set(model.measures(model.views(Batch(pixels=CLIPS), torch.Generator()))) > {"loss", "static", "moving"}


@pytest.mark.parametrize(("kind", "config"), [(VJEPA, VJEPAConfig), (VideoPixels, VideoPixelsConfig)])
def test_each_mask_can_have_its_own_token(kind, config):
    model = kind(config(ENCODER, PredictorConfig(12, 1, 3), MODEL.config.masks, token_per_mask=True))
    torch.nn.init.normal_(model.predictor.queries.tokens)
    views = model.views(Batch(pixels=CLIPS), torch.Generator().manual_seed(0))
    assert views.action.tolist() == [[1, 0]] * 3 + [[0, 1]] * 3
    swapped = model(replace(views, action=views.action.flip(1)))
    assert abs(swapped - model(views)) > 1e-6
    again = hub.files.from_config(json.loads(json.dumps(hub.files.to_config(model))))
    assert again.config == model.config


def test_a_configuration_written_before_there_was_a_choice_is_still_read():
    written = hub.files.to_config(MODEL)
    del written["model"]["token_per_mask"]
    for field in ("mlp_ratio", "eps", "qkv_bias"):
        del written["model"]["predictor"][field]
    assert hub.files.from_config(written).config == MODEL.config
