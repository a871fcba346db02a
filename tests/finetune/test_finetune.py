import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from foretell.augment import to_float
from foretell.data import Images
from foretell.errors import ForetellError
from foretell.finetune import FinetuneConfig, WorldModelClassifier, finetune, load_classifier, save_classifier
from foretell.finetune.classifier import views
from foretell.method import fresh
from foretell.methods import IJEPA, VJEPA, IJEPAConfig, Pixels, PixelsConfig, VJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig
from foretell.train.optimizer import adamw

QUICK = FinetuneConfig(steps=3, batch=8, lr=1e-2, precision="fp32")
SHARES = {
    "predictor": {"predictor": 0.1, "head": 1.0},
    "predictor-random": {"predictor": 1.0, "head": 1.0},
    "encoder": {"encoder": 0.1, "head": 1.0},
    "end-to-end": {"encoder": 0.1, "predictor": 0.1, "head": 1.0},
}
modes = pytest.mark.parametrize("mode", SHARES)


def built(model, mode, classes=("red", "green", "blue"), seed=0):
    """A classifier before training, as `finetune` builds it."""
    torch.manual_seed(seed)
    return WorldModelClassifier(model, classes, mode)


@modes
def test_a_mode_trains_exactly_what_it_says(model, colours, mode):
    before = built(model, mode)
    was = {name: t.clone() for name, t in model.state_dict().items()}
    after, report = finetune(model, colours(16, 0), colours(16, 1), replace(QUICK, mode=mode), progress=False)
    assert all(torch.equal(t, was[name]) for name, t in model.state_dict().items())

    new = dict(after.named_parameters())
    for name, p in before.named_parameters():
        trained = name.split(".")[0] in SHARES[mode]
        assert trained == (not torch.equal(p, new[name])), name
        assert trained == new[name].requires_grad, name
    count = sum(p.numel() for name, p in new.items() if name.split(".")[0] in SHARES[mode])
    assert report["trained_parameters"] == count
    assert report["frozen_parameters"] == sum(p.numel() for p in new.values()) - count


@modes
def test_pretrained_parts_learn_at_a_tenth_of_the_rate(model, mode):
    classifier = built(model, mode)
    optimizer = adamw(classifier.rates(FinetuneConfig().pretrained), lr=2.0, weight_decay=0.0)
    rate = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for name, p in classifier.named_parameters():
        share = SHARES[mode].get(name.split(".")[0])
        assert (p in rate) == (share is not None), name
        assert share is None or rate[p] == 2.0 * share


def test_it_is_built_of_the_target_encoder_and_a_pretrained_or_fresh_predictor(model):
    pretrained, fresh = built(model, "predictor"), built(model, "predictor-random", seed=1)
    assert torch.equal(pretrained.encoder.patch_embed.weight, model.target_encoder.patch_embed.weight)
    assert not torch.equal(model.context_encoder.patch_embed.weight, model.target_encoder.patch_embed.weight)
    assert torch.equal(pretrained.predictor.embed.weight, model.predictor.embed.weight)
    assert not torch.equal(fresh.predictor.embed.weight, model.predictor.embed.weight)
    assert built(model, "encoder").predictor is None


def test_a_random_predictor_is_not_the_one_that_training_began_with(model, colours):
    config = replace(QUICK, mode="predictor-random", steps=1, lr=1e-9, seed=3)
    random = finetune(model, colours(16, 0), colours(16, 1), config, progress=False)[0].predictor
    assert random is not None
    drawn, began = random.embed.weight, fresh(model, 3).predictor.embed.weight
    assert torch.cosine_similarity(drawn.flatten(), began.flatten(), 0).abs() < 0.3


def test_large_images_are_made_smaller_before_they_are_cropped(model):
    """Otherwise training and testing would differ: every tenth pixel of fine noise instead of its mean."""
    noise = np.random.default_rng(0).integers(256, size=(2, 3, 160, 160), dtype=np.uint8)
    view = views(model.target_encoder, FinetuneConfig(crop=(1.0, 1.0)), torch.device("cpu"))
    assert view(Images(noise, None, (), (), "noise"), torch.arange(2)).std() < 0.1


def test_null_latents_are_the_prediction_everywhere_of_no_change(model):
    x = torch.rand(2, 3, 16, 16)
    s = model.target_encoder(x)
    expected = model.predict(s, action=torch.zeros(2, len(model.actions.names)))[:, 0]
    assert torch.equal(built(model, "predictor").latents(x), expected)
    assert torch.equal(built(model, "encoder").latents(x), s)


@modes
def test_it_learns_what_can_be_told_apart(model, colours, mode):
    config = replace(QUICK, mode=mode, steps=40, batch=32, pretrained=1.0)  # nothing was learned before
    _, report = finetune(model, colours(128, 0), colours(150, 1), config, progress=False)
    found = report["accuracy"]
    assert found["low"] > found["chance"]
    assert found["low"] < found["value"] <= found["high"]
    json.dumps(report)


def test_the_seed_decides_everything(model, colours):
    train, test = colours(16, 0), colours(16, 1)
    state = torch.get_rng_state()
    config = replace(QUICK, mode="predictor-random")
    one, _ = finetune(model, train, test, config, progress=False)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    same, _ = finetune(model, train, test, config, progress=False)
    other, _ = finetune(model, train, test, replace(config, seed=1), progress=False)
    x = to_float(test.take([0]))
    assert torch.equal(one(x), same(x))
    assert not torch.equal(one(x), other(x))


def test_a_model_without_actions_is_finetuned_too(tiny, colours):
    model = IJEPA(IJEPAConfig(encoder=tiny.encoder, predictor=tiny.predictor))
    classifier, _ = finetune(model, colours(16, 0), colours(16, 1), QUICK, progress=False)
    assert classifier(torch.rand(2, 3, 16, 16)).shape == (2, 3)


@modes
def test_a_model_that_answers_in_pixels_is_finetuned_too(tiny, colours, mode, tmp_path):
    encoder = replace(tiny.encoder, patch_size=2, width=40, heads=5)  # 12 pixels a patch, which 5 heads do not divide
    model = Pixels(PixelsConfig(encoder=encoder, predictor=tiny.predictor))
    classifier, _ = finetune(model, colours(16, 0), colours(16, 1), replace(QUICK, mode=mode), progress=False)
    x = torch.rand(2, 3, 16, 16)
    save_classifier(classifier, tmp_path)
    assert torch.allclose(load_classifier(tmp_path)(x), classifier(x))


@modes
def test_saved_and_loaded_it_says_the_same(model, colours, tmp_path, mode):
    test = colours(8, 1)
    classifier, _ = finetune(model, colours(16, 0), test, replace(QUICK, mode=mode), progress=False)
    again = load_classifier(save_classifier(classifier, tmp_path / "made" / "here"))
    pixels = test.take(range(8))
    assert torch.equal(again(to_float(pixels)), classifier(to_float(pixels)))
    assert again.classify(pixels) == classifier.classify(pixels) == again.classify(to_float(pixels))
    name, probability = again.classify(pixels)[0]
    assert name in test.classes
    assert 1 / 3 <= probability <= 1
    assert not again.training


def test_test_classes_are_matched_by_name(model, colours):
    train, test = colours(64, 0), colours(64, 1)
    blue = (test.labels == 2).nonzero()[:, 0]
    only = replace(test.subset(blue), labels=torch.zeros(len(blue), dtype=torch.int64), classes=("blue",))
    config = replace(QUICK, steps=40, batch=32, mode="encoder")
    _, report = finetune(model, train, only, config, progress=False)
    _, whole = finetune(model, train, test.subset(blue), config, progress=False)
    assert report["accuracy"]["value"] == whole["accuracy"]["value"] > 0.5


def test_images_of_another_size_are_resized(model, colours):
    _, report = finetune(model, colours(16, 0, size=24), colours(16, 1, size=20), QUICK, progress=False)
    assert 0 <= report["accuracy"]["value"] <= 1


def test_wrong_data_is_named(model, colours):
    good = colours(8, 0)
    with pytest.raises(ForetellError, match="training set has no labels"):
        finetune(model, replace(good, labels=None, classes=()), good, QUICK, progress=False)
    with pytest.raises(ForetellError, match="test set has no images"):
        finetune(model, good, good.subset([]), QUICK, progress=False)
    with pytest.raises(ForetellError, match="not trained: mauve"):
        finetune(model, good, colours(8, 0, classes=("red", "green", "mauve")), QUICK, progress=False)


def test_a_training_that_diverges_is_no_classifier(model, colours):
    with pytest.raises(ForetellError, match="diverged: its loss is nan; learn at a lower rate than 1e"):
        finetune(model, colours(8, 0), colours(8, 1), replace(QUICK, steps=4, lr=1e30), progress=False)


def test_models_of_videos_are_not_finetuned(colours):
    clips = VJEPA(VJEPAConfig(VideoViTConfig(16, 8, 12, 1, 2, frames=4), PredictorConfig(8, 1, 2)))
    with pytest.raises(ForetellError, match="this VJEPA is a video model"):
        finetune(clips, colours(8, 0), colours(8, 1), QUICK, progress=False)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": -1}, {"lr": 0.0}, {"crop": (0.5, 1.5)}])
def test_a_wrong_number_is_named(wrong):
    with pytest.raises(ForetellError, match=next(iter(wrong))):
        FinetuneConfig(**wrong)


def test_what_is_not_a_classifier_is_not_loaded(model, colours, tmp_path):
    with pytest.raises(ForetellError, match="missing"):
        load_classifier(tmp_path)
    folder = save_classifier(built(model, "predictor"), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "classifier"}))
    with pytest.raises(ForetellError, match="finetune it first"):
        load_classifier(folder)
    (folder / "config.json").write_text(json.dumps(config | {"classifier": {"mode": "magic"}}))
    with pytest.raises(ForetellError, match="no known classifier"):
        load_classifier(folder)
    config["model"]["encoder"]["width"] = 60_000  # some hundred gigabytes
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ForetellError, match="does not fit the model that it describes"):
        load_classifier(folder)
    config["model"]["encoder"]["width"] = 32
    (folder / "config.json").write_text(json.dumps(config))
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ForetellError, match="not a whole safetensors file"):
        load_classifier(folder)
