"""The pages of runs and of claims, and the charts on them."""

import json
import math
import shutil

import pytest
import torch
from selectolax.lexbor import LexborHTMLParser
from tests.app.conftest import make_run

from foretell.app.chart import POINTS, bars, plot
from foretell.app.masks import DRAWN, masks_of
from foretell.claims import CLAIMS
from foretell.hub.files import dump
from foretell.methods import IWMConfig, SimCLRConfig, VJEPAConfig


def texts(page, selector):
    return [" ".join(node.text().split()) for node in LexborHTMLParser(page.text).css(selector)]


def test_runs_are_listed_for_visitors_with_a_key(visit):
    assert visit().get("/runs").status_code == 401
    page = visit("reader").get("/runs")
    assert texts(page, ".runs th a") == ["deep/second & <b>", "first", "third"]
    assert texts(page, ".runs tbody tr:nth-child(2) td") == [
        "iwm", "40 / 40", "0.0250", "0.700", "finished", "better than guessing",
    ]  # fmt: skip


def test_a_run_shows_its_loss_beside_the_guesses(visit):
    client = visit("reader")
    page = client.get("/runs/first")
    assert texts(page, ".chart:first-of-type .legend li") == [
        "in training 0.0250",
        "the model, on fixed problems 0.200",
        "always the average 0.500",
        "a copy of what is near 0.400",
    ]
    assert texts(page, ".chart h2") == ["Loss", "RankMe: directions that the model uses", "kNN accuracy"]
    assert "train.batch" in texts(page, "table th")
    assert not LexborHTMLParser(page.text).css("main img")
    worse = client.get("/runs/deep/second & <b>")
    assert "The model has learned nothing yet" in texts(worse, ".say")[0]
    part = client.get("/runs/first?part=true").text
    assert "<html" not in part
    assert "<svg" in part


def test_a_run_that_trains_is_live(site, visit, monkeypatch):
    monkeypatch.setattr("foretell.train.runs._held", lambda folder: folder.name == "third")
    page = LexborHTMLParser(visit("reader").get("/runs/third").text)
    assert page.css_first("[data-live]").attributes["data-live"] == "/runs/third?part=true"
    assert page.css("script[src*=live]")


def test_two_runs_are_told_apart(visit):
    client = visit("reader")
    page = client.get("/runs", params={"one": "first", "other": "deep/second & <b>"})
    assert texts(page, "tbody th, tbody td") == ["train.seed", "0", "1"]
    assert texts(page, ".chart:first-of-type .legend li") == ["first 0.0250", "deep/second & <b> 0.100"]
    assert client.get("/runs?one=first&other=first").status_code == 400


@pytest.mark.parametrize("name", ["nobody", "../runs0", "%2e%2e/x", "first/../../x", "/etc", "first%00"])
def test_no_other_folder_is_shown(visit, name):
    answer = visit("reader").get(f"/runs/{name}")
    assert answer.status_code == 404
    assert "/tmp" not in answer.text


def test_claims_are_listed_with_their_verdicts(visit):
    page = visit().get("/claims")
    assert texts(page, ".cards h2") == list(CLAIMS)
    assert set(texts(page, ".cards .verdict")) <= {"holds", "fails", "undecided", "not run"}
    name = "ijepa-targets"
    one = visit().get(f"/claims/{name}")
    assert texts(one, "h1") == [name]
    assert [title in CLAIMS[name].finding or title for title in texts(one, ".chart h2")]
    assert len(texts(one, "table tbody tr")) == len(CLAIMS[name].expects)
    assert visit().get("/claims/none").status_code == 404


def test_a_line_of_a_chart_is_where_its_values_are():
    drawn = plot("loss", {"a": ("A", [(0, 1.0), (10, 0.5), (20, math.nan)]), "b": ("B", [])})
    assert [line.kind for line in drawn.lines] == ["a"]
    assert [mark.text for mark in drawn.y] == ["0", "0.5", "1"]
    assert drawn.lines[0].points == "46,0 686,110"
    assert [mark.text for mark in drawn.x] == ["0", "5", "10"]
    assert plot("none", {"a": ("A", [])}) is None
    many = plot("many", {"a": ("A", [(step, 1.0) for step in range(10_000)])})
    assert len(many.lines[0].points.split()) <= POINTS
    assert plot("flat", {"a": ("A", [(0, 0.0)])}).lines[0].points


def test_rows_of_estimates_have_their_intervals():
    drawn = bars("MRR", {"one": (0.5, 0.4, 0.6), "two": (1.0, -math.inf, math.inf), "none": (math.nan, 0, 1)})
    assert [row.name for row in drawn.rows] == ["one", "two"]
    one, two = drawn.rows
    assert one.low < one.at < one.high
    assert two.low == two.at == two.high > one.at
    assert bars("none", {}) is None


def squares(path):
    return {tuple(map(int, square.split("h")[0].split())) for square in path.split("M")[1:]}


def test_the_masks_of_a_run_are_drawn():
    config = IWMConfig()
    drawn = masks_of({"method": "iwm", "model": dump(config), "train": {"seed": 3}})
    assert len(drawn) == DRAWN
    seen, _ = config.masks.draw(torch.Generator().manual_seed(3), config.encoder.grid, DRAWN)
    assert squares(drawn[1].seen) == {(place % 8, place // 8) for place in seen[1].tolist()}
    assert not any(squares(mask.seen) & squares(mask.asked) for mask in drawn)
    clip = masks_of({"method": "vjepa", "model": dump(VJEPAConfig())})
    rows, columns = clip[0].rows, clip[0].columns
    assert len(clip) == VJEPAConfig().encoder.grid[0]
    assert all(len(squares(mask.seen) | squares(mask.asked)) == rows * columns for mask in clip)
    for strange in ({"method": "nobody", "model": {}}, {"method": "iwm", "model": {"x": 1}}, {"method": "iwm"}):
        assert masks_of(strange) == []
    assert masks_of({"method": "simclr", "model": dump(SimCLRConfig())}) == []


def test_a_run_shows_its_masks(site, visit):
    folder = make_run(site.runs / "masked")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model": dump(IWMConfig())}))
    try:
        page = visit("reader").get("/runs/masked")
        assert len(LexborHTMLParser(page.text).css(".masks svg")) == DRAWN
    finally:
        shutil.rmtree(folder)
