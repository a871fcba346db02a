"""Untrained controls are measured like the model, and a verdict follows from the difference."""

import pytest
import torch

from foretell import hub
from foretell.data import train_test
from foretell.evaluate import MRR, chosen, evaluate
from foretell.evaluate.controls import RawPixels, subjects
from foretell.evaluate.controls import untrained as untrained_again
from foretell.evaluate.encode import encode, features
from foretell.evaluate.measures import MEASURES
from foretell.evaluate.subject import Subject, labels_of
from foretell.evaluate.verdict import verdict
from foretell.method import fresh

PROBES = tuple(measure for measure in MEASURES if measure.section == "probes")
FAST = tuple(measure for measure in PROBES if measure.name in ("linear", "knn"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Crops of the bundled photographs; the class of a crop is its photograph."""
    train, test = train_test("photographs", 32, cache_dir=tmp_path_factory.mktemp("cache"), progress=False)
    generator = torch.Generator().manual_seed(0)
    return tuple(each.subset(torch.randperm(len(each), generator=generator)[:400]) for each in (train, test))


@pytest.fixture(scope="module")
def shipped():
    return hub.load("iwm-mini")


def subject(model, train, test, **more):
    return Subject(model, train, test, labels_of(train, test), torch.device("cpu"), **more)


def test_a_trained_model_learned_something(data, shipped):
    report = evaluate(shipped, *data, measures=FAST, progress=False)
    assert report["verdict"]["learned"]
    assert report["verdict"]["text"].startswith("It learned: ")
    again = [row["untrained"]["again"] for row in (report["linear"], report["knn"]) if "again" in row["untrained"]]
    assert [len(each) for each in again] == [2]  # of the probe that differs most
    assert all(difference["low"] > 0 for difference in again[0])


def test_an_untrained_model_learned_nothing_however_far_above_chance_it_is(data, shipped):
    report = evaluate(fresh(shipped, 7), *data, measures=FAST, progress=False)
    assert report["linear"]["low"] > report["linear"]["chance"]  # which would look like learning
    assert not report["verdict"]["learned"]
    assert report["verdict"]["text"].startswith("It learned nothing yet")
    assert report["linear"]["untrained"]["value"] == pytest.approx(report["linear"]["value"], abs=0.1)


def test_controls_are_the_same_network_with_other_weights_and_the_pixels(images, world_model):
    model, train, test = world_model(), images(20), images(12, seed=1)
    named = dict(subjects(subject(model, train, test)))
    untrained, pixels = named["untrained"].model, named["pixels"].model
    assert type(untrained) is type(model)
    assert untrained.config == model.config
    assert not torch.equal(untrained.target_encoder.patch_embed.weight, model.target_encoder.patch_embed.weight)
    assert isinstance(pixels, RawPixels)
    other = untrained_again(subject(model, train, test), 1).model
    assert not torch.equal(untrained.target_encoder.patch_embed.weight, other.target_encoder.patch_embed.weight)
    again = dict(subjects(subject(model, train, test)))["untrained"].model
    assert all(torch.equal(t, again.state_dict()[name]) for name, t in untrained.state_dict().items())


def test_raw_pixels_are_averaged_to_sixteen_a_side():
    x = torch.rand(2, 3, 64, 64)
    raw = RawPixels()
    expected = x.unflatten(2, (16, 4)).unflatten(4, (16, 4)).mean((3, 5))
    torch.testing.assert_close(raw.features(x), expected.flatten(1))
    assert raw.patch_encoder(x).shape == (2, 16, 48)
    assert raw.features(torch.rand(2, 3, 8, 8)).shape == (2, 768)  # fewer pixels are repeated
    blank = raw.patch_encoder(torch.zeros(1, 3, 32, 32))[0]
    assert len(blank.unique(dim=0)) == 16  # places differ, or what attends could not tell them apart


def test_raw_pixels_are_encoded_like_a_model(images):
    some = images(5)
    encoded = encode(RawPixels(), some)
    torch.testing.assert_close(encoded.features, features(RawPixels(), some))
    assert encoded.latents.shape == (5, 16, 48)


def test_a_measure_without_scores_for_each_image_is_not_compared(images, world_model):
    report = evaluate(world_model(), images(20), images(12, seed=1), measures=MEASURES[4:7], progress=False)
    assert report["rankme"].keys() == {"value", "of"}
    assert report["verdict"] is None


def test_controls_can_be_left_out(images, world_model):
    measures = chosen(MRR(images=4, bank=8, queries=2))
    report = evaluate(world_model(), images(20), images(12, seed=1), measures=measures, controls=False, progress=False)
    assert report["verdict"] is None
    assert report["linear"].keys() == {"value", "low", "high", "chance"}


def compared(name: str, value: float, untrained: float, pixels: float | None = None, half: float = 0.02) -> dict:
    def control(d: float) -> dict:
        return {"value": value - d, "difference": {"value": d, "low": d - half, "high": d + half}}

    row = {"value": value, "untrained": control(untrained)}
    return {name: row if pixels is None else row | {"pixels": control(pixels)}}


class TestVerdict:
    def test_names_the_probe_that_shows_most(self):
        found = compared("linear", 0.6, 0.03, 0.01) | compared("knn", 0.5, 0.2, 0.1)
        said = verdict(found, PROBES)
        assert said["learned"]
        assert "(kNN 50.0%: +20.0 points, +18.0 to +22.0, or more)" in said["text"]
        assert "They say not clearly more than raw pixels, by the probe that finds most in these" in said["text"]
        assert "(linear probe 60.0%: +1.0 points, -1.0 to +3.0)" in said["text"]  # pixels: 59 %, and 40 % by kNN

    def test_every_untrained_network_must_be_exceeded(self):
        found = compared("linear", 0.6, 0.1)
        found["linear"]["untrained"]["again"] = [{"value": 0.13, "low": 0.11, "high": 0.15}]
        said = verdict(found, PROBES)
        assert said["learned"]
        assert "those of 2 networks of its kind without training" in said["text"]
        assert "(linear probe 60.0%: +10.0 points, +8.0 to +12.0, or more)" in said["text"]
        assert "raw pixels" not in said["text"]  # of clips there are none
        found["linear"]["untrained"]["again"] += [{"value": 0.01, "low": -0.01, "high": 0.03}]  # worse than one
        said = verdict(found, PROBES)
        assert not said["learned"]
        assert "(linear probe 60.0%: +1.0 points, -1.0 to +3.0)" in said["text"]

    def test_a_difference_must_exceed_those_between_untrained_networks(self):
        found = compared("linear", 0.6, 0.1)
        found["linear"]["untrained"]["again"] = [{"value": 0.2, "low": 0.18, "high": 0.22}]  # 0.1 from the first
        assert not verdict(found, PROBES)["learned"]

    def test_says_where_raw_pixels_do_worse_than_the_features(self):
        said = verdict(compared("linear", 0.6, 0.2, 0.1), PROBES)
        assert "They say more than raw pixels, by the probe that finds most" in said["text"]

    def test_none_without_anything_to_compare(self):
        assert verdict({"linear": {"value": 0.5}, "mrr": {"untrained": {"value": 0.1}}}, MEASURES) is None
