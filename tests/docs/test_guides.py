"""The guides of docs/guides, followed as they stand there: every command and every line of Python."""

import json
import re
import shlex
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foretell.cli import main
from foretell.data.photographs import FOLDER, PHOTOGRAPHS

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
SOONER = {
    "--steps 30\n": "--steps 1 --batch 8 --monitor-every 0\n",
    "--steps 200\n": "--steps 1 --batch 2 --monitor-every 0\n",
    "--steps 2000 --checkpoint-every 500\n": "--steps 2 --batch 8 --monitor-every 0\n",
    "--mode predictor\n": "--mode predictor --steps 2\n",
    "runs/slides --data slides\n": "runs/slides --data slides --images 4 --queries 2 --bank 16\n",
    "--pairs 4\n": "--pairs 2 --context 8\n",
    "--steps 500": "--steps 60",
}
"""What the tests make shorter; nothing else is changed."""


def followed(name, capsys):
    """Run all blocks of a guide, one after the other; what each command printed, by the command."""
    text = (GUIDES / f"{name}.md").read_text(encoding="utf-8")
    told = {}
    for kind, block in re.findall(r"```(\w+)\n(.*?)```", text, re.S):
        if kind == "python":
            exec(block, {})
            continue
        assert kind == "sh"
        for long, short in SOONER.items():
            block = block.replace(long, short)
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["pip"]:
                continue
            assert words[0] == "foretell"
            capsys.readouterr()
            main(words[1:])
            told[line] = capsys.readouterr().out
    return told


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder in which a guide is followed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def photographs(folder):
    """Two crops of each photograph that comes with the package."""
    folder.mkdir()
    for name, file in PHOTOGRAPHS.items():
        image = Image.open(FOLDER / file).convert("RGB")
        side = min(image.size) * 2 // 3
        for number, left in enumerate((0, image.width - side)):
            image.crop((left, 0, left + side, side)).resize((96, 96)).save(folder / f"{name}-{number}.jpg")


def test_search_my_photographs(place, capsys):
    pytest.importorskip("fastapi", reason="needs the extra search")
    photographs(place / "photos")
    told = followed("photographs", capsys)
    first = next(out for line, out in told.items() if "--top 5" in line)
    assert "cat-0.jpg" in first
    words = json.loads(next(out for line, out in told.items() if "red apple" in line))
    assert len(words["results"] if isinstance(words, dict) else words) == 3


def test_find_hidden_shortcuts(place, capsys):
    followed("shortcuts", capsys)
    report = json.loads((place / "found" / "report.json").read_text())
    assert {"flip_rate", "stability", "purity"} <= set(report)
    assert "<html" in (place / "found" / "report.html").read_text(encoding="utf-8")
    for name in ("fair", "plain"):
        assert "worst_group" in json.loads((place / name / "report.json").read_text())


def test_is_my_model_surprised(place, capsys):
    pytest.importorskip("pymunk", reason="needs the extra scenes")
    told = followed("surprise", capsys)
    assert (place / "surprise.png").stat().st_size > 10_000
    assert "untrained" in next(out for line, out in told.items() if "--benchmark" in line)
    assert (place / "runs" / "video" / "model.safetensors").exists()


def test_train_on_my_microscope_images(place, capsys):
    chance = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for number, kind in enumerate("ab"):
            folder = place / "slides" / split / kind
            folder.mkdir(parents=True)
            for index in range(count):
                grain = chance.normal(2000 + 1000 * number, 400, (80, 80)).clip(0, 4095)  # 12 bits of a camera
                Image.fromarray(grain.astype(np.uint16)).save(folder / f"{index}.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        followed("microscope", capsys)
    assert (place / "features.parquet").exists()
    assert (place / "runs" / "classifier" / "report.json").exists()


def test_load_metas_weights(place, capsys):
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    settings = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    theirs = transformers.IJepaModel(transformers.IJepaConfig(**settings, image_size=32, patch_size=8))
    theirs.save_pretrained(place / "ijepa")
    photographs(place / "photos")
    Image.open(FOLDER / PHOTOGRAPHS["cat"]).convert("RGB").save(place / "photo.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that the predictor is not there
        followed("weights", capsys)
    assert transformers.IJepaModel.from_pretrained(place / "for-transformers") is not None


def test_every_guide_is_followed_by_a_test():
    source = Path(__file__).read_text(encoding="utf-8")
    assert {guide.stem for guide in GUIDES.glob("*.md")} == set(re.findall(r'followed\("(\w+)"', source))
