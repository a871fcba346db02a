"""The pages that show what models see: in pictures, in clips, and in pairs to guess."""

import io

import av
import numpy as np
import pytest
from PIL import Image
from selectolax.lexbor import LexborHTMLParser

from foretell.app.clips import SCENES, mp4, scene_clip
from foretell.app.pairs import drawn_pair
from foretell.app.photographs import samples


def nodes(page, selector):
    return LexborHTMLParser(page.text).css(selector)


def frames(content):
    with av.open(io.BytesIO(content)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_picture_is_seen_patch_by_patch(visit):
    client = visit()
    page = client.get("/see", params={"photo": "coffee"})
    assert page.status_code == 200
    maps = [node.attributes["src"] for node in nodes(page, ".maps img")]
    sizes = [Image.open(io.BytesIO(client.get(path).content)).size for path in maps]
    assert sizes == [(32, 32), *[(8, 8)] * 4]
    told = [node.text(separator=" ") for node in nodes(page, ".maps figcaption")]
    assert [text.split(" ")[0] for text in told] == ["the", "latents", "attention", "error", "uncertainty"]
    hidden, imagined = (client.get(node.attributes["src"]).content for node in nodes(page, ".three figure img")[:2])
    covered = (np.asarray(Image.open(io.BytesIO(hidden))) == 209).all(-1)
    assert 0.5 < covered.mean() < 0.9
    assert (np.asarray(Image.open(io.BytesIO(imagined)))[covered] != 209).any(-1).mean() > 0.9
    assert "These masks hide 75 % of the picture" in page.text
    assert client.get("/see?model=vjepa-deep").status_code == 404
    assert client.get("/see?photo=nobody").status_code == 404


def test_a_visitor_with_a_key_sends_a_photograph_for_both_pages(writer, visit):
    sent = writer.post(
        "/see", data={"token": writer.token}, files={"file": ("r.jpg", samples()["raccoon"].read_bytes())}
    )
    assert sent.status_code == 200
    own = sent.url.params["photo"]
    assert sent.url.path == "/see"
    assert writer.get("/imagine", params={"photo": own}).status_code == 200
    assert visit().post("/see", files={"file": ("r.jpg", b"x")}).status_code == 401


def test_a_scene_has_its_curve_of_surprise_in_step_with_its_clip(visit):
    client = visit()
    page = client.get("/see/clip?scene=2")
    assert page.status_code == 200
    assert len(nodes(page, ".chart circle")) == 7
    peak, happens = (float(node.attributes["data-seek"]) for node in nodes(page, ".say a"))
    assert 0 < peak < 2
    assert happens == scene_clip(2, 32).happens
    source = nodes(page, ".film")[0].attributes["src"]
    shown = frames(client.get(source).content)
    assert len(shown) == 16
    assert shown[0].shape == (192, 192, 3)
    assert client.get(source, headers={"Range": "bytes=0-9"}).status_code == 206
    assert client.get(f"/see/clip?scene={len(SCENES)}").status_code == 400
    assert client.get("/see/clip?model=iwm-mini").status_code == 404


def test_a_clip_of_a_visitor_is_watched(writer, visit):
    clip = mp4(scene_clip(0, 32).large.repeat(2, axis=0), 8.0)
    page = writer.post("/see/clip", data={"token": writer.token}, files={"file": ("a.mp4", clip)})
    assert page.status_code == 200
    assert nodes(page, "[data-clip]")[0].attributes["data-end"].startswith("4")
    for content, sentence in (
        (b"none", "the clip: "),
        (mp4(scene_clip(0, 32).large[:4], 8.0), "the clip has 4 frames"),
    ):
        refused = writer.post("/see/clip", data={"token": writer.token}, files={"file": ("a.mp4", content)})
        assert refused.status_code == 400
        assert sentence in nodes(refused, ".sentence")[0].text()
        assert "/tmp" not in refused.text
    assert visit().post("/see/clip", files={"file": ("a.mp4", clip)}).status_code == 401


def test_a_visitor_guesses_first_and_then_is_told(visit):
    client = visit()
    first = client.get("/see/pairs?n=2")
    assert len(nodes(first, ".film")) == 2
    assert not nodes(first, ".say, .chart, .found")
    pair = drawn_pair(2, 32)
    other = {"left": "right", "right": "left"}[pair.impossible]
    for guess, verdict, score in (
        (pair.impossible, "Right.", "You found 1 of 1."),
        (other, "No.", "You found 0 of 1."),
    ):
        page = client.get("/see/pairs", params={"n": 2, "guess": guess})
        said = nodes(page, ".say")[0].text()
        assert said.startswith(f"{verdict} The {pair.impossible} one cannot be: colour, “")
        assert "vjepa-deep would have guessed" in said
        assert score in page.text
        assert nodes(page, ".found figcaption")[0].text() == f"{pair.impossible}, impossible"
        assert len(nodes(page, ".chart polyline")) == 2
    assert client.get("/see/pairs?guess=both").status_code == 400


@pytest.mark.parametrize("n", [0, 4, 13])
def test_the_clips_of_a_pair_are_equal_until_it_shows(n):
    pair = drawn_pair(n, 32)
    differs = (pair.large[0] != pair.large[1]).any((1, 2, 3))
    assert differs.argmax() == round(pair.revealed * 8)
    assert {drawn_pair(each, 32).impossible for each in range(6)} == {"left", "right"}
