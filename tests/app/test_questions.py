"""The page on which a model answers questions about pictures."""

import io

import pytest
from PIL import Image
from selectolax.lexbor import LexborHTMLParser

from foretell.agents.models import ServedModels
from foretell.app.kept import KeptFiles, _part
from foretell.http.refusal import Refused


def picture(size=(40, 20), color="red"):
    Image.new("RGB", size, color).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def attributes(page, selector, *names):
    return [[node.attributes[name] for name in names] for node in LexborHTMLParser(page).css(selector)]


def test_a_question_about_a_scene_is_answered_in_words_boxes_and_outlines(visit):
    client = visit()
    page = client.get("/ask").text
    (suggested, *_) = [node.text() for node in LexborHTMLParser(page).css("form.ask + p a")]
    assert suggested == "describe the picture."
    answer = client.get("/ask", params={"scene": 1, "q": "where are <b>two</b> dogs?"})
    assert answer.status_code == 200
    shown = LexborHTMLParser(answer.text)
    assert shown.css_first(".asked").text() == "where are <b>two</b> dogs?"
    assert shown.css_first(".say").text().startswith("two dogs")
    assert attributes(answer.text, ".marked rect", "x", "y", "width", "height") == [["0.0", "0.0", "128.0", "128.0"]]
    assert attributes(answer.text, ".marked .area", "d") == [["M25.6 25.6L230.4 25.6L230.4 230.4Z"]]
    assert "Not read: a box of 1 numbers, expected 4 numbers." in shown.text()
    ((source,),) = attributes(answer.text, ".marked image", "href")
    assert Image.open(io.BytesIO(client.get(source).content)).size == (256, 256)


def test_pictures_of_a_visitor_with_a_key_are_asked_about(writer, visit):
    files = [("file", ("a.png", picture(), "image/png")), ("file", ("b.png", picture((2000, 10)), "image/png"))]
    fields = {"token": writer.token, "q": "what do both show?"}
    page = writer.post("/ask", data=fields, files=files)
    assert page.status_code == 200
    # what is not square has white beside it: a box of its upper left quarter ends at the picture's edge
    assert attributes(page.text, ".marked svg", "viewBox") == [["0 0 40 20"], ["0 0 640 3"]]
    assert attributes(page.text, ".marked rect", "x", "width", "height") == [["0.0", "20.0", "10.0"]]
    assert visit().post("/ask", data=fields, files=files).status_code == 401
    assert writer.post("/ask", data={"q": "what?"}, files=files).status_code == 403


@pytest.mark.parametrize(
    ("files", "question", "sentence"),
    [
        ([b"none"], "what?", "a file is no picture that can be read"),
        ([b""], "what?", "there is no picture in the form"),
        ([picture()] * 3, "what?", "found 3 pictures, expected at most 2"),
        ([picture()], " ", "the question is empty"),
        ([picture()], "[0, 0, 99, 9]", "the box [0, 0, 99, 9] is not in the first picture"),
        ([picture()], "a" * 501, "q is too long"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(writer, files, question, sentence):
    sent = [("file", (f"{n}.png", content, "image/png")) for n, content in enumerate(files)]
    page = writer.post("/ask", data={"token": writer.token, "q": question}, files=sent)
    assert page.status_code == 400
    assert sentence in LexborHTMLParser(page.text).css_first(".sentence").text()


def test_other_models_and_scenes_are_refused(visit):
    page = visit().get("/ask", params={"model": "iwm-mini", "q": "what?"})
    assert page.status_code == 404
    assert "expected one that answers questions: answers" in page.text
    assert visit().get("/ask?scene=99").status_code == 400
    assert visit().get("/ask/scene/99").status_code == 404


def test_without_such_a_model_the_page_says_what_to_do(site, visit, monkeypatch):
    monkeypatch.setattr("foretell.app.questions.able_models", lambda models, capability: [])
    page = visit().get("/ask").text
    assert "No model here answers questions." in page
    assert "foretell train vista --data questions:20000" in page
    refused = visit().get("/ask?q=what")
    assert refused.status_code == 404
    assert isinstance(site.models, ServedModels)


def test_kept_files_go_when_there_are_too_many(visit):
    kept = KeptFiles(most=10)
    first, second = kept.keep(b"12345678", "image/png"), kept.keep(b"abcd", "video/mp4")
    assert second.endswith(".mp4")
    assert kept.find(second.rpartition("/")[2]) == (b"abcd", "video/mp4")
    with pytest.raises(Refused, match="not kept any more"):
        kept.find(first.rpartition("/")[2])
    assert visit().get("/kept/none.png").status_code == 404


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("bytes=2-", (2, 9)),
        ("bytes=0-3", (0, 3)),
        ("bytes=0-99", (0, 9)),
        ("bytes=12-", None),
        ("", None),
        ("x=1", None),
    ],
)
def test_players_get_parts_of_a_clip(asked, found):
    assert _part(asked, 10) == found
