import json

import numpy as np
import pytest
import torch
from rich.console import Console

from foretell.data import Images, Videos
from foretell.errors import ForetellError
from foretell.evaluate import MRR, Line, Measure, Result, chosen, evaluate, report, table
from foretell.evaluate.encode import encode
from foretell.masking import TubeMasks
from foretell.methods import VJEPA, SimCLR, SimCLRConfig, VJEPAConfig
from foretell.methods.ijepa import IJEPA, IJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig

PROBES = ("linear", "mlp", "attentive", "knn")
WORDS = ("retrieval", "zero_shot", "composition", "spectrum")
FAST = {"measures": chosen(MRR(images=4, bank=8, queries=2)), "progress": False}


@pytest.fixture(scope="module")
def train(images):
    return images(60)


@pytest.fixture(scope="module")
def test_set(images):
    return images(31, seed=1)


@pytest.fixture(scope="module")
def full(train, test_set, world_model):
    return evaluate(world_model(), train, test_set, **FAST)


def text(found: dict) -> str:
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as shown:
        console.print(table(found))
    return shown.get()


def test_everything_is_there_and_plain(full):
    known = {*PROBES, "rankme", "lidar", "sparsity", "mrr", *WORDS}
    assert set(full) == known | {"data", "model", "verdict", "left_out"}
    assert set(full["left_out"]) == set(WORDS)  # a world model of images knows no words
    assert json.loads(json.dumps(full, allow_nan=False)) == full
    for probe in PROBES:
        row = full[probe]
        assert set(row) == {"value", "low", "high", "chance", "untrained", "pixels"}
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1
        assert row["chance"] == pytest.approx(11 / 31)
    assert full["linear"]["value"] > 0.9  # the class is the colour
    assert full["rankme"]["of"] == 24
    assert 1 <= full["rankme"]["value"] <= 24
    assert full["lidar"]["of"] == 24
    assert 1 <= full["lidar"]["value"] <= 24
    assert {"value", "low", "high", "chance", "hits@1", "hits@5", "hits@10", "bank", "images", "queries"} < set(
        full["mrr"]
    )
    assert {"value", "low", "high", "per_action"} < set(full["mrr"]["untrained"])
    assert full["data"] == {"of": "images", "train": 60, "test": 31, "classes": 3, "skipped": 0, "seen": None}
    assert full["sparsity"].keys() == {"zeros", "half", "dead"}
    assert full["model"]["method"] == "IWM"


def test_the_same_seed_gives_the_same_report(full, train, test_set, world_model):
    model = world_model().train()
    torch.manual_seed(123)
    before = torch.get_rng_state()
    assert evaluate(model, train, test_set, **FAST) == full
    assert torch.equal(before, torch.get_rng_state())
    assert model.training


def test_table_says_every_number(full):
    shown = text(full)
    for words in (
        "linear probe",
        "two-layer probe",
        "attentive",
        "at 0",
        "kNN",
        "RankMe",
        "LiDAR",
        "MRR among 8",
        "hits@10",
        "solarize",
    ):
        assert words in shown
    assert f"{full['mrr']['value']:.3f}" in shown
    assert f"{full['mrr']['untrained']['value']:.3f}" in shown
    assert "60 images to learn from and 31 to test on; 0 files skipped" in shown
    assert "Probes need labels" not in shown


def test_without_labels_or_actions(train, test_set):
    torch.manual_seed(0)
    model = IJEPA(IJEPAConfig(encoder=ViTConfig(image_size=16, patch_size=4, width=24, depth=1, heads=2)))
    unlabelled = Images(train.pixels, None, (), (), "")
    found = evaluate(model, unlabelled, test_set, progress=False)
    assert [found[name] for name in (*PROBES, "mrr")] == [None] * 5
    assert found["rankme"]["value"] > 1
    assert "LiDAR" in text(found)
    assert "Probes need labels of two classes or more" in text(found)


class Norm(Measure):
    """The mean length of features; of each image whether its own is above it."""

    name, title, section = "norm", "mean length", "probes"

    def run(self, subject):
        lengths = subject.ask.features.norm(dim=1)
        mean = lengths.mean()
        share = (lengths > mean).float().mean().item()
        return Result({"value": share, "low": share, "high": share, "length": mean.item()}, lengths > mean)

    def lines(self, numbers):
        return [Line(self.title, numbers), Line("  length", {"value": numbers["length"]}, "{:.2f}")]


def test_a_further_measure_is_a_class_and_an_entry(train, test_set, world_model):
    measures = chosen(Norm())
    assert [measure.name for measure in measures][-2:] == ["spectrum", "norm"]
    found = evaluate(world_model(), train, test_set, measures=[measures[4], measures[-1]], progress=False)
    assert list(found)[:2] == ["rankme", "norm"]
    assert {"untrained", "pixels"} < found["norm"].keys()  # it has scores of images
    assert "untrained" not in found["rankme"]
    console = Console(width=100, record=True, file=None)
    with console.capture() as shown:
        console.print(table(found, measures))
    assert f"{found['norm']['length']:.2f}" in shown.get()


def test_what_does_not_apply_is_said_with_its_reason(train, test_set):
    resnet = SimCLR(SimCLRConfig(ResNetConfig(image_size=16, base=4), ProjectorConfig(width=16, out=8)))
    found = evaluate(resnet, train, test_set, measures=chosen()[2:], progress=False)
    assert found["attentive"] is None
    assert found["mrr"] is None
    assert found["left_out"].keys() == {"attentive", "mrr", *WORDS}
    assert "ResNet, which has no patches" in found["left_out"]["attentive"]
    assert "change to a picture" in found["left_out"]["mrr"]
    assert "knn" not in found["left_out"]


def test_a_joint_embedding_of_a_transformer_has_an_attentive_probe(train, test_set):
    vit = SimCLR(SimCLRConfig(ViTConfig(16, 4, 24, 1, 3), ProjectorConfig(width=16, out=8)))
    found = evaluate(vit, train, test_set, measures=chosen()[2:3], controls=False, progress=False)
    assert found["attentive"]["value"] > 0.8  # the class is the colour
    assert not found["left_out"]


def test_the_table_needs_no_more_than_the_json(full):
    shown = text(full)
    assert text(json.loads(json.dumps(full))) == shown
    for row in (full["linear"], full["linear"]["untrained"], full["linear"]["pixels"]):
        assert f"{row['value']:.1%}" in shown
    assert full["verdict"]["text"][:20] in " ".join(shown.split())


def flashes(n: int) -> Videos:
    """Clips that are dark but for a bright frame: the class is when, which no mean over time tells."""
    labels = torch.arange(n) % 2
    chance = np.random.default_rng(n)
    pixels = chance.integers(0, 20, (n, 4, 3, 8, 8), dtype=np.uint8)
    pixels[np.arange(n), 3 * labels] += 200
    return Videos(pixels, labels, ("early", "late"), (), f"flashes {n}")


def test_the_attentive_probe_attends_over_all_of_a_clip():
    encoder = VideoViTConfig(image_size=8, patch_size=4, width=24, depth=1, heads=2, frames=4, tubelet=1)
    model = VJEPA(VJEPAConfig(encoder, PredictorConfig(12, 1, 2), TubeMasks(visible=0.5)))
    assert encode(model, flashes(6)).latents.shape == (6, 4 * 2 * 2, 24)
    found = evaluate(model, flashes(80), flashes(40), progress=False)
    assert found["attentive"]["value"] > 0.9
    assert found["attentive"]["chance"] == 0.5
    assert found["mrr"] is None
    assert "40 to test on" in text(found)


def test_latents_that_do_not_fit_are_sampled(full, train, test_set, monkeypatch, world_model):
    monkeypatch.setattr(report, "LATENT_BYTES", 20 * 2 * 16 * 24)
    found = evaluate(world_model(), train, test_set, **FAST)
    assert found["linear"] == full["linear"]
    assert found["attentive"] != full["attentive"]
    right = found["attentive"]["value"] * 20
    assert right == pytest.approx(round(right))  # of the twenty that it was asked about


def test_classes_are_matched_by_name(full, train, test_set, world_model):
    turned = Images(
        test_set.pixels, 2 - test_set.labels, test_set.classes[::-1], test_set.skipped, test_set.fingerprint
    )
    assert evaluate(world_model(), train, turned, **FAST) == full


def test_refuses_what_cannot_be_tested(train, test_set, world_model):
    model = world_model()
    with pytest.raises(ForetellError, match="found 1 images to learn from and 31 to test on"):
        evaluate(model, train.subset([0]), test_set, **FAST)
    foreign = Images(test_set.pixels, test_set.labels, ("class 0", "class 1", "cat"), (), "")
    with pytest.raises(ForetellError, match="classes that the training set has not: cat"):
        evaluate(model, train, foreign, **FAST)
