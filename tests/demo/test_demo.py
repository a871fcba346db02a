import base64
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import foretell
from foretell import hub, shipped
from foretell.data import Images, load, photographs
from foretell.demo import MARK, demo, findings, small
from foretell.demo.curves import trace
from foretell.demo.page import render
from foretell.demo.pictures import draw
from foretell.errors import ForetellError
from foretell.methods import IWM, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.recipes import RECIPES
from foretell.train.loop import TrainConfig

TINY = IWMConfig(
    encoder=ViTConfig(image_size=32, patch_size=8, width=32, depth=1, heads=2),
    predictor=PredictorConfig(width=16, depth=1, heads=2),
)


NONE = Images(np.zeros((0, 3, 32, 32), np.uint8), None, (), (), "none")


class Page(HTMLParser):
    """Collects the files that a browser would fetch, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.links, self.fetched, self.words = [], [], [], [], []
        self.code = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "link", "img", "br", "polyline", "path", "rect"):
            self.open.append(tag)
        if tag == "img":
            assert attrs["alt"]
            self.images.append(attrs["src"])
        elif tag == "a":
            self.links.append(attrs["href"])
        elif tag == "code" and attrs.get("class") == "python":
            self.code = "reading"
        assert tag not in ("script", "iframe", "object", "embed", "video", "audio")
        self.fetched += [v for k, v in attrs.items() if k in ("src", "srcset", "data", "href", "poster") and tag != "a"]
        self.fetched += [v for k, v in attrs.items() if k == "style" and "url(" in v]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass  # of SVG: polyline, path, rect

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            assert "url(" not in data
            assert "@import" not in data
        elif self.code == "reading":
            self.code = data
        else:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def patched(tmp_path_factory):
    """A shipped model, and few photographs: of each crop, of each picture ranked, of each version."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("models")
        torch.manual_seed(0)
        hub.save(IWM(TINY), folder / "iwm-tiny")
        patch.setattr(shipped, "SHIPPED", folder)
        patch.setenv("FORETELL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(photographs, "CROPS", {"train": 16, "test": 4})
        patch.setattr(findings, "IMAGES", 4)
        patch.setattr(findings, "QUERIES", 2)
        patch.setattr(findings, "BANK", 8)
        yield patch


@pytest.fixture(scope="module")
def made(patched, tmp_path_factory):
    """A whole demo, and its folder."""
    out = tmp_path_factory.mktemp("out") / "demo"
    return demo(out, minutes=0.02, seed=3, device="cpu"), out


@pytest.fixture(scope="module")
def found(made):
    return json.loads((made[1] / "demo.json").read_text())


@pytest.fixture(scope="module")
def drawn(patched):
    """Pictures of a model with a name that HTML must not take for its own."""
    torch.manual_seed(0)
    images = load("photographs", 32, split="test", seed=0)
    return draw({"fresh": (IWM(TINY), images), "<i>&iwm": (IWM(TINY), images)}, 0)


def test_writes_a_report_its_numbers_and_a_model(made):
    report, out = made
    assert report == out / "report.html"
    assert report.is_file()
    assert foretell.load(out / "run").actions == TINY.augment


def test_needs_nothing_but_itself(made):
    read_page = Page(made[0].read_text(encoding="utf-8"))
    assert read_page.open == []
    assert len(read_page.images) > 50
    assert all(address.startswith("data:") for address in read_page.fetched)
    assert read_page.links == ["https://arxiv.org/abs/2403.00504"]


def test_pictures_decode(made):
    for source in set(Page(made[0].read_text(encoding="utf-8")).images):
        kind, _, data = source.partition(",")
        assert kind == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            image.load()
            assert image.size >= (16, 16)


def test_shows_the_numbers_it_measured(made, found):
    text = Page(made[0].read_text(encoding="utf-8")).text
    for model in found["models"].values():
        rank = model["mrr"]
        for row in (rank, rank["untrained"], *rank["per_action"].values()):
            assert f"{row['value']:.3f}" in text
        assert f"{rank['low']:.3f}–{rank['high']:.3f}" in text
        assert f"{rank['chance']:.3f}" in text
    for name in ("loss", "constant", "copy"):
        assert f"{found['training']['last'][name]:.3f}" in text
    assert f"in {found['training']['steps']:,} steps" in text
    assert found["training"]["seed"] == 3


def test_what_it_tells_to_do_next_works(made):
    said = Page(made[0].read_text(encoding="utf-8"))
    names = {"image": torch.rand(1, 3, 32, 32)}
    exec(said.code, names)
    assert names["latent"].shape == (1, 16, 96)
    assert "foretell train iwm " in said.text
    assert "iwm" in RECIPES
    assert "foretell imagine iwm-tiny " in said.text


def test_starts_anew_in_its_own_folder_and_says_where_the_report_is(made, capsys):
    report, out = made
    (out / "mine.txt").write_text("keep me")
    before = (out / "run" / "config.json").stat().st_ino
    assert demo(out, minutes=0.001, device="cpu") == report
    assert capsys.readouterr().out.splitlines()[-1] == f"The report is {report}: open it in a browser."
    assert (out / "run" / "config.json").stat().st_ino != before
    assert (out / "mine.txt").read_text() == "keep me"


def test_deletes_nothing_that_no_demo_made(patched, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "years-of-work.txt").write_text("keep me")
    with pytest.raises(ForetellError, match="no demo made"):
        demo(tmp_path)
    assert (tmp_path / "run" / "years-of-work.txt").is_file()
    assert not (tmp_path / MARK).exists()
    with pytest.raises(ForetellError, match="no demo made"):
        demo(tmp_path / "run" / "years-of-work.txt")


def test_follows_no_link_to_delete(patched, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    out = tmp_path / "demo"
    out.mkdir()
    (out / MARK).touch()
    (out / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ForetellError, match="cannot write here"):
        demo(out)
    assert (tmp_path / "elsewhere").is_dir()


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan")])
def test_refuses_no_time(minutes, tmp_path):
    with pytest.raises(ForetellError, match="minutes"):
        demo(tmp_path / "out", minutes)
    assert not (tmp_path / "out").exists()


def test_needs_a_shipped_model(monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "models")
    with pytest.raises(ForetellError, match="install it again"):
        demo(tmp_path / "out")


@pytest.mark.parametrize(
    ("seconds", "step", "look", "steps", "monitor_every"),
    [
        (120, 0.1, 1.0, 1120, 140),  # time for all looks
        (120, 0.1, 4.0, 1080, 360),  # for three: they may take a tenth
        (1, 1.0, 10.0, 2, 1),  # for none: two all the same, so that there is a curve
    ],
)
def test_fits_the_time(monkeypatch, seconds, step, look, steps, monitor_every):
    monkeypatch.setattr(small, "_speed", lambda *_, **__: (step, look))
    _, train = small.recipe(TINY.augment, NONE, seconds, 0, torch.device("cpu"))
    assert (train.steps, train.monitor_every) == (steps, monitor_every)


def lines():
    looks = [(n, {"loss": 0.6, "constant": 0.8, "copy": 1.3, "spread": 0.7, "rankme": 9.0}) for n in (50, 100)]
    return [{"step": n, "loss": 1 / n} for n in range(10, 101, 10)] + [{"step": n, "monitor": m} for n, m in looks]


def test_curves_lie_in_their_square():
    drawn = trace(lines())
    assert [line.name for line in drawn["loss"].lines] == ["training", "loss", "constant", "copy"]
    assert drawn["loss"].lines[0].points.startswith("10.00,")
    assert drawn["loss"].lines[0].last == 0.01
    assert [tick.text for tick in drawn["loss"].y] == ["0", "0.5", "1", "1.5"]
    assert drawn["loss"].x[-1].text == "100 steps"
    assert drawn["spread"].healthy == 20
    for chart in drawn.values():
        for line in chart.lines:
            for x, y in (map(float, point.split(",")) for point in line.points.split()):
                assert 0 <= x <= 100
                assert 0 <= y <= 100


def test_escapes_what_it_is_told(found, drawn):
    strange = {"fresh": found["models"]["fresh"], "<i>&iwm": found["models"]["iwm-tiny"]}
    html = render(found | {"models": strange}, drawn, trace(lines()), Path('<script>"out'))
    assert "<script" not in html
    assert "<i>&" not in html
    said = Page(html)
    assert "<i>&iwm" in said.text
    assert json.loads(said.code.split("load(")[1].split(")")[0]) == '<script>"out/run'


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        (
            (0.01, 0.03),
            (0.2, 0.3),
            ["not distinguishable from chance: its", "shipped model knows the effect of a change better"],
        ),
        ((0.03, 0.06), (0.05, 0.1), ["is better than chance", "intervals overlap"]),
        ((0.3, 0.4), (0.001, 0.01), ["is worse than chance", "small one does better"]),
    ],
)
def test_says_what_the_numbers_say(found, drawn, ours, theirs, says):
    def row(model, ends):
        low, high = ends
        rank = model["mrr"] | {"value": (low + high) / 2, "low": low, "high": high, "chance": 0.024}
        return model | {"mrr": rank}

    models = {"fresh": row(found["models"]["fresh"], ours), "<i>&iwm": row(found["models"]["iwm-tiny"], theirs)}
    text = Page(render(found | {"models": models}, drawn, trace(lines()), Path("out"))).text
    for words in says:
        assert words in text


@pytest.mark.parametrize(
    ("loss", "spread", "says"),
    [
        (0.5, 0.7, ["does predict something", "This run is healthy"]),
        (0.9, 0.1, ["only the features that all pictures share", "This run is not healthy"]),
        (1.5, 0.7, ["not learned to predict anything"]),
    ],
)
def test_says_what_the_monitors_say(found, drawn, loss, spread, says):
    last = found["training"]["last"] | {"loss": loss, "constant": 0.8, "copy": 1.3, "spread": spread}
    models = {"fresh": found["models"]["fresh"], "<i>&iwm": found["models"]["iwm-tiny"]}
    told = found | {"models": models, "training": found["training"] | {"last": last}}
    text = Page(render(told, drawn, trace(lines()), Path("out"))).text
    for words in says:
        assert words in text


@pytest.mark.parametrize("reversed_row", [False, True])
def test_rows_that_order_the_models_otherwise_are_explained(found, drawn, reversed_row):
    """A row has versions of its own: the shipped model may lead in all and fall behind in brightness."""

    def scored(model, value, brightness):
        rows = {
            name: one | {"value": brightness if name == "brightness" else value}
            for name, one in model["mrr"]["per_action"].items()
        }
        return model | {"mrr": model["mrr"] | {"value": value, "per_action": rows}}

    models = {
        "fresh": scored(found["models"]["fresh"], 0.05, 0.056),
        "<i>&iwm": scored(found["models"]["iwm-tiny"], 0.1, 0.043 if reversed_row else 0.1),
    }
    text = Page(render(found | {"models": models, "same_banks": True}, drawn, trace(lines()), Path("out"))).text
    assert "Each row has versions of its own" in text
    assert ("the rows of brightness order the two models the other way round" in text) == reversed_row


def test_models_with_other_actions_are_not_compared(found, drawn, patched):
    other = replace(TINY, augment=replace(TINY.augment, hue=0.2))
    images = load("photographs", 32, split="test", seed=0)
    models = {"fresh": (IWM(TINY), images), "<i>&iwm": (IWM(other), images)}
    looks = [{"step": 1, "monitor": found["training"]["last"]}]
    again = findings.find(models, looks, TrainConfig(), len(images), 1.0)
    text = Page(render(again, drawn, trace(lines()), Path("out"))).text
    assert "Compare each with chance" in text
    assert "overlap" not in text
