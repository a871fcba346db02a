"""Commands that use what was trained: features and predictions in files, warm starts, settings of another run."""

import json
import re
import subprocess

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from foretell import finetune, hub
from foretell.cli import COMMANDS, main
from foretell.data import Vectors, load
from foretell.errors import ForetellError
from foretell.finetune.classifier import WorldModelClassifier
from foretell.methods import IWM, IWMConfig, VICReg, VICRegConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import ViTConfig
from foretell.train.run import warm

ENCODER, PREDICTOR = ViTConfig(16, 4, 32, 1, 2), PredictorConfig(16, 1, 2)
TINY = (
    "--model.encoder.image-size 16 --model.encoder.patch-size 4 --model.encoder.width 32 --model.encoder.depth 1 "
    "--model.encoder.heads 2 --model.predictor.width 16 --model.predictor.depth 1 --model.predictor.heads 2 "
    "--steps 1 --batch 4 --monitor-every 0 --device cpu"
).split()


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def photos(tmp_path):
    chance = np.random.default_rng(0)
    for n in range(8):
        folder = tmp_path / "photos" / ("dark" if n % 2 else "light")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{n}.png")
    (tmp_path / "photos" / "light" / "9.png").write_bytes(b"no picture")
    return tmp_path / "photos"


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    return hub.save(IWM(IWMConfig(ENCODER, PREDICTOR)), tmp_path / "model")


def fails(capsys, *args):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    said = capsys.readouterr().err
    assert stop.value.code in (1, 2)
    assert "Traceback" not in said
    return said


def test_features_are_written_with_classes_and_files(photos, model, tmp_path, capsys):
    for name in ("f.npz", "f.parquet"):
        main(["features", str(model), "--data", str(photos), "--out", str(tmp_path / name), "--device", "cpu"])
        assert "8 rows of 32 numbers with classes and files" in capsys.readouterr().out
    found = np.load(tmp_path / "f.npz")
    expected = hub.load(model).features(load(photos, 16).take(range(8)).float() / 255).detach()
    np.testing.assert_allclose(found["features"], expected, atol=1e-5)
    assert found["labels"].tolist() == ["dark"] * 4 + ["light"] * 4
    assert found["files"].tolist() == [f"dark/{n}.png" for n in (1, 3, 5, 7)] + [f"light/{n}.png" for n in (0, 2, 4, 6)]
    table = pq.read_table(tmp_path / "f.parquet").to_pydict()
    assert table["file"] == found["files"].tolist()
    np.testing.assert_array_equal(np.array(table["features"], np.float32), found["features"])
    for name in ("f.npz", "f.parquet"):  # what other commands read
        rows = load(tmp_path / name, Vectors())
        assert (len(rows), rows.classes, rows.columns["features"].shape) == (8, ("dark", "light"), (32,))


def test_features_ends_in_a_sentence(photos, model, tmp_path, capsys):
    args = ("features", model, "--data", photos, "--out")
    assert "f.csv is not the name of a table, expected one that ends in .npz" in fails(
        capsys, *args, tmp_path / "f.csv"
    )
    assert "names no test split" in fails(capsys, *args, tmp_path / "f.npz", "--split", "test")


def test_pictures_are_classified(photos, model, tmp_path, capsys):
    folder = finetune.save_classifier(WorldModelClassifier(hub.load(model), ("dark", "light")), tmp_path / "tuned")
    pictures = [str(photos / "dark" / "1.png"), str(photos / "light" / "0.png")]
    main(["classify", str(folder), *pictures, "--json", "--device", "cpu"])
    found = json.loads(capsys.readouterr().out)
    classifier = finetune.load_classifier(folder)
    expected = classifier.classify(pictures)
    assert [(each["image"], each["label"]) for each in found] == list(
        zip(pictures, (n for n, _ in expected), strict=True)
    )
    assert [each["probability"] for each in found] == pytest.approx([p for _, p in expected], abs=1e-5)
    main(["classify", str(folder), pictures[0], "--device", "cpu"])
    assert f"{pictures[0]}: {expected[0][0]} {expected[0][1]:.1%}" in capsys.readouterr().out
    said = fails(capsys, "classify", folder, *pictures, photos / "light" / "9.png", "--device", "cpu")
    assert "9.png: not an image" in said
    assert "1 of 3 pictures could not be read" in said
    assert "knows one task: leave --task out" in fails(capsys, "classify", folder, pictures[0], "--task", "a")
    assert "not a classifier" in fails(capsys, "classify", model, pictures[0])
    assert "needs a MODEL and an IMAGE" in fails(capsys, "classify", folder)


def test_a_run_begins_with_the_weights_of_a_model(photos, model, tmp_path, capsys):
    """Other settings may differ: a deeper predictor here. At rate 0 the encoder stays what it was."""
    still = ["--lr", "0", "--lr-start", "0", "--lr-end", "0"]
    flags = ["--data", str(photos), *TINY, "--model.predictor.depth", "2", *still]
    main(["train", "iwm", *flags, "--out", str(tmp_path / "run"), "--init", str(model)])
    said = capsys.readouterr().err
    assert "begin as they were drawn: predictor.blocks.1." in said
    made, given = hub.load(tmp_path / "run"), hub.load(model)
    for name, tensor in given.context_encoder.state_dict().items():
        assert torch.equal(made.context_encoder.state_dict()[name], tensor)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["init"] == str(model)
    assert "no model 'nothing'" in fails(capsys, "train", "iwm", *flags, "--out", tmp_path / "b", "--init", "nothing")


def test_a_model_of_which_nothing_fits_is_refused(model):
    other = VICReg(VICRegConfig(ResNetConfig("resnet18", 16)))
    with pytest.raises(ForetellError, match=r"none of its .* tensors fits this model, expected some of one shape"):
        warm(other, str(model))


def test_the_settings_of_a_run_are_taken_from_its_file(photos, tmp_path, capsys):
    run = tmp_path / "run"
    main(["train", "iwm", "--data", str(photos), "--out", str(run), *TINY, "--lr", "0.0007"])
    for place in (run / "config.json", run):
        again = tmp_path / f"again-{place.name}"
        args = ["--data", str(photos), "--out", str(again), "--config", str(place), "--batch", "2"]
        main(["train", "iwm", *args])
        before, after = (json.loads((folder / "config.json").read_text()) for folder in (run, again))
        assert after["model"] == before["model"]
        assert after["train"] == before["train"] | {"batch": 2}
    capsys.readouterr()
    args = ("--data", photos, "--out", tmp_path / "o", "--config")
    assert "method is 'iwm', expected 'ijepa'" in fails(capsys, "train", "ijepa", *args, run)
    assert "nowhere is missing" in fails(capsys, "train", "iwm", *args, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "'trian' is not a command (did you mean 'train'?)"),
        (["train", "imw"], "'imw' is not one (did you mean 'iwm'?)"),
        (["train", "i-jepa"], "(did you mean 'ijepa'?)"),
        (["evaluate", "iwm-mni", "--data", "x"], "there is no model 'iwm-mni' (did you mean 'iwm-mini'?)"),
        (["zzzz"], "'zzzz' is not a command; there are"),
        (["--completion", "csh"], "expected one of bash, zsh, fish"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistyped_name_is_met_with_the_one_that_was_meant(words, said, capsys):
    assert said in fails(capsys, *words)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_names_of_commands(shell, capsys):
    main(["--completion", shell])
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)
    if shell == "bash":
        script = out + "\nCOMP_WORDS=(foretell fea) COMP_CWORD=1; _foretell; echo ${COMPREPLY[@]}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "features"


def test_imagine_says_what_it_wrote_and_the_rank(photos, model, tmp_path, capsys):
    args = ["imagine", str(model), str(photos / "dark" / "1.png"), "--out", str(tmp_path / "o.png"), "--bank", "8"]
    main([*args, "--hue", "0.05"])
    assert re.search(
        r"wrote .*o\.png: by the model's prediction the picture that was asked for is number [1-8] of 8",
        capsys.readouterr().out,
    )
    main([*args, "--sweep", "hue"])
    assert "the pictures of 7 changes are number" in capsys.readouterr().out
