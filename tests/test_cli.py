"""The commands as a user types them: their output, their files, their errors."""

import json
import os
import subprocess
import sys

import av
import numpy as np
import pytest
import torch
from PIL import Image

from foretell import hub
from foretell.cli import COMMANDS, main
from foretell.masking import TubeMasks
from foretell.methods import IJEPA, IWM, VEDIT, VJEPA, IJEPAConfig, IWMConfig, VEDITConfig, VJEPAConfig
from foretell.nn.dit import DiTConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.recipes import RECIPES

TINY = (
    "--model.encoder.image-size 16 --model.encoder.patch-size 4 --model.encoder.width 32 --model.encoder.depth 1 "
    "--model.encoder.heads 2 --model.predictor.width 16 --model.predictor.depth 1 --model.predictor.heads 2 "
    "--steps 2 --batch 4 --device cpu"
).split()
ENCODER, PREDICTOR = ViTConfig(16, 4, 32, 1, 2), PredictorConfig(16, 1, 2)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def photos(tmp_path):
    chance = np.random.default_rng(0)
    for n in range(30):
        folder = tmp_path / "photos" / ("dark" if n % 2 else "light")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = chance.integers(0, 120, (16, 18, 3), dtype=np.uint8) + (0 if n % 2 else 120)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{n}.png")
    return tmp_path / "photos"


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    return hub.save(IWM(IWMConfig(ENCODER, PREDICTOR)), tmp_path / "model")


def fails(capsys, *args):
    """Run a command that must fail; the one sentence it says."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    assert stop.value.code not in (0, None)
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith("foretell: ")
    assert "Traceback" not in said
    return said


def runs(capsys, *args):
    main([str(a) for a in args])
    return capsys.readouterr()


def test_train_evaluate_finetune_and_imagine_follow_each_other(photos, tmp_path, capsys):
    run, tuned, picture = tmp_path / "run", tmp_path / "tuned", tmp_path / "grid.png"
    runs(capsys, "train", "iwm", "--data", photos, "--out", run, *TINY)
    sizes = ("--bank", 8, "--images", 4, "--queries", 2)
    report = json.loads(runs(capsys, "evaluate", run, "--data", photos, "--json", *sizes).out)
    assert {"linear", "attentive", "knn", "rankme", "lidar", "mrr"} <= report.keys()
    assert {"value", "chance", "hits@1", "hits@5", "hits@10", "per_action"} <= report["mrr"].keys()
    assert report["data"]["seen"]  # a folder without splits: the run learned from all of it
    table = runs(capsys, "evaluate", run, "--data", photos, *sizes).out
    assert "MRR" in table
    assert "learned from the test images" in table
    assert (
        json.loads(runs(capsys, "evaluate", "iwm-mini", "--data", photos, "--json", *sizes).out)["data"]["seen"]
        is False
    )

    said = runs(capsys, "finetune", run, "--data", photos, "--out", tuned, "--steps", 2, "--batch", 4).out
    assert "accuracy" in said
    assert json.loads((tuned / "report.json").read_text())["mode"] == "predictor"

    runs(capsys, "imagine", run, photos / "dark" / "1.png", "--out", picture, "--hue", 0.05, "--blur", 1, "--bank", 8)
    with Image.open(picture) as grid:
        assert grid.width > 500


def test_video_models_are_probed_on_folders_and_scenes(tmp_path, capsys):
    encoder = VideoViTConfig(image_size=16, patch_size=8, width=24, depth=1, heads=2, frames=8)
    model = hub.save(VJEPA(VJEPAConfig(encoder, PredictorConfig(12, 1, 2), TubeMasks(visible=0.5))), tmp_path / "model")
    rows = ["path"]
    for n in range(20):
        kind = "bright" if n % 2 else "dark"
        path = tmp_path / "videos" / kind / f"{n}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as film:
            stream = film.add_stream("libx264", rate=8)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
            for t in range(8):
                picture = np.full((16, 16, 3), 150 * (n % 2) + 4 * n + t, np.uint8)
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            film.mux(stream.encode())
        rows.append(f"videos/{kind}/{n}.mp4")
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(rows))
    for data, classes in ((tmp_path / "videos", 2), ("scenes:24", 7)):
        report = json.loads(runs(capsys, "evaluate", model, "--data", data, "--json").out)
        assert report["data"]["classes"] == classes
        for probe in ("linear", "attentive", "knn"):
            assert 0 <= report[probe]["low"] <= report[probe]["value"] <= report[probe]["high"] <= 1
        assert classes == 7 or report["attentive"]["value"] == 1
    assert "Probes need labels of two classes or more" in runs(capsys, "evaluate", model, "--data", bare).out


def test_several_data_sets_tune_one_predictor(photos, model, tmp_path, capsys):
    other = tmp_path / "other"
    other.symlink_to(photos)
    args = ("finetune", model, "--data", photos, other, "--out", tmp_path / "out", "--steps", 1, "--batch", 4, "--json")
    assert set(json.loads(runs(capsys, *args).out)["tasks"]) == {str(photos), str(other)}


def test_a_sweep_is_drawn_where_no_change_is_asked_for(photos, model, tmp_path, capsys):
    runs(capsys, "imagine", model, photos / "dark" / "1.png", "--out", tmp_path / "grid.png", "--bank", 32)
    assert (tmp_path / "grid.png").stat().st_size > 1000


def test_the_flags_of_imagine_are_the_models_own(model, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["imagine", str(model), "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert all(f"--{name}" in said for name in ("brightness", "contrast", "saturation", "hue", "grayscale", "blur"))


def test_models_lists_what_ships_and_prints_cards(capsys):
    with pytest.raises(SystemExit):
        main(["models", "--help"])
    assert "usage: foretell models [-h] [NAME]" in capsys.readouterr().out
    names = runs(capsys, "models").out.split()
    assert names == hub.models()
    for name in names:
        assert runs(capsys, "models", name).out.strip() == hub.card(name).strip()


@pytest.mark.filterwarnings("default::foretell.errors.ForetellWarning")
def test_export_and_load_go_round(model, photos, tmp_path, capsys):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    assert runs(capsys, "export", model, "--out", theirs).out.strip() == str(theirs)
    names = {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"}
    assert {path.name for path in theirs.iterdir()} == names
    said = runs(capsys, "export", theirs, "--out", ours, "--format", "foretell", "--dtype", "float16").err
    assert said.startswith(f"foretell: {theirs} holds an encoder only")
    assert said.count("\n") == 1
    x = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(hub.load(ours).encode(x), hub.load(model).target_encoder(x), atol=0.02, rtol=0)

    assert "predictor-random or encoder" in fails(capsys, "finetune", ours, "--data", photos, "--out", tmp_path / "o")
    assert "not an empty folder" in fails(capsys, "export", model, "--out", ours)
    assert "--format" in fails(capsys, "export", model, "--out", tmp_path / "o", "--format", "onyx")


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), *(["train", name] for name in RECIPES)])
def test_every_command_explains_itself(command, capsys):
    if command in ([], ["train"]):
        with pytest.raises(SystemExit) if command else _nothing():
            main([*command, "--help"])
    else:
        with pytest.raises(SystemExit) as stop:
            main([*command, "--help"])
        assert stop.value.code == 0
    assert len(capsys.readouterr().out) > 100


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("dream", "not a command"),
        ("train", "needs a METHOD"),
        ("train dino --data d --out o", "'dino'"),
        ("train iwm --out o", "--data"),
        ("train iwm --data d --out o --stpes 3", "--steps"),
        ("train iwm --data d --out o --steps many", "--steps"),
        ("train iwm --data /no/such --out o", "/no/such"),
        ("train iwm --data d --out o --steps 0", "steps is 0"),
        ("train iwm --data d --out o --model.encoder.image-size 65", "image_size 65"),
        ("train iwm --data d --out o --model.encoder.heads 5", "heads 5"),
        ("train iwm --data photographs --out o --device warp", "device 'warp'"),
        ("evaluate nothing --data photographs", "no model 'nothing'"),
        ("evaluate", "MODEL"),
        ("finetune nothing --data photographs --out o", "no model 'nothing'"),
        ("imagine", "needs a MODEL"),
        ("imagine nothing x.jpg --out o.png", "no model 'nothing'"),
        ("models nothing", "not a shipped model"),
        ("scenes", "--out"),
        ("scenes --out o --pairs levity", "expected one of permanence"),
        ("scenes --out o --pairs all --n 3", "n is 3, expected an even number"),
        ("scenes --out o --size 8", "--size is 8, expected at least 16"),
        ("scenes --out o --hidden", "add --pairs PROPERTY"),
        ("evaluate m --data d --bank 0", "--bank is 0, expected at least 1"),
        ("evaluate m --data d --images -1", "--images is -1"),
        ("evaluate m --data d --queries -3", "--queries is -3"),
        ("claims run all --seeds 0", "--seeds is 0"),
        ("uncertainty m x.jpg --out o.png --contexts -1", "--contexts is -1"),
        ("uncertainty m x.jpg --out o.png --draws 0", "--draws is 0, expected at least 2"),
        ("surprise m v --stride 0", "--stride is 0"),
        ("surprise --benchmark intphys --data d --skip -1", "--skip is -1"),
        ("surprise --benchmark pairs --data d --skip 3", "--skip needs a published set"),
        ("surprise --benchmark scenes --plot p.png", "--plot draws curves of videos"),
        ("surprise --benchmark scenes --data d", "--data is the folder of a benchmark other than scenes"),
        ("surprise --benchmark scenes --pairs 0", "--pairs is 0, expected at least 1"),
    ],
)
def test_wrong_input_ends_in_one_sentence(args, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in fails(capsys, *args.split())


@pytest.mark.parametrize(
    ("command", "picture"),
    [
        ("evaluate nothing --data photographs --out", False),
        ("uncertainty nothing x.jpg --out", True),
        ("surprise nothing v.mp4 --plot", True),
        ("plan nothing now.png goal.png --plot", True),
        ("knowledge export k --store s --out", False),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(command, picture, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.png").write_text("kept")
    cases = {"folder.png": "is a folder", "file.png/o.png": "cannot be written (Not a directory)"}
    cases |= {"n" * 300 + ".png": "cannot be written (File name too long)"}
    cases |= dict.fromkeys(("o.xyz", "o"), "expected one that ends in .png, ") if picture else {}
    for path, said in cases.items():
        assert said in fails(capsys, *command.split(), path)
    for path in ("new/o.png", "file.png"):  # these can be, so that the next complaint is heard
        assert path not in fails(capsys, *command.split(), path)
    assert (tmp_path / "file.png").read_text() == "kept"
    assert not list((tmp_path / "new").iterdir())


@pytest.fixture
def forecaster(tmp_path):
    """A model that reads no pictures."""
    config = VEDITConfig(DiTConfig(width=16, depth=1, heads=2), channels=8, steps=("a", "b"), horizon=2)
    return hub.save(VEDIT(config), tmp_path / "forecaster")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("uncertainty {} none.png --out o.png", "uncertainty about places needs a model that predicts patch latents"),
        ("features {} --data none --out f.npz", "reads no images or clips"),
        ("finetune {} --data none --out o", "finetuning needs a model that predicts patch latents"),
        ("label {} none.png --labels a b", "labelling needs a model that knows words"),
        ("surprise {} none.mp4", "surprise needs a model that predicts the rest of a clip"),
        ("plan {} none.png none.png", "planning needs a model that foresees what actions do"),
        ("discover {photos} --features {} --out o", "reads no pictures"),
        ("robust {photos} --features {} --groups none --algorithm erm --out o", "reads no pictures"),
    ],
)
def test_a_model_is_asked_before_what_it_would_read(command, said, forecaster, photos, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    told = fails(capsys, *command.format(forecaster, photos=photos).split())
    assert said in told
    assert "none" not in told


def test_features_of_a_model_of_words_need_no_captions(photos, tmp_path, capsys):
    runs(capsys, "features", "llip-mini", "--data", photos, "--out", tmp_path / "f.npz")
    assert len(np.load(tmp_path / "f.npz")["features"]) == 30


def test_wrong_pictures_and_changes_end_in_one_sentence(model, photos, tmp_path, capsys):
    picture, out = photos / "dark" / "1.png", tmp_path / "o.png"
    assert "hue is 3" in fails(capsys, "imagine", model, picture, "--out", out, "--hue", 3)
    assert "o.xyz is not the name of a picture" in fails(capsys, "imagine", model, picture, "--out", tmp_path / "o.xyz")
    assert "a folder, expected a file" in fails(capsys, "imagine", model, tmp_path, "--out", out)
    assert "none.png" in fails(capsys, "imagine", model, tmp_path / "none.png", "--out", out)
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    assert "bad.png" in fails(capsys, "imagine", model, tmp_path / "bad.png", "--out", out)
    plain = hub.save(IJEPA(IJEPAConfig(ENCODER, PREDICTOR)), tmp_path / "plain")
    assert "action" in fails(capsys, "imagine", plain, picture, "--out", out)


def test_scenes_are_written_to_look_at(tmp_path, capsys):
    runs(capsys, "scenes", "--out", tmp_path / "clips", "--n", 2, "--size", 16, "--frames", 8)
    out = runs(capsys, "scenes", "--out", tmp_path / "pairs", "--pairs", "all", "--n", 2, "--size", 16).out
    assert "collision-visible.png" in out
    assert len(json.loads((tmp_path / "clips" / "scenes.json").read_text())) == 2
    assert len(list((tmp_path / "pairs").glob("*-visible/*possible/*.mp4"))) == 9 * 4
    from foretell.data import Clips, load

    videos = load(tmp_path / "clips", Clips(16, frames=8), progress=False)
    assert (len(videos), videos.skipped) == (2, ())
    with Image.open(tmp_path / "pairs" / "shape-visible.png") as strips:
        assert strips.height == 4 * 18
        assert strips.width > 16 * 18 + 40  # names stand before the strips


def test_what_is_there_is_not_written_over(model, photos, capsys):
    assert "not an empty folder" in fails(capsys, "finetune", model, "--data", photos, "--out", model)


def test_the_command_is_installed():
    done = subprocess.run([sys.executable, "-m", "foretell", "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.strip().startswith("0.")


def test_a_reader_that_leaves_ends_it_quietly():
    """As `head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    code = "from foretell.cli import main; main(['--version'])"
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("to", ["/dev/full", "/dev/null"])
def test_output_that_cannot_take_it_is_a_sentence(to):
    """A terminal without the letters gets a question mark; a full disk is said."""
    narrow = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with open(to, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "foretell", "models", "vjepa-deep"],
            env=narrow,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
    if to == "/dev/full":
        assert (done.returncode, done.stderr) == (1, "foretell: cannot write: No space left on device\n")
    else:
        assert (done.returncode, done.stderr) == (0, "")
