"""Measures with words: by hand, of a model that knows everything, of one that knows nothing, and of a small Llip."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch.nn import functional as F

from foretell import hub
from foretell.cli import main
from foretell.data.columns import several_texts
from foretell.data.dataset import Captioned
from foretell.evaluate import evaluate, table
from foretell.evaluate.measures.composition import Composition
from foretell.evaluate.measures.retrieval import Retrieval, _caption_hits, _image_hits
from foretell.evaluate.measures.spectrum import Spectrum
from foretell.evaluate.measures.zero_shot import ZeroShot
from foretell.evaluate.subject import Subject, labels_of
from foretell.method import Method
from foretell.methods import Llip, LlipConfig
from foretell.nn.mixture import MixtureConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import ViTConfig

NAMES = ("apple", "dog", "tree", "ship")
ALL = [Retrieval(shortlist=5), ZeroShot(), Composition(), Spectrum()]


def pictures(n=12):
    """Picture i has the brightness i; its captions have that number in them."""
    pixels = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 16, 16), np.uint8)
    labels = torch.arange(n) % 4
    captions = several_texts([[f"number {i}", f"{NAMES[i % 4]} {i}"] for i in range(n)])
    swapped = several_texts([[f"right {i}", f"wrong {i}"] if i % 2 else [] for i in range(n)])
    others = {"swapped_places": swapped}
    return Captioned(pixels, labels, NAMES, (), f"{n}", captions=captions, others=others)


class Knows(Method):
    """Reads a picture's number off its pixels, and a caption's number and class off its words."""

    scale = 10.0

    def __init__(self, knows=True):
        super().__init__(None)
        self.knows, self.unused = knows, torch.nn.Linear(1, 1)

    def outputs(self, x):
        number = (x[:, 0, 0, 0] * 255).round().long()
        both = torch.cat([F.one_hot(number, 64), F.one_hot(number % 4, 4)], 1).float()
        return both.unsqueeze(1) if self.knows else torch.ones_like(both).unsqueeze(1)

    def caption_vectors(self, texts):
        made = torch.zeros(len(texts), 68)
        for row, text in zip(made, texts, strict=True):
            *words, last = text.split()
            if last.isdigit():
                row[int(last)] = -1.0 if words[0] == "wrong" else 1.0
            for name in NAMES:
                row[64 + NAMES.index(name)] += name in text.split()
        return made

    def mixed(self, h, g):
        return F.normalize(h, dim=-1)

    def similarity(self, h, g):
        return F.normalize(h[:, 0], dim=-1) @ F.normalize(g, dim=-1).T

    def encode_text(self, texts):
        return F.normalize(self.caption_vectors(texts), dim=-1)

    def apart(self, h):
        return F.normalize(h, dim=-1)

    def features(self, x):
        return F.normalize(self.outputs(x)[:, 0], dim=-1)

    def views(self, batch, generator):
        raise NotImplementedError

    augmented = views

    def forward(self, views):
        raise NotImplementedError

    def trained(self):
        return {"encoder": self.unused}


def subject(model, data=None):
    data = data or pictures()
    return Subject(model, data, data, labels_of(data, data), torch.device("cpu"))


def test_a_caption_finds_its_image_by_hand():
    similarity = torch.tensor([[0.9, 0.1, 0.5], [0.2, 0.3, 0.5], [0.1, 0.7, 0.5]])
    hits = _image_hits(similarity, torch.tensor([0, 1, 2]))
    assert hits[0].tolist() == [1, 1, 1]
    assert hits[1].tolist() == [0, 1, 1]
    torch.testing.assert_close(hits[2], torch.tensor([1 / 3, 1, 1]))  # three are as near


def test_an_image_that_is_not_on_the_shortlist_is_not_found():
    similarity = torch.tensor([[-torch.inf], [0.1], [0.2]])
    assert _image_hits(similarity, torch.tensor([0])).sum() == 0


def test_an_image_finds_one_of_its_captions_by_hand():
    owner = torch.tensor([0, 0, 1, 1])
    similarity = torch.tensor([[0.1, 0.9], [0.5, 0.8], [0.4, 0.1], [0.3, 0.2]])  # captions × images
    hits = _caption_hits(similarity, owner)
    assert hits[:, 0].tolist() == [1, 0]
    assert hits[:, 1].tolist() == [1, 1]
    alike = _caption_hits(torch.ones(4, 2), owner)
    torch.testing.assert_close(alike[:, 0], torch.tensor([0.5, 0.5]))  # two of four are its own


def test_who_knows_everything_finds_everything():
    found = Retrieval(shortlist=5).run(subject(Knows())).numbers
    for way in ("text_to_image", "image_to_text", "shortlist", "first_pass"):
        assert found[way]["r@1"]["value"] == 1
    assert found["chance"] == pytest.approx(1 / 12)
    assert found["images"] == 12
    assert found["captions"] == 24
    zero = ZeroShot().run(subject(Knows())).numbers
    assert zero["accuracy"]["value"] == zero["after"]["value"] == 1
    composed = Composition().run(subject(Knows())).numbers
    assert composed["value"] == composed["places"]["value"] == 1
    assert composed["pairs"] == 6


def test_who_knows_nothing_has_chance():
    found = Retrieval().run(subject(Knows(False))).numbers
    both = found["text_to_image"], found["image_to_text"]
    assert both[0]["r@1"]["value"] == pytest.approx(both[0]["r@1"]["chance"])
    assert both[0]["r@10"]["value"] == pytest.approx(10 / 12)
    # all images are alike, so a caption of whichever image is the best for all
    assert both[1]["r@1"]["value"] < 0.5
    assert Spectrum().run(subject(Knows(False))).numbers["value"] == pytest.approx(1, abs=0.1)


def test_intervals_hold_the_value_and_chance_is_told():
    torch.manual_seed(0)
    found = Retrieval(each=1).run(subject(llip())).numbers
    for way in ("text_to_image", "image_to_text"):
        for hits in found[way].values():
            assert hits["low"] <= hits["value"] <= hits["high"]
            assert 0 < hits["chance"] <= 1


def llip():
    config = LlipConfig(
        ViTConfig(16, 8, 24, 1, 3, registers=2), TextConfig(24, 1, 3, vocabulary=300), MixtureConfig(out=24, heads=3)
    )
    return Llip(config).eval()


def test_a_report_has_words_beside_those_of_the_untrained_network():
    report = evaluate(llip(), pictures(), pictures(), measures=ALL, progress=False)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert not report["left_out"]
    assert {"value", "low", "high"} <= report["retrieval"]["text_to_image"]["r@1"].keys()
    assert {"value", "low", "high"} <= report["zero_shot"]["accuracy"].keys()
    assert report["retrieval"]["untrained"]["difference"]
    assert "pixels" not in report["retrieval"]  # pixels know no words
    assert report["spectrum"]["singular_values"][0] == 1
    console = Console(width=110, record=True, file=None)
    with console.capture() as shown:
        console.print(table(report, ALL))
    for words in ("by captions, R@1", "captions by images, R@10", "zero-shot, 4 classes", "places exchanged"):
        assert words in shown.get()


def test_without_captions_or_words_they_are_left_out_for_one_reason(images, world_model):
    report = evaluate(world_model(), images(12), images(8, seed=1), measures=ALL, controls=False, progress=False)
    reasons = set(report["left_out"].values())
    assert len(report["left_out"]) == 4
    assert reasons == {
        "measuring with words needs a model that knows words; IWM does not: "
        "the shipped llip-mini does, or name a folder of CLIP or SigLIP"
    }
    plain = evaluate(llip(), images(12), images(8, seed=1), measures=ALL, controls=False, progress=False)
    assert plain["left_out"].keys() == {"retrieval", "composition", "spectrum"}
    assert "captions:512" in plain["left_out"]["retrieval"]
    assert plain["zero_shot"]["classes"] == 3


def test_scenes_that_are_made_say_which_found_images_are_true(tmp_path):
    from foretell.data import Captions, load

    few = load("captions:8", Captions(16), cache_dir=tmp_path, progress=False)
    found = Retrieval(each=2).run(subject(llip(), few)).numbers["text_to_image"]["true@1"]
    assert 0 <= found["chance"] <= 1
    assert found["low"] <= found["value"] <= found["high"]


@pytest.mark.filterwarnings("default")  # the command prints it
def test_the_command_measures_pictures_without_captions_and_says_so(tmp_path, capsys):
    folder, out = hub.save(llip(), tmp_path / "words"), tmp_path / "report.json"
    for name in ("red", "blue"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(5):
            Image.new("RGB", (16, 16), name).point(lambda v, i=i: min(v + i, 255)).save(
                tmp_path / "pictures" / name / f"{i}.png"
            )
    data = ["--data", str(tmp_path / "pictures"), "--no-controls", "--out", str(out)]
    main(["evaluate", str(folder), *data])
    assert "measured without captions" in capsys.readouterr().err
    report = json.loads(out.read_text())
    assert report["zero_shot"]["classes"] == 2
    assert report["retrieval"] is None
