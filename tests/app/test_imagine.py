"""The page that imagines, its answers for sliders, and photographs of visitors."""

import io
import re
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from selectolax.lexbor import LexborHTMLParser
from tests.app.conftest import token

from foretell.app.asking import Asking
from foretell.app.photographs import KEPT, SentPhotographs, samples
from foretell.http.refusal import Refused


def sources(page):
    return [node.attributes["src"] for node in LexborHTMLParser(page).css("img.pixels")]


def test_a_page_shows_what_truly_comes_beside_what_is_imagined(visit):
    client = visit()
    page = client.get("/imagine", params={"brightness": "0.4", "photo": "cat"})
    assert page.status_code == 200
    given, asked, imagined, decoded, *nearest = sources(page.text)
    assert Image.open(io.BytesIO(client.get(decoded).content)).size == (32, 32)
    assert asked.endswith("/cat/0.4_1_1_0_0_0_0.png")
    assert given.endswith("/cat/1_1_1_0_0_0_0.png")
    assert imagined == nearest[0]
    images = {
        name: Image.open(io.BytesIO(client.get(path).content)) for name, path in zip("ga", (given, asked), strict=True)
    }
    assert images["g"].size == (32, 32)
    darker = [sum(image.convert("L").tobytes()) for image in images.values()]
    assert 0.3 < darker[1] / darker[0] < 0.5
    sliders = {node.attributes["name"]: node for node in LexborHTMLParser(page.text).css("input[type=range]")}
    assert set(sliders) == {"brightness", "contrast", "saturation", "hue", "blur"}
    assert sliders["brightness"].attributes["value"] == "0.4"
    assert all(re.search(rf'<label for="p-{name}"', page.text) for name in sliders)


def test_a_page_may_ask_for_all_its_pictures_at_once(visit, site):
    paths = [f"/imagine/picture/iwm-mini/cat/{0.5 + n / 100}_1_1_0_0_0_0.png" for n in range(16)]
    with ThreadPoolExecutor(16) as people:
        with site.models._lock:  # no call of a model ends before all wait
            asked = [people.submit(visit().get, path) for path in paths]
            time.sleep(1)
        assert [each.result().status_code for each in asked] == [200] * 16


def test_an_answer_tells_rank_and_distance(visit):
    answer = visit().get("/imagine/answer", params={"brightness": "0.4"}, headers={"Accept": "application/json"}).json()
    assert 1 <= answer["rank"] <= answer["of"] == 66
    assert answer["chance"] == 33.5
    assert answer["right"] == (answer["asked"] == answer["imagined"]) == (answer["rank"] == 1)
    assert float(answer["nearest_distance"]) <= float(answer["distance"])
    assert len(answer["nearest"]) == 8
    assert answer["decoded"] == "/imagine/decoded/iwm-mini/astronaut.png?brightness=0.4"
    assert answer["sentence"].startswith(("Of 66 versions", "The version asked for is number"))


def test_a_strip_goes_over_the_range_of_a_slider(visit):
    page = visit().get("/imagine", params={"over": "hue", "brightness": "1.2"}).text
    strip = LexborHTMLParser(page).css(".strip figure")
    assert len(strip) == 7
    hues = [node.css_first("img").attributes["src"].rsplit("/", 1)[1].split("_")[3] for node in strip]
    assert [float(hue) for hue in hues] == sorted(float(hue) for hue in hues)
    assert all("/1.2_" in node.css_first("img").attributes["src"] for node in strip)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("brightness=9", "brightness is 9, but this model learned 0.2 to 1.8"),
        ("brightness=x", "brightness is 'x', expected a number"),
        ("brightness=nan", "brightness is nan"),
        ("light=1", "'light' is not a parameter"),
        ("photo=nobody", "the photograph 'nobody' is not kept any more"),
        ("model=vjepa-deep", "expected one that imagines: iwm-mini"),
        ("over=light", "'light' is not a parameter"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(visit, query, sentence):
    answer = visit().get(f"/imagine?{query}")
    assert answer.status_code in (400, 404)
    assert sentence in LexborHTMLParser(answer.text).css_first(".sentence").text()


@pytest.mark.parametrize("state", ["1_1", "a_b", "9_9_9_9_9_9_9", "nan_1_1_0_0_0_0", "1_1_1_0_0_0_0_0"])
def test_a_picture_of_another_state_is_refused(visit, state):
    assert visit().get(f"/imagine/picture/iwm-mini/cat/{state}.png").status_code == 404


def test_a_visitor_with_a_key_sends_a_photograph(site, visit, writer):
    picture = samples()["raccoon"].read_bytes()
    sent = writer.post("/imagine", data={"token": writer.token}, files={"file": ("r.jpg", picture)})
    assert sent.status_code == 200
    own = sent.url.params["photo"]
    assert len(own) >= 20
    assert all(f"/{own}" in path for path in sources(sent.text))
    assert visit().post("/imagine", files={"file": ("r.jpg", picture)}).status_code == 401
    for content in (b"", b"no picture"):
        refused = writer.post("/imagine", data={"token": writer.token}, files={"file": ("r.jpg", content)})
        assert refused.status_code == 400
    assert token(sent.text) == writer.token


def test_the_oldest_photographs_go_first(site):
    kept = SentPhotographs()
    names = [kept.keep({1: np.full((3, 1, 1), n % 256, np.uint8)}) for n in range(KEPT + 1)]
    assert (kept.pixels(names[-1], 1) == KEPT % 256).all()
    with pytest.raises(Refused, match="not kept any more"):
        kept.pixels(names[0], 1)
    assert Asking(site.models, kept).names == ["iwm-mini"]


def test_a_decoded_picture_is_drawn_again_when_newer_ones_came_between(site, visit, monkeypatch):
    client = visit()
    page = client.get("/imagine", params={"brightness": "0.6", "over": "hue"}).text
    assert len(LexborHTMLParser(page).css(".strip figure:first-of-type img")) == 3
    shown = sources(page)[3]
    first = client.get(shown).content
    asking = site.app.state.asking
    asking._predictions.clear()
    assert client.get(shown).content == first
    monkeypatch.setattr(site.models, "decoder", lambda name: None)
    assert client.get(shown).status_code == 404
    page = client.get("/imagine").text
    assert len(sources(page)) == 3 + 8
    assert 'id="decoded"' not in page
