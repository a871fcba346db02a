from dataclasses import replace

import pytest
import torch

from foretell.augment import to_float
from foretell.errors import ForetellError
from foretell.finetune import (
    FinetuneConfig,
    MultitaskClassifier,
    TaskTokens,
    load_classifier,
    multitask,
    save_classifier,
)
from foretell.methods import IJEPA, IWM, IJEPAConfig
from foretell.nn.queries import FeatureConditioned, SequenceConditioned
from foretell.train.optimizer import adamw

QUICK = FinetuneConfig(steps=3, batch=8, lr=1e-2, precision="fp32")
TASKS = {"colour": ("red", "green", "blue"), "light": ("dark", "bright")}


@pytest.mark.parametrize(("own", "informing"), [(FeatureConditioned, 0), (SequenceConditioned, 4)])
def test_one_token_more_informs(own, informing):
    queries = TaskTokens(own(16, 4), 16, tasks=3)
    task = torch.nn.functional.one_hot(torch.tensor([2, 0]), 3).float()
    tokens = queries(torch.randn(2, 5, 16), torch.cat([torch.randn(2, 4), task], 1))
    assert tokens.shape == (2, 5 + informing + 1, 16)
    assert torch.equal(tokens[:, -1], queries.tokens.weight.T[[2, 0]])


def test_the_token_matters_and_only_for_its_own_sample(model):
    torch.manual_seed(0)
    classifier = MultitaskClassifier(model, TASKS)
    x = torch.rand(1, 3, 16, 16).expand(3, -1, -1, -1)
    a, b, c = classifier.latents(x, torch.tensor([0, 1, 0]))
    torch.testing.assert_close(a, c)
    assert (a - b).abs().max() > 1e-4


def test_without_its_token_it_is_the_model_s_own_prediction(model):
    classifier = MultitaskClassifier(model, TASKS)
    x = torch.rand(2, 3, 16, 16)
    s, action = model.target_encoder(x), torch.zeros(2, 9)
    queries = classifier.predictor.queries
    own = queries.own(torch.zeros(2, 16, 16), action[:, :7])
    assert torch.equal(queries(torch.zeros(2, 16, 16), action)[:, :-1], own)
    classifier.predictor.queries = queries.own
    every = torch.arange(16).expand(2, -1)
    told = classifier.predictor(s, every, every.unsqueeze(1), (4, 4), action[:, :7])
    torch.testing.assert_close(told, model.predict(s, action=action[:, :7]))


@pytest.mark.parametrize(("mode", "share"), [("predictor", 0.1), ("predictor-random", 1.0)])
def test_tokens_and_heads_learn_at_the_full_rate(model, mode, share):
    classifier = MultitaskClassifier(model, TASKS, mode)
    optimizer = adamw(classifier.rates(0.1), lr=2.0, weight_decay=0.0)
    rate = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for name, p in classifier.named_parameters():
        fresh = name.startswith("heads") or name == "predictor.queries.tokens.weight"
        expected = None if name.startswith("encoder") else 2.0 * (1.0 if fresh else share)
        assert rate.get(p) == expected, name


@pytest.mark.parametrize("conditioning", ["feature", "sequence"])
def test_one_predictor_learns_two_tasks(tiny, colours, lights, conditioning, tmp_path):
    torch.manual_seed(0)
    model = IWM(replace(tiny, conditioning=conditioning))
    tasks = {"colour": (colours(128, 0), colours(150, 1)), "light": (lights(40, 0), lights(100, 1))}
    config = replace(QUICK, steps=25, batch=32, pretrained=1.0)  # nothing was learned before
    classifier, report = multitask(model, tasks, config, progress=False)
    assert report["steps"] == 50
    for found in report["tasks"].values():
        assert found["accuracy"]["low"] > found["accuracy"]["chance"]
    encoder = dict(model.target_encoder.named_parameters())
    assert all(torch.equal(p, encoder[name]) for name, p in classifier.encoder.named_parameters())

    again = load_classifier(save_classifier(classifier, tmp_path))
    pixels = lights(5, 2).take(range(5))
    assert torch.equal(again(to_float(pixels), "light"), classifier(to_float(pixels), "light"))
    assert again.classify(pixels, "light") == classifier.classify(pixels, "light")
    assert {name for name, _ in again.classify(pixels, "light")} <= {"dark", "bright"}


def test_it_is_compared_with_a_predictor_a_task(model, colours, lights):
    tasks = {"colour": (colours(16, 0), colours(16, 1)), "light": (lights(16, 0), lights(16, 1))}
    _, report = multitask(model, tasks, QUICK, compare=True, progress=False)
    assert report["tasks"].keys() == tasks.keys()
    for found in report["tasks"].values():
        assert found["accuracy"]["chance"] == found["separate"]["chance"]


def test_a_model_without_actions_has_tasks_too(tiny):
    model = IJEPA(IJEPAConfig(encoder=tiny.encoder, predictor=tiny.predictor))
    classifier = MultitaskClassifier(model, TASKS)
    assert classifier(torch.rand(2, 3, 16, 16), "colour").shape == (2, 3)


def test_wrong_tasks_are_named(model, colours):
    pair = colours(8, 0), colours(8, 1)
    with pytest.raises(ForetellError, match="at least two tasks, found 1"):
        multitask(model, {"one": pair}, QUICK, progress=False)
    with pytest.raises(ForetellError, match="mode encoder trains the encoder"):
        multitask(model, {"one": pair, "two": pair}, replace(QUICK, mode="encoder"), progress=False)
    unlabelled = replace(pair[0], labels=None), pair[1]
    with pytest.raises(ForetellError, match="training set of two has no labels"):
        multitask(model, {"one": pair, "two": unlabelled}, QUICK, progress=False)
    with pytest.raises(ForetellError, match="'sound' is not a task"):
        MultitaskClassifier(model, TASKS)(torch.rand(1, 3, 16, 16), "sound")


@pytest.mark.parametrize("conditioning", ["feature", "sequence", "none"])
def test_it_trains_in_bfloat16(tiny, colours, lights, conditioning):
    tasks = {"colour": (colours(16, 0), colours(16, 1)), "light": (lights(16, 0), lights(16, 1))}
    model = IWM(replace(tiny, conditioning=conditioning))
    classifier, report = multitask(model, tasks, replace(QUICK, steps=1, precision="bf16"), progress=False)
    assert report["loss"] == pytest.approx(0.9, abs=0.6)
    assert {p.dtype for p in classifier.parameters()} == {torch.float32}
