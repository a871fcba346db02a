import html.parser
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from foretell.cli import main
from foretell.data import Images
from foretell.data.images.grouped import GroupedImages
from foretell.robust.discovery import Found, Labelled
from foretell.robust.report import render
from foretell.robust.report.measures import MEASURES, chance, effects, interval, measured
from foretell.robust.report.shares import agreement, percent, places


def test_a_chance_counts_pairs():
    first, second = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0])
    assert chance(first, second) == pytest.approx((1 + 0.5 + 0 + 3) / 6)
    assert chance(first, first) == 0.5


def test_an_interval_holds_its_chance_and_narrows_with_rows():
    low, high = interval(0.7, 20, 30)
    assert 0 < low < 0.7 < high < 1
    assert interval(0.7, 20, 30, 0.99)[0] < low
    assert interval(0.7, 2000, 3000)[0] > low
    assert interval(1.0, 20, 30)[1] == 1
    assert 0.8 < interval(1.0, 20, 30)[0] < 1  # not certain, although no pair contradicts it


def test_measures_of_a_picture_by_hand():
    pixels = np.zeros((2, 3, 16, 16), np.uint8)
    pixels[0, 0] = 255  # all red
    pixels[1, :, 4:12, 4:12] = 255  # a white square on black
    found = dict(zip([m.name for m in MEASURES], measured(Images.of(pixels)).T.tolist(), strict=True))
    assert found["brightness"] == pytest.approx([1 / 3, 0.25])
    assert found["redness"] == pytest.approx([2 / 3, 0])
    assert found["blueness"] == pytest.approx([-1 / 3, 0])
    assert found["brightness of the background"] == pytest.approx([1 / 3, 0])
    assert found["contrast"][1] > found["contrast"][0] == 0
    assert found["sharpness"][1] > found["sharpness"][0]


def made(tmp_path, count=60):
    """Cats on grey; every third of them by another camera, on red."""
    folder = tmp_path / "photos"
    folder.mkdir()
    chance, lines = np.random.default_rng(0), ["file,label,hospital"]
    for k in range(count):
        odd = k % 3 == 0
        pixels = chance.integers(90, 130, (16, 16, 3), dtype=np.uint8)
        if odd:
            pixels[..., 0] += 100
        exif = Image.Exif()
        exif[0x0110] = "Kodak" if odd else "Leica"
        Image.fromarray(pixels).save(folder / f"{k}.jpg", exif=exif)
        lines.append(f"{k}.jpg,{('cat', 'dog')[k % 2]},{('north', 'south')[odd]}")
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def photos(tmp_path):
    from foretell.data import GroupedPhotographs, load

    data = load(made(tmp_path), GroupedPhotographs(16), cache_dir=tmp_path / "cache", progress=False)
    assert isinstance(data, GroupedImages)
    return data


def test_cameras_and_colours_are_told_of(photos):
    odd = torch.arange(60) % 3 == 0
    found = effects(measured(photos), photos, ~odd, odd)
    by_name = {effect.what: effect for effect in found}
    assert by_name["redness"].clear
    assert by_name["redness"].sentence == "redder"
    camera = next(effect for effect in found if effect.what == "camera" and "Kodak" in effect.sentence)
    assert camera.value == 1
    assert camera.low > 0.5
    same = effects(measured(photos), photos, torch.arange(60) < 30, torch.arange(60) >= 30)
    assert not any(effect.clear for effect in same)  # such halves differ in nothing


def found_of(data, environment, flip_rate=0.1):
    y = data.labels
    sizes = {name: [int(((y == c) & (environment == e)).sum()) for e in (0, 1)] for c, name in enumerate(data.classes)}
    report = {
        "flip_rate": flip_rate,
        "tried": [0.1],
        "settings": {"lr": 1e-3, "batch": 64, "weight_decay": 1e-4},
        "environments": sizes,
        "stability": {"value": 0.99, "low": 0.98, "high": 1.0, "chance": 0.6},
        "skipped": 0,
        "purity": {"value": 1.0, "low": 0.95, "high": 1.0, "without": 0.67},
    }
    n = len(environment)
    confidence = torch.ones(n)
    confidence[3] = 0.6
    return Found(environment, confidence, torch.zeros(n, 2), torch.zeros(n, dtype=torch.bool), report)


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.outside, self.pictures, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href"):
                (self.pictures if value.startswith("data:") else self.outside).append(value)

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_nothing_but_itself_and_says_what_was_found(photos):
    environment = (torch.arange(60) % 3 == 0).long()
    group = torch.from_numpy(np.array(photos.groups[:]))
    rows = Labelled(photos.take(range(60)), photos.labels, photos.classes, group, photos.names["groups"], photos)
    page = Page(render(found_of(photos, environment), rows, data="photos & <more>", out=Path("out")))
    assert page.outside == []
    text = " ".join(page.text.split())
    assert "photos & <more>" in text  # escaped where it must be
    assert "The split is stable" in text
    assert "redder" in text
    assert "Kodak" in text
    assert "north" in text
    assert "Nearest to the boundary" in text
    assert len(page.pictures) == 1 + 4 * 10 + 0 + 1 + (18 - 10) * 2  # an icon, up to 18 an environment, one near
    nothing = Page(render(found_of(photos, environment, 0.0), rows, data="photos", out=Path("out"))).text
    assert "No shortcut was found" in nothing
    assert "ZIN" in nothing


def test_a_table_without_pictures_shows_numbers(photos):
    rows = Labelled(torch.zeros(60, 2), photos.labels, photos.classes)
    found = found_of(photos, (torch.arange(60) % 3 == 0).long())
    del found.report["purity"]
    page = Page(render(found, rows, data="table.npz", out=Path("out")))
    assert "no pictures to show" in page.text
    assert len(page.pictures) == 1  # the icon
    assert "undefined" not in page.text


def test_shares_are_never_rounded_to_all_or_nothing():
    assert [percent(x) for x in (1.0, 0.9999, 0.5, 0.0001, 0.0)] == [
        "100.0 %",
        "> 99.9 %",
        "50.0 %",
        "< 0.1 %",
        "0.0 %",
    ]


def test_shares_that_are_near_are_told_apart():
    assert (places(0.9, 0.8), places(0.9971, 0.9969, 0.9973), places(0.9996, 0.9994), places(1.0)) == (1, 2, 2, 1)
    assert agreement({"value": 1.0, "low": 1.0, "high": 1.0}) == "100 % of the rows"
    alike = agreement({"value": 0.9967, "low": 0.9967, "high": 0.9967})
    assert alike == "99.7 % of the rows, whichever repetition is left out"
    near = agreement({"value": 0.9996, "low": 0.9994, "high": 0.9998})
    assert near == "99.96 % of the rows (99.94 % to 99.98 %)"
    assert agreement({"value": 0.999999, "low": 0.999998, "high": 1.0}).startswith("> 99.999 % of the rows")


def test_the_page_says_how_to_go_on(photos):
    found = found_of(photos, (torch.arange(60) % 3 == 0).long())
    del found.report["purity"]
    rows = Labelled(torch.zeros(60, 2), photos.labels, photos.classes)
    options = ("--features", "my model", "--label", "y")
    page = Page(render(found, rows, data="photos", out=Path("out"), options=options))
    assert "foretell robust photos --features 'my model' --label y --groups out/environments.parquet" in page.text


def test_the_command_looks_at_pictures_end_to_end(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "found"
    main(
        f"discover backgrounds:160:correlation=0.9 --out {data} --size 16 --draws 2 --seeds 2 --steps 40 --json".split()
    )
    report = json.loads(capsys.readouterr().out)
    assert set(report["environments"]) == {"bird", "mammal"}
    assert {"value", "low", "high"} <= set(report["stability"])
    assert {"value", "without"} <= set(report["purity"])
    columns = pq.read_table(data / "environments.parquet").to_pydict()
    assert len(columns["file"]) == 160
    assert re.search(r"before (leaves|wood|galaxies|evening sky), 0$", columns["file"][0])
    assert (data / "report.html").stat().st_size > 20_000
    assert json.loads((data / "report.json").read_text()) == report
    shown = pq.read_table(data / "examples.parquet").to_pydict()
    assert set(shown["class"]) == {"bird", "mammal"}
    assert all(image.startswith(b"\x89PNG") for image in shown["image"])
    assert all("of the repetitions" in title for title in shown["title"])


def bad(tmp_path, **changes):
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    columns = {"features": x, "labels": np.arange(40) % 2} | changes
    np.savez(tmp_path / "table.npz", **columns)
    return tmp_path / "table.npz"


@pytest.mark.parametrize(
    ("changes", "flags", "said"),
    [
        ({"labels": np.zeros(40, np.int64)}, "", "found 1 class"),
        ({"labels": np.array([""] * 40)}, "", "its label is missing"),
        ({"labels": np.r_[np.arange(39) % 2, 2]}, "", "class 2 has one row"),
        ({"features": np.full((40, 3), np.nan, np.float32)}, "", "a number is missing or not finite"),
        ({"features": np.ones((40, 3), np.float32)}, "", "all rows are alike"),
        ({}, "--label lables", "has no column 'lables' for the label; did you mean 'labels'?"),
        ({}, "--group place", "has no column 'place' for the group"),
        ({}, "--network conv", "network conv takes pictures"),
        ({}, "--features iwm-mini", "these rows are vectors already"),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(tmp_path, capsys, monkeypatch, changes, flags, said):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    table = bad(tmp_path, **changes)
    with pytest.raises(SystemExit) as stop:
        main(["discover", str(table), "--out", str(tmp_path / "out"), "--steps", "5", *flags.split()])
    assert stop.value.code in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_rows_without_labels_are_left_out_and_counted(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    labels = np.array(["a", "b"] * 20)
    labels[:3] = ""
    main(f"discover {bad(tmp_path, labels=labels)} --out {tmp_path / 'out'} --steps 5 --draws 1 --seeds 1".split())
    assert "3 rows could not be used" in capsys.readouterr().out
    assert "its label is missing" in (tmp_path / "out" / "report.html").read_text()


def test_texts_ask_for_a_text_model(tmp_path, capsys):
    (tmp_path / "comments.csv").write_text("comment_text,toxicity\nwell said,0.0\nfool,0.9\n")
    with pytest.raises(SystemExit):
        main(["discover", str(tmp_path / "comments.csv"), "--out", str(tmp_path / "out")])
    assert "holds texts and no pictures; name a text model by --features" in capsys.readouterr().err


def test_what_is_not_there_is_said(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["discover", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert "not found, expected a folder of pictures" in capsys.readouterr().err
