"""Labels for pictures: by a model that knows, by a small Llip, and the command."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from foretell import hub
from foretell.cli import main
from foretell.errors import ForetellError
from foretell.label import ask, draw
from foretell.methods import IJEPA, IJEPAConfig, Llip, LlipConfig
from foretell.nn.mixture import MixtureConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import ViTConfig

LABELS = ["a red apple", "a dog", "a tree"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    encoder = ViTConfig(16, 8, 24, 2, 3, registers=2, init_std=None)
    return Llip(LlipConfig(encoder, TextConfig(24, 1, 3, vocabulary=300), MixtureConfig(out=24, heads=3))).eval()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return hub.save(model, tmp_path_factory.mktemp("model") / "words")


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "red.png"
    Image.fromarray(np.full((20, 24, 3), (200, 30, 30), np.uint8)).save(path)
    return path


def test_shares_add_up_and_the_label_is_the_best(model):
    found = ask(model, torch.rand(2, 3, 16, 16), LABELS)
    for one in found:
        assert list(one.scores) == LABELS
        assert sum(one.scores.values()) == pytest.approx(1)
        assert one.scores[one.label] == max(one.scores.values())
        assert max(one.cosines, key=lambda name: one.cosines[name]) == one.label
        assert one.looked.shape == (3, 2, 2)
        torch.testing.assert_close(one.looked.sum((1, 2)), torch.ones(3))


def test_scores_are_cosines_of_templates_averaged_before_mixing(model):
    x = torch.rand(1, 3, 16, 16)
    one = ask(model, x, LABELS, templates=["{}", "see {}"])[0]
    g = torch.stack([model.caption_vectors([text, f"see {text}"]).mean(0) for text in LABELS])
    cosine = model.similarity(model.outputs(x), g)[0]
    assert list(one.cosines.values()) == pytest.approx(cosine.tolist(), abs=1e-6)
    expected = (cosine * model.scale).softmax(0)
    assert list(one.scores.values()) == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_look_is_the_registers_attention_weighted_by_the_label(model):
    x = torch.rand(1, 3, 16, 16)
    one = ask(model, x, LABELS, templates=["{}"])[0]
    encoder = model.encoder
    h, _ = encoder._tokens(x, None)
    h = encoder.blocks[0](h)
    attn, y = encoder.blocks[1].attn, encoder.blocks[1].norm1(h)
    q, k, _ = attn.qkv(y).unflatten(-1, (3, 3, -1)).permute(2, 0, 3, 1, 4)
    shares = (q @ k.mT / 8**0.5).softmax(-1).mean(1)[0, :2, 2:]
    shares = shares / shares.sum(-1, keepdim=True)
    weights = model.mixture.weights(model.outputs(x), model.caption_vectors(LABELS))[0].mean(1)
    torch.testing.assert_close(one.looked.flatten(1), weights @ shares)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([], "found no label, expected two or more"),
        (["a dog"], "found only 'a dog'"),
        (["a dog", " "], "label 2 of 2 is empty"),
        (["a dog", "A  Dog"], "are alike"),
    ],
)
def test_labels_that_say_nothing_are_refused(model, labels, said):
    with pytest.raises(ForetellError, match=said):
        ask(model, torch.rand(1, 3, 16, 16), labels)


def test_the_command_prints_json_and_draws(saved, photograph, tmp_path, capsys):
    out = tmp_path / "new" / "labels.png"
    main(["label", str(saved), str(photograph), "--labels", *LABELS, "--json", "--out", str(out)])
    told = json.loads(capsys.readouterr().out)
    assert told[0].keys() == {"image", "label", "scores"}
    assert told[0]["image"] == str(photograph)
    assert told[0]["label"] in LABELS
    with Image.open(out) as drawn:
        assert drawn.width > 400


def test_the_command_prints_a_line_a_picture_and_goes_on_after_a_bad_one(saved, photograph, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    with pytest.raises(SystemExit) as stop:
        main(["label", str(saved), str(bad), str(photograph), "--labels", *LABELS])
    shown = capsys.readouterr()
    assert stop.value.code == 1
    assert shown.out.startswith(f"{photograph}: a ")
    assert "1 of 2 pictures could not be read" in shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["label"], "needs a MODEL and an IMAGE"),
        (["label", "MODEL", "IMAGE"], "found no label"),
        (["label", "MODEL", "IMAGE", "--labels", "a dog", "a dog"], "are alike"),
        (["label", "MODEL", "missing.png", "--labels", "a dog", "a cat"], "missing.png"),
        (["label", "MODEL", "IMAGE", "--labels", "a dog", "a cat", "--out", "x.txt"], "--out x.txt"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(words, said, saved, photograph, capsys):
    given = {"MODEL": str(saved), "IMAGE": str(photograph)}
    with pytest.raises(SystemExit):
        main([given.get(word, word) for word in words])
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_model_without_words_names_one_that_has_them(photograph, tmp_path, capsys):
    encoder = ViTConfig(16, 8, 24, 1, 3)
    hub.save(IJEPA(IJEPAConfig(encoder, PredictorConfig(12, 1, 3))), tmp_path / "blind")
    with pytest.raises(SystemExit):
        main(["label", str(tmp_path / "blind"), str(photograph), "--labels", "a dog", "a cat"])
    assert (
        "labelling needs a model that knows words; IJEPA does not: the shipped llip-mini does"
        in capsys.readouterr().err
    )


def test_there_is_nothing_to_draw():
    with pytest.raises(ForetellError, match="nothing to draw"):
        draw([])
