"""The pages of knowledges: what they show, how they search, and the forms that change them."""

import base64
import json

import numpy as np
import pytest
from selectolax.lexbor import LexborHTMLParser
from tests.agents.conftest import png
from tests.app.conftest import EVIL, TOWNS

from foretell.search import Draft, Knowledge


def text(answer, selector):
    """The texts at a selector of a page."""
    return [" ".join(node.text().split()) for node in LexborHTMLParser(answer.text).css(selector)]


def test_a_page_tells_everything_of_a_knowledge(site, visit):
    """The fields of the reference: created, owner, category, title, id, type, count, model, index, ids and pages."""
    page = visit().get(f"/knowledge/{site.towns}")
    facts = dict(zip(text(page, ".facts dt"), text(page, ".facts dd"), strict=True))
    about = Knowledge.open(site.store, site.towns).about
    assert facts == {
        "Contract id": site.towns,
        "Name": "towns",
        "Owner": "me",
        "Category": "Geography",
        "File type": "–",
        "Entry count": "5",
        "Embedding model": about.model,
        "Index type": "hnsw",
        "Numbers of a vector": str(about.dimension),
    }
    assert text(page, "h1") == ["Towns of Europe"]
    assert text(page, ".description p") == ["What stands where.", "And why."]
    assert LexborHTMLParser(page.text).css_first(".byline time").attributes["datetime"] == about.created
    assert text(page, ".entries .text") == TOWNS[:4]
    first = Knowledge.open(site.store, site.towns).entries(0, 4)
    assert text(page, ".entries .key") == [entry.key for entry in first]
    assert ["page 9" in place for place in text(page, ".entries .place")] == [True, False, False, False]
    assert not LexborHTMLParser(page.text).css("main form[method=post]")


def test_a_search_tells_why_each_result_was_found(site, visit):
    client = visit()
    page = client.get(f"/knowledge/{site.towns}", params={"q": "bridge of Bergen", "hybrid": "true"})
    results = LexborHTMLParser(page.text).css(".result")
    assert TOWNS[3] in results[0].text()
    assert "page 12" in results[0].text()
    assert [node.text() for node in results[0].css(".why dt")] == ["meaning", "words", "both ranks"]
    alone = client.get(f"/knowledge/{site.towns}", params={"q": "bridge of Bergen"})
    assert text(alone, ".result:first-child .why dt") == ["meaning"]


def test_all_knowledges_are_searched_at_once(site, visit):
    public = visit().get("/knowledge", params={"q": "Where is soup eaten?"})
    assert "diary" not in public.text
    mine = visit("reader").get("/knowledge", params={"q": "Where is soup eaten?"})
    first = LexborHTMLParser(mine.text).css_first(".result").text()
    assert "I ate soup." in first
    assert "diary" in first
    chosen = visit().get("/knowledge", params={"q": "tower", "in": site.towns})
    assert "results of 1 knowledge" in text(chosen, "#results")[0]


def test_an_entry_stands_between_its_neighbours(site, visit):
    page = visit().get(f"/knowledge/{site.towns}/entries/1")
    assert text(page, ".whole .text") == [TOWNS[1]]
    assert text(page, ".near .text") == [TOWNS[0], TOWNS[2]]
    assert text(page, "table th") == ["rank"]
    assert visit().get(f"/knowledge/{site.towns}/entries/99").status_code == 404


@pytest.mark.parametrize("query", ["", "?q=script", "/entries/0"])
def test_markup_in_contents_stays_text(site, visit, query):
    page = visit("writer").get(f"/knowledge/{site.evil}{query}")
    tree = LexborHTMLParser(page.text)
    assert not tree.css("main img, main script, main b:not(.score b, label b)")
    assert any(EVIL in node.text() for node in tree.css("main .text"))


def test_markup_in_a_query_stays_text(site, visit):
    page = visit().get(f"/knowledge/{site.towns}", params={"q": f'"{EVIL}'})
    tree = LexborHTMLParser(page.text)
    assert not tree.css("main img, main script")
    assert tree.css_first("input[name=q]").attributes["value"] == f'"{EVIL}'


def test_a_knowledge_is_made_filled_changed_and_deleted(site, writer):
    made = writer.post("/knowledge", data={"name": "notes", "title": "My notes", "token": writer.token})
    assert "The knowledge was made." in made.text
    path = made.url.path
    added = writer.post(
        f"{path}/files", data={"token": writer.token}, files={"file": ("a.md", "# Cats\n\nCats sleep.")}
    )
    assert "The file was added." in added.text
    assert text(added, "#files + .list span:first-child") == ["a.md"]
    entry = next(each.attributes["href"] for each in LexborHTMLParser(added.text).css(".entries a"))
    changed = writer.post(entry, data={"token": writer.token, "text": "Cats sleep\r\nall day."})
    assert text(changed, ".whole .text") == ["Cats sleep all day."]
    empty = writer.post(entry, data={"token": writer.token, "text": " "})
    assert (empty.status_code, "the text is empty" in empty.text) == (400, True)
    deleted = writer.post(f"{entry}/delete", data={"token": writer.token})
    assert "There is no entry yet." in deleted.text
    writer.post(f"{path}/about", data={"token": writer.token, "title": "Public notes", "public": "true"})
    assert "Public notes" in writer.get("/knowledge").text
    writer.post(f"{path}/files/delete", data={"token": writer.token, "file": "a.md"})
    kept = writer.post(f"{path}/delete", data={"token": writer.token, "typed": "note"})
    assert "nothing was deleted." in kept.text
    writer.post(f"{path}/delete", data={"token": writer.token, "typed": "notes"})
    assert writer.get(path).status_code == 404


def test_an_upload_tells_its_progress_line_by_line(site, writer):
    with Knowledge.create(site.store, "lines", owner="me") as knowledge:
        path = f"/knowledge/{knowledge.about.contract_id}/files"
    sent = {"data": {"token": writer.token}, "headers": {"Accept": "application/x-ndjson"}}
    answer = writer.post(path, files={"file": ("b.txt", "Dogs bark.")}, **sent)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1]["added"]["entries"] == 1
    assert all(0 <= line["fraction"] <= 1 for line in lines[:-1])
    refused = writer.post(path, files={"file": ("b.exe", "MZ")}, **sent)
    assert "expected a name that ends in" in refused.json()["detail"]


def test_a_reader_sees_no_forms_and_cannot_send_them(site, visit):
    client = visit("reader")
    page = client.get(f"/knowledge/{site.diary}")
    assert not LexborHTMLParser(page.text).css("main form[method=post]")
    token = LexborHTMLParser(page.text).css_first("input[name=token]").attributes["value"]
    answer = client.post(f"/knowledge/{site.diary}/delete", data={"token": token, "typed": "diary"})
    assert (answer.status_code, "this key may not write." in answer.text) == (403, True)
    assert visit("stranger").get(f"/knowledge/{site.diary}").status_code == 404


@pytest.fixture(scope="module")
def album(site, tmp_path_factory):
    """A public knowledge of two photographs, a red and a green one, and their files."""
    folder = tmp_path_factory.mktemp("album")
    files = {name: folder / f"{name}.png" for name in ("red", "green")}
    files["red"].write_bytes(base64.b64decode(png((220, 20, 20), noise=30)))
    files["green"].write_bytes(base64.b64decode(png((20, 220, 20), noise=30)))
    with Knowledge.create(site.store, "album", owner="me", model="iwm-mini", public=True) as made:
        made.add(*files.values())
        return f"/knowledge/{made.about.contract_id}", {name: file.read_bytes() for name, file in files.items()}


def test_photographs_are_searched_by_a_picture(album, visit):
    path, files = album
    client = visit()
    page = client.post(path, files={"file": ("mine.png", files["green"])})
    assert text(page, "#results") == ["2 results like mine.png"]
    assert "green.png" in text(page, ".result")[0]
    wordless = client.get(path, params={"q": "green"})
    assert (wordless.status_code, "knows no words" in wordless.text) == (400, True)
    assert client.post(path, files={"file": ("mine.png", b"")}).status_code == 400
    assert client.post(path, files={"file": ("mine.png", b"no picture")}).status_code == 400


def test_small_pictures_are_shown_under_the_rights_of_their_knowledge(site, album, visit):
    path, _ = album
    client = visit()
    images = LexborHTMLParser(client.get(path).text).css(".entries img")
    assert [(image.attributes["alt"], image.attributes["loading"]) for image in images] == [
        ("red.png", "lazy"),
        ("green.png", "lazy"),
    ]
    shown = client.get(images[0].attributes["src"])
    assert (shown.headers["content-type"], shown.content[8:12]) == ("image/webp", b"WEBP")
    assert shown.headers["cache-control"] == "private, max-age=3600"
    found = client.post(f"/api/v1{path}/search", json={"image": base64.b64encode(album[1]["red"]).decode(), "top": 1})
    (hit,) = found.json()["results"]
    assert client.get(hit["thumbnail"]).content == shown.content
    assert "has_thumbnail" not in hit
    listed = client.get(f"/api/v1{path}/entries").json()["entries"]
    assert [each["thumbnail"] for each in listed] == [
        f"/api/v1{path}/entries/{each['id']}/thumbnail" for each in listed
    ]
    texts = f"/api/v1/knowledge/{site.towns}"
    assert client.get(f"{texts}/entries/0").json()["thumbnail"] is None
    missing = client.get(f"{texts}/entries/0/thumbnail")
    assert (missing.status_code, missing.json()["detail"]) == (404, "entry 0 has no small picture")
    with Knowledge.open(site.store, "album", owner="me") as made:
        made.describe(public=False)
        try:
            for address in (images[0].attributes["src"], hit["thumbnail"]):
                assert client.get(address).status_code == 401
            assert visit("stranger").get(images[0].attributes["src"]).status_code == 404
            assert visit("reader").get(images[0].attributes["src"]).content == shown.content
        finally:
            made.describe(public=True)


def test_a_picture_is_searched_as_it_would_look(site, album, visit):
    """The sliders are those of the model. A picture that was sent is asked with again, without being sent."""
    path, files = album
    client = visit()
    first = client.get(path)
    names = [node.attributes["name"] for node in LexborHTMLParser(first.text).css(".change input")]
    assert names == ["brightness", "contrast", "saturation", "hue"]
    red = {"file": ("mine.png", files["red"])}
    plain = client.post(path, files=red, data=dict.fromkeys(names[:3], "1") | {"hue": "0"})
    assert text(plain, "#results") == ["2 results like mine.png"]
    other = client.post(path, files=red, data={"hue": "0.1"})
    assert text(other, "#results") == ["2 results like mine.png, but hue 0.100"]
    asked = {"image": base64.b64encode(files["red"]).decode(), "imagine": {"hue": 0.1}}
    hits = client.post(f"/api/v1{path}/search", json=asked).json()["results"]
    assert [score[:5] for score in text(other, ".score")] == [f"{hit['score']:.3f}" for hit in hits]
    form = LexborHTMLParser(other.text)
    assert form.css_first("#p-hue").attributes["value"] == "0.1"
    kept = {name: form.css_first(f"input[name={name}]").attributes["value"] for name in ("kept", "called")}
    again = client.post(path, files={"file": ("", b"")}, data={"hue": "0.1", **kept})
    assert text(again, "#results") == text(other, "#results")
    assert text(again, ".score") == text(other, ".score")
    for data, status, sentence in (
        ({"hue": "9", **kept}, 400, "this model learned"),
        ({"hue": "much", **kept}, 400, "hue is &#39;much&#39;, expected a number"),
        ({"kept": "none.png"}, 404, "this picture is not kept any more"),
    ):
        refused = client.post(path, files={"file": ("", b"")}, data=data)
        assert (refused.status_code, sentence in refused.text) == (status, True), refused.text
    assert not LexborHTMLParser(client.get(f"/knowledge/{site.towns}").text).css(".change")


def test_a_passage_stands_in_its_page(site, visit):
    with Knowledge.create(site.store, "pages", owner="me", public=True) as pages:
        drafts = [Draft(f"passage {n}", np.ones(3, np.float32), n // 3, None, {"source": "a.pdf"}) for n in range(9)]
        pages.write(drafts)
        page = visit().get(f"/knowledge/{pages.about.contract_id}/entries/4")
    assert text(page, ".whole .text") == ["passage 4"]
    assert text(page, ".near .text") == ["passage 2", "passage 3", "passage 5", "passage 6"]
