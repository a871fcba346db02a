"""The pages of discoveries: their environments, pictures, classifiers, and the whole report."""

import io

import pytest
from PIL import Image
from selectolax.lexbor import LexborHTMLParser
from tests.app.conftest import EVIL


def texts(page, selector):
    return [" ".join(node.text(separator=" ").split()) for node in LexborHTMLParser(page.text).css(selector)]


def test_discoveries_are_listed_for_visitors_with_a_key(discovery, visit):
    assert visit().get("/discover").status_code == 401
    page = visit("reader").get("/discover")
    assert texts(page, "tbody th") == [discovery]
    assert texts(page, "tbody td") == [EVIL, "150", "15", "< 0.1 %", "yes"]


def test_a_discovery_shows_its_environments_pictures_and_worst_groups(discovery, visit):
    client = visit("reader")
    page = client.get(f"/discover/{discovery}")
    assert page.status_code == 200
    tables = texts(page, "tbody tr")
    assert tables[:2] == ["bird 90 90.0 % 10 10.0 %", f"{EVIL} 45 90.0 % 5 10.0 %"]
    assert tables[2:] == ["worst group (bird/1) 50.0 % 40.0 % to 60.0 % 100", "average 50.0 % 40.0 % to 60.0 % 100"]
    assert texts(page, "thead th:first-child") == ["class", "own groupdro"]
    assert "The split is stable" in texts(page, ".say")[0]
    sources = [node.attributes["src"] for node in LexborHTMLParser(page.text).css(".sheets img")]
    sheets = [Image.open(io.BytesIO(client.get(path).content)).convert("RGB") for path in sources]
    assert [sheet.size for sheet in sheets] == [(404, 132), (404, 64)]
    assert [sheet.getpixel((9, 9)) for sheet in sheets] == [(255, 0, 0), (0, 0, 255)]
    assert not LexborHTMLParser(page.text).css("main script")


def test_the_whole_report_runs_nothing(discovery, visit):
    client = visit("reader")
    page = client.get(f"/discover/report/{discovery}")
    assert page.text == "<h1>all of it</h1>"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; img-src data:")
    assert "sandbox" in page.headers["content-security-policy"]
    assert visit().get(f"/discover/report/{discovery}").status_code == 401


@pytest.mark.parametrize("name", ["nobody", "first", "../runs0", "%2e%2e/x", "/etc", "found%00", "own"])
def test_no_other_folder_is_shown(discovery, visit, name):
    for path in (f"/discover/{name}", f"/discover/report/{name}"):
        answer = visit("reader").get(path)
        assert answer.status_code == 404
        assert "/tmp" not in answer.text


def test_damaged_pictures_are_told_in_a_sentence(discovery, site, visit):
    path = site.runs / discovery / "examples.parquet"
    whole = path.read_bytes()
    path.write_bytes(b"none")
    try:
        answer = visit("reader").get(f"/discover/{discovery}")
        assert answer.status_code == 400
        assert "examples.parquet of this discovery is damaged" in texts(answer, ".sentence")[0]
    finally:
        path.write_bytes(whole)
